"""Make two-sentences.wav with espeak-ng and print where its speech is.

Run from the project's folder, with the project installed: ``python samples/make.py``.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from speech_service.audio import SAMPLE_RATE, resample

SENTENCES = (
    "The ship was loaded in the morning and left the harbour at noon.",
    "Nobody on the pier knew when it would come home again.",
)
SILENCES = (3.0, 2.0, 2.5)
"""Seconds before, between and after the sentences."""


def speak(sentence: str) -> NDArray[np.float32]:
    """Return a sentence at SAMPLE_RATE, without the silence espeak-ng puts around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spoken.wav")
        command = ["espeak-ng", "-v", "en", "-s", "150", "-w", str(path), sentence]
        subprocess.run(command, check=True)  # noqa: S603
        samples, rate = soundfile.read(path, dtype="float32")
    heard = np.flatnonzero(samples)
    return resample(samples[heard[0] : heard[-1] + 1], rate)


def silence(seconds: float) -> NDArray[np.float32]:
    """Return digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def main() -> None:
    """Write the sample beside this script."""
    parts = [silence(SILENCES[0])]
    for sentence, pause in zip(SENTENCES, SILENCES[1:], strict=True):
        start = sum(map(len, parts)) / SAMPLE_RATE
        parts.append(speak(sentence))
        print(f"{start:.2f} to {start + len(parts[-1]) / SAMPLE_RATE:.2f} s: {sentence}")
        parts.append(silence(pause))
    target = Path(__file__).with_name("two-sentences.wav")
    soundfile.write(target, np.concatenate(parts), SAMPLE_RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
