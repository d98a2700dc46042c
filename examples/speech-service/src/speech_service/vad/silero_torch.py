"""Silero's model on torch: an NVIDIA or AMD GPU when torch finds one, else the CPU."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import torch
from silero_vad import get_speech_timestamps, load_silero_vad

from speech_service.audio import SAMPLE_RATE
from speech_service.vad.span import Span, to_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TorchDetector:
    """The model, loaded once.

    It carries its state from one window to the next, so two recordings must never pass through it
    at the same time: a lock makes them take turns.
    """

    backend = "torch"

    def __init__(self, threads: int) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(threads)  # importing silero_vad has set it to one
        self._device = device
        self._model = load_silero_vad().to(device)
        self._lock = Lock()

    @property
    def device(self) -> str:
        """What torch calls it: ``cpu`` or ``cuda``, which stands for AMD's GPUs too."""
        return self._device.type

    def find_speech(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return where speech is, in order of time; nothing for silence or no audio at all."""
        audio = torch.from_numpy(samples).to(self._device)
        with self._lock:
            found = get_speech_timestamps(audio, self._model, sampling_rate=SAMPLE_RATE)
        return [Span(to_seconds(part["start"]), to_seconds(part["end"])) for part in found]
