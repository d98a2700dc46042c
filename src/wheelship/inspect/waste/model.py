# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and what it says about an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wheelship.inspect.model import Item
from wheelship.inspect.waste.subject import Subject

__all__ = ["Claim", "Part", "Rule"]


@dataclass(frozen=True, slots=True)
class Part:
    """A file that a claim is about.

    Attributes:
        item: the file.
        place: what stands for it in a report: its own path, or a directory that holds others too.
        bytes: how much of its content is waste; None means all of the file, its header included.
    """

    item: Item
    place: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Files that a rule says the image could do without; what they weigh is not counted yet.

    Attributes:
        title: one line, without sizes.
        reason: why it is waste, and how that is known.
        fix: what to do; a line each for a Dockerfile and for wheelship.
        parts: the files. Whether any of their bytes are left is not the rule's concern.
        places: of a remark, where it is seen: it claims nothing, and its sizes are zero.
        estimate: the sizes are no exact count.
    """

    title: str
    reason: str
    fix: str
    parts: tuple[Part, ...]
    places: tuple[str, ...] = ()
    estimate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of waste.

    Attributes:
        code: stable, kebab-case; the name of its module.
        title: what it is called in a list.
        about: what is looked for, why it is waste, and what is left alone; for the documentation.
        fix: what helps, in general; each finding says it for the image at hand.
        minimum_bytes: a claim of fewer unpacked bytes is not worth a line in a report.
        find: yields the claims.
    """

    code: str
    title: str
    about: str
    fix: str
    minimum_bytes: int
    find: Callable[[Subject], Iterator[Claim]]
