"""What detectors and diarization find: stretches of a recording, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from speech_service.audio import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech in seconds, and who spoke if that was asked."""

    start: float
    end: float
    speaker: str | None = None


def to_seconds(samples: int) -> float:
    """Hundredths of a second: finer than the model's 32 ms window, so nothing is lost."""
    return round(samples / SAMPLE_RATE, 2)
