"""From an uploaded file to the mono 16 kHz samples the models want.

Done with soundfile and numpy alone: torchaudio would add a second binary that must match torch's
accelerator, for the sake of one resampler.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""What the models were trained on."""

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000
"""Rates of real recordings. A header may claim any 31-bit number, and a filter to match it would
not fit in memory."""

BLOCK_SAMPLES = 2**18
"""Samples, over all channels, decoded at a time, so that only mono audio is ever whole."""

ZERO_CROSSINGS = 16
"""Half width of the resampling filter; this many put aliases 40 dB below the signal."""

ROLLOFF = 0.94
"""Where the filter has fallen to a half, as a share of the lower of both Nyquist frequencies."""


class UnreadableAudioError(Exception):
    """The upload is not audio that can be decoded."""


class AudioTooLongError(Exception):
    """The recording is longer than the service accepts."""


def read_mono(source: BinaryIO, max_seconds: int) -> NDArray[np.float32]:
    """Decode WAV, FLAC or whatever else libsndfile knows, as mono samples at ``SAMPLE_RATE``.

    Length is counted while decoding because the header's word for it proves nothing.

    Raises:
        UnreadableAudioError: libsndfile cannot decode it, or its sample rate is implausible.
        AudioTooLongError: there is more audio than ``max_seconds``.
    """
    blocks = [np.empty(0, np.float32)]
    frames = 0
    try:
        with soundfile.SoundFile(source) as sound:
            rate = int(sound.samplerate)
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise UnreadableAudioError(
                    f"sample rate {rate} Hz is outside {LOWEST_RATE} to {HIGHEST_RATE} Hz"
                )
            block_frames = max(1, BLOCK_SAMPLES // sound.channels)
            while len(block := sound.read(block_frames, dtype="float32", always_2d=True)):
                frames += len(block)
                if frames > max_seconds * rate:
                    raise AudioTooLongError(f"recording is longer than {max_seconds} seconds")
                blocks.append(block.mean(axis=1))
    except soundfile.LibsndfileError as error:
        raise UnreadableAudioError(f"not a readable audio file: {error.error_string}") from error
    return resample(np.concatenate(blocks), rate)


def resample(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Bring ``samples`` from ``rate`` to ``SAMPLE_RATE`` with a windowed-sinc low-pass filter.

    Output sample n lies at input position n * down / up. Its fractional part, and with it the
    filter, repeats every ``up`` outputs, so each such phase is one product of a strided view of
    the input with one filter: work and memory stay proportional to the input whatever the rate.
    """
    if rate == SAMPLE_RATE or not len(samples):
        return samples
    divisor = math.gcd(rate, SAMPLE_RATE)
    up, down = SAMPLE_RATE // divisor, rate // divisor
    cutoff = ROLLOFF * min(1.0, up / down)  # in units of the input's Nyquist frequency
    half = math.ceil(ZERO_CROSSINGS / cutoff)

    padded = np.pad(samples, (half - 1, half))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    result = np.empty(math.ceil(len(samples) * up / down), np.float32)
    for phase in range(min(up, len(result))):
        first, fraction = divmod(phase * down, up)
        distance = np.arange(1 - half, 1 + half) - fraction / up
        kernel = np.sinc(cutoff * distance) * np.cos(np.pi / 2 * distance / half) ** 2
        kernel /= kernel.sum()
        outputs = result[phase::up]
        outputs[:] = windows[first::down][: len(outputs)] @ kernel.astype(np.float32)
    return result
