"""Silero's model on ONNX Runtime, with no torch in the process.

The file of the model is all that is needed of the ``silero-vad`` package, whose code imports torch.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from speech_service.audio import SAMPLE_RATE
from speech_service.vad.smoothing import WINDOW, find_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from speech_service.vad.span import Span

logger = logging.getLogger(__name__)

CONTEXT = 64
"""Samples before a window that the model wants to hear again."""

STATE = (2, 1, 128)
"""Shape of what the model remembers from one window to the next."""

CPU = "CPUExecutionProvider"
GPU = ("MIGraphXExecutionProvider", "ROCMExecutionProvider", "CUDAExecutionProvider")
"""Providers worth trying before the CPU, the better one of a build first."""


class OnnxDetector:
    """The model, loaded once.

    What it remembers of a recording is passed in and out, so recordings do not disturb each other
    and no lock is needed.
    """

    backend = "onnx"

    def __init__(self, threads: int, available: Sequence[str] | None = None) -> None:
        """Open the model on a GPU if one works, else on the CPU.

        Args:
            threads: CPU threads of one inference.
            available: names of providers; by default, those that ONNX Runtime lists.
        """
        listed = onnxruntime.get_available_providers() if available is None else available
        self._session = _open([name for name in GPU if name in listed], threads)

    @property
    def device(self) -> str:
        """The provider that runs the model, by ONNX Runtime's name."""
        return str(self._session.get_providers()[0])

    def find_speech(self, samples: NDArray[np.float32]) -> list[Span]:
        """Return where speech is, in order of time; nothing for silence or no audio at all."""
        return find_spans(judge(self._session, samples), len(samples))


def judge(session: onnxruntime.InferenceSession, samples: NDArray[np.float32]) -> Iterator[float]:
    """Yield the probability of speech in each window of ``samples``, the last one filled up.

    Every call has the same shapes: a provider that compiles the model for shapes does so once.
    """
    state = np.zeros(STATE, np.float32)
    heard = np.zeros((1, CONTEXT + WINDOW), np.float32)
    rate = np.array(SAMPLE_RATE, np.int64)
    for start in range(0, len(samples), WINDOW):
        window = samples[start : start + WINDOW]
        heard[:, :CONTEXT] = heard[:, -CONTEXT:]
        heard[0, CONTEXT : CONTEXT + len(window)] = window
        heard[0, CONTEXT + len(window) :] = 0
        speech, state = session.run(None, {"input": heard, "state": state, "sr": rate})
        yield float(speech[0, 0])


def _open(wanted: Sequence[str], threads: int) -> onnxruntime.InferenceSession:
    """Return a session that works, on the first of the ``wanted`` providers that does or the CPU.

    A provider in the list proves nothing: it is there because the package was built with it, also
    where the libraries it loads are missing or no GPU is. Only a session tells.
    """
    for provider in wanted:
        try:
            return _session(provider, threads)
        except Exception as error:  # each provider has errors of its own
            reason = str(error).strip()
            logger.warning("%s does not work here and is not used: %s", provider, reason)
    return _session(CPU, threads)


def _session(provider: str, threads: int) -> onnxruntime.InferenceSession:
    """Open a session on ``provider`` and let it judge a window; the CPU does what it cannot.

    ONNX Runtime's own way back to the CPU is off: it prints to standard output, and the caller
    would not know.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = list(dict.fromkeys((provider, CPU)))
    session = onnxruntime.InferenceSession(
        str(find_model()), options, providers=providers, enable_fallback=0
    )
    if (used := session.get_providers()[0]) != provider:
        raise RuntimeError(f"ONNX Runtime took {used} in its place")
    next(judge(session, np.zeros(WINDOW, np.float32)))
    return session


def find_model() -> Path:
    """Return the model's file, found without importing the package it lies in.

    Raises:
        FileNotFoundError: the package is not installed, or holds no such file.
    """
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise FileNotFoundError("silero-vad, which holds the model, is not installed")
    model = Path(package.origin).parent / "data" / "silero_vad.onnx"
    if not model.is_file():
        raise FileNotFoundError(f"{model} is missing from the silero-vad package")
    return model
