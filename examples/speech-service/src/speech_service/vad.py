"""Voice activity detection with Silero's model, which ships inside its wheel."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import torch
from silero_vad import get_speech_timestamps, load_silero_vad

from speech_service.audio import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech in seconds, and who spoke if that was asked."""

    start: float
    end: float
    speaker: str | None = None


def to_seconds(samples: int) -> float:
    """Hundredths of a second: finer than the model's 32 ms window, so nothing is lost."""
    return round(samples / SAMPLE_RATE, 2)


class SpeechDetector:
    """The model, loaded once.

    It carries its state from one window to the next, so two recordings must never pass through it
    at the same time: a lock makes them take turns.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._model = load_silero_vad().to(device)
        self._lock = Lock()

    def find_speech(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return where speech is, in order of time; nothing for silence or no audio at all."""
        audio = torch.from_numpy(samples).to(self._device)
        with self._lock:
            found = get_speech_timestamps(audio, self._model, sampling_rate=SAMPLE_RATE)
        return [Span(to_seconds(part["start"]), to_seconds(part["end"])) for part in found]
