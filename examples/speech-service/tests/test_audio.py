from __future__ import annotations

import numpy as np
import pytest

from speech_service.audio import resample


def tone(frequency: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency / rate * np.arange(round(rate * seconds)), dtype=np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 44_101, 48_000, 96_000])
def test_resampled_tone_is_the_same_tone(rate: int) -> None:
    inner = slice(100, -100)  # the edges fade into the silence around the recording
    expected = tone(1_000, 16_000)
    result = resample(tone(1_000, rate), rate)
    assert result.dtype == np.float32
    assert result.shape == expected.shape
    np.testing.assert_allclose(result[inner], expected[inner], atol=1e-3)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_what_16_khz_cannot_hold_is_removed(rate: int) -> None:
    result = resample(tone(9_500, rate), rate)
    assert np.abs(result[100:-100]).max() < 0.01


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_101, 48_000])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 100])
def test_length_is_kept_however_short(rate: int, length: int) -> None:
    result = resample(np.ones(length, np.float32), rate)
    assert len(result) == -(-length * 16_000 // rate)
