"""The two ways to run the model, and which one a deployment gets."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from speech_service.vad.span import Span

logger = logging.getLogger(__name__)

Backend = Literal["auto", "torch", "onnx"]
"""``auto`` is torch where it can be imported, else ONNX Runtime."""


class NoBackendError(Exception):
    """What should run the model cannot be imported; the message says why."""


class Detector(Protocol):
    """The model, loaded; safe to use from several threads."""

    @property
    def backend(self) -> str:
        """``torch`` or ``onnx``."""

    @property
    def device(self) -> str:
        """What it really runs on, in the words of the backend."""

    def find_speech(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return where speech is, in order of time; nothing for silence or no audio at all."""


def open_detector(backend: Backend, threads: int) -> Detector:
    """Load the model; only the chosen backend is imported.

    Raises:
        NoBackendError: the backend cannot be imported, with ``auto``: neither of them.
    """
    if backend == "torch":
        return _on_torch(threads)
    if backend == "onnx":
        return _on_onnx(threads)
    # Decided by looking, so that a torch that is there and broken is an error and not a detour.
    return _on_onnx(threads) if find_spec("torch") is None else _on_torch(threads)


def _on_torch(threads: int) -> Detector:
    try:
        from speech_service.vad.silero_torch import TorchDetector
    except ImportError as error:
        raise NoBackendError(f"the torch backend cannot be imported: {error}") from error
    return TorchDetector(threads)


def _on_onnx(threads: int) -> Detector:
    try:
        from speech_service.vad.silero_onnx import OnnxDetector
    except ImportError as error:
        raise NoBackendError(
            f"the onnx backend cannot be imported: {error}; "
            "install it with: pip install 'speech-service[onnx]'"
        ) from error
    return OnnxDetector(threads)
