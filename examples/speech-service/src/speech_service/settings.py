"""Settings, read once from ``SPEECH_*`` environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from speech_service.vad.detector import Backend

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "SPEECH_"


class SettingsError(ValueError):
    """An environment variable holds something the service cannot use."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may change.

    Attributes:
        database_url: any SQLAlchemy URL whose driver is installed.
        max_upload_bytes: largest request body; uploads wait in the temporary directory, which in
            a container is usually memory.
        max_seconds: longest recording. A few kilobytes of FLAC can decode to days of silence, so
            the size of the upload alone bounds nothing.
        threads: CPU threads of one inference. Silero VAD is too small to gain from a second one;
            diarization does gain.
        pipeline: directory of a pyannote pipeline, needed for diarization only.
        backend: what finds speech; diarization always runs on torch.
    """

    database_url: str = "sqlite:///speech.db"
    max_upload_bytes: int = 64 * 1024 * 1024
    max_seconds: int = 900
    threads: int = 1
    pipeline: Path | None = None
    backend: Backend = "auto"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; an unset or empty variable means its default.

        Raises:
            SettingsError: a number is not one, or not positive; there is no such backend.
        """
        pipeline = environ.get(f"{PREFIX}PIPELINE")
        return cls(
            database_url=environ.get(f"{PREFIX}DATABASE_URL") or cls().database_url,
            max_upload_bytes=_positive(environ, "MAX_UPLOAD_BYTES", cls().max_upload_bytes),
            max_seconds=_positive(environ, "MAX_SECONDS", cls().max_seconds),
            threads=_positive(environ, "THREADS", cls().threads),
            pipeline=Path(pipeline) if pipeline else None,
            backend=_backend(environ),
        )


def _backend(environ: Mapping[str, str]) -> Backend:
    text = environ.get(f"{PREFIX}BACKEND") or "auto"
    for backend in get_args(Backend):
        if text == backend:
            return cast("Backend", backend)
    choices = ", ".join(get_args(Backend))
    raise SettingsError(f"{PREFIX}BACKEND must be one of {choices}, not {text!r}")


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(f"{PREFIX}{name}")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise SettingsError(f"{PREFIX}{name} must be a whole number above zero, not {text!r}")
    return value
