"""From the model's opinion of each window to stretches of speech; plain arithmetic.

The rules and their numbers are those of Silero's own ``get_speech_timestamps``, which needs torch.
The tests hold the two against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speech_service.audio import SAMPLE_RATE
from speech_service.vad.span import Span, to_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WINDOW = 512
"""Samples the model judges at a time, 32 ms."""

ENTER, LEAVE = 0.5, 0.35
"""Speech begins at the one probability and ends below the other: between them, nothing changes."""

SHORTEST_SILENCE = SAMPLE_RATE * 100 // 1000
"""A pause between two words does not end a stretch; a longer one does."""

SHORTEST_SPEECH = SAMPLE_RATE * 250 // 1000
"""Whatever is not longer than this was a click."""

MARGIN = SAMPLE_RATE * 30 // 1000
"""Added at both ends, where the model hears too late and lets go too early.

Two stretches are at least ``SHORTEST_SILENCE`` apart, so their margins never meet.
"""


def find_spans(probabilities: Iterable[float], samples: int) -> list[Span]:
    """Return the stretches of speech in order of time.

    Args:
        probabilities: one for each window of ``WINDOW`` samples, the first begins at 0.
        samples: how long the recording is; its last window may be shorter.
    """
    return [
        Span(to_seconds(max(0, start - MARGIN)), to_seconds(min(samples, end + MARGIN)))
        for start, end in _stretches(probabilities, samples)
        if end - start > SHORTEST_SPEECH
    ]


def _stretches(probabilities: Iterable[float], samples: int) -> Iterator[tuple[int, int]]:
    """Yield where speech begins and ends, in samples, however short and without margins."""
    start = quiet_since = None
    for number, probability in enumerate(probabilities):
        here = number * WINDOW
        if probability >= ENTER:
            start = here if start is None else start
            quiet_since = None
        elif probability < LEAVE and start is not None:
            quiet_since = here if quiet_since is None else quiet_since
            if here - quiet_since >= SHORTEST_SILENCE:
                yield start, quiet_since
                start = quiet_since = None
    if start is not None:
        yield start, samples
