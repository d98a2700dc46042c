"""Who spoke when: optional, with the ``diarize`` extra and a pipeline kept on disk.

pyannote.audio takes seconds to import and most deployments lack it, so nothing here is touched
before the first request that asks for speakers.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

from speech_service.audio import SAMPLE_RATE
from speech_service.vad.span import Span, to_seconds

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

INSTALL = "install it with: pip install 'speech-service[diarize]'"
CONFIGURE = "set SPEECH_PIPELINE to the directory of a downloaded pyannote pipeline"


class DiarizationNotInstalledError(Exception):
    """The code for it is not there, or does not work; the message says what is missing."""


class PipelineMissingError(Exception):
    """The code is there, the models are not; the next request looks for them again."""


class Diarizer:
    """A pyannote pipeline, loaded on first use; one recording at a time passes through it."""

    def __init__(self, directory: Path | None, threads: int) -> None:
        self._directory = directory
        self._threads = threads
        self._pipeline: Any = None
        self._lock = Lock()

    def find_turns(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return each speaker's turns in order of time.

        Raises:
            DiarizationNotInstalledError: pyannote.audio is missing or cannot be imported.
            PipelineMissingError: there is no pipeline where the settings say.
        """
        with self._lock:
            if self._pipeline is None:
                self._pipeline = _load(self._directory, self._threads)
            if not len(samples):  # the pipeline refuses what Silero answers with nothing
                return []
            import torch

            waveform = torch.from_numpy(samples).unsqueeze(0)
            answer = self._pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE})
        end = to_seconds(len(samples))  # the models' last window may reach beyond it
        return [
            Span(round(turn.start, 2), min(round(turn.end, 2), end), str(speaker))
            for turn, _, speaker in answer.speaker_diarization.itertracks(yield_label=True)
        ]


def _load(directory: Path | None, threads: int) -> Any:  # noqa: ANN401 - pyannote ships no types
    if find_spec("pyannote") is None:
        raise DiarizationNotInstalledError(f"pyannote.audio is not installed; {INSTALL}")
    if directory is None:
        raise PipelineMissingError(f"no diarization pipeline is configured; {CONFIGURE}")
    # A path that is not there would be taken for the name of a pipeline to download.
    if not (directory / "config.yaml").is_file():
        raise PipelineMissingError(f"{directory} holds no config.yaml; {CONFIGURE}")
    # Both are read on import: no usage reports, and a model that the pipeline names but does not
    # bring along is an error at once instead of after minutes of retries.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        from pyannote.audio import Pipeline
    except (ImportError, OSError) as error:  # OSError: a library built for another accelerator
        raise DiarizationNotInstalledError(
            f"pyannote.audio cannot be imported ({error}); {INSTALL}"
        ) from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(threads)  # the onnx backend has not
    return Pipeline.from_pretrained(directory).to(device)
