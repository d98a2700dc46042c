"""Who spoke when: optional, with the ``diarize`` extra and a pipeline kept on disk.

pyannote.audio takes seconds to import and most deployments lack it, so nothing here is touched
before the first request that asks for speakers.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch

from speech_service.audio import SAMPLE_RATE
from speech_service.vad import Span

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

INSTALL = "install it with: pip install 'speech-service[diarize]'"
CONFIGURE = "set SPEECH_PIPELINE to the directory of a downloaded pyannote pipeline"


class DiarizationUnavailableError(Exception):
    """This deployment cannot tell speakers apart; the message says what is missing."""


class Diarizer:
    """A pyannote pipeline, loaded on first use; one recording at a time passes through it."""

    def __init__(self, directory: Path | None, device: torch.device) -> None:
        self._directory = directory
        self._device = device
        self._pipeline: Any = None
        self._lock = Lock()

    def find_turns(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return each speaker's turns in order of time.

        Raises:
            DiarizationUnavailableError: the extra or the pipeline is missing.
        """
        with self._lock:
            if self._pipeline is None:
                self._pipeline = _load(self._directory, self._device)
            if not len(samples):  # the pipeline refuses what Silero answers with nothing
                return []
            waveform = torch.from_numpy(samples).unsqueeze(0)
            answer = self._pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE})
        turns = answer.speaker_diarization.itertracks(yield_label=True)
        return [
            Span(round(turn.start, 2), round(turn.end, 2), str(speaker))
            for turn, _, speaker in turns
        ]


def _load(directory: Path | None, device: torch.device) -> Any:  # noqa: ANN401
    if directory is None:
        raise DiarizationUnavailableError(f"no diarization pipeline is configured; {CONFIGURE}")
    # A path that is not there would be taken for the name of a pipeline to download.
    if not (directory / "config.yaml").is_file():
        raise DiarizationUnavailableError(f"{directory} holds no config.yaml; {CONFIGURE}")
    # Both are read on import: no usage reports, and a model that the pipeline names but does not
    # bring along is an error at once instead of after minutes of retries.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from pyannote.audio import Pipeline
    except (ImportError, OSError) as error:  # OSError: a library built for another accelerator
        raise DiarizationUnavailableError(
            f"pyannote.audio cannot be imported ({error}); {INSTALL}"
        ) from error
    return Pipeline.from_pretrained(directory).to(device)
