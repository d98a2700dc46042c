# SPDX-License-Identifier: Apache-2.0
"""Words that the rules share: fixes for both worlds, and lines of configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from wheelship.inspect.model import Owner

__all__ = ["fix", "listed", "named", "omit_line"]

_SHOWN = 3
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def fix(*, dockerfile: str, wheelship: str) -> str:
    """Return what to do in a Dockerfile and what in a project of wheelship, a line each."""
    return f"Dockerfile: {dockerfile}\nwheelship: {wheelship}"


def omit_line(globs: Mapping[str, Iterable[str]]) -> str:
    """Return the line of configuration that leaves files of packages out, by package."""
    rows = (f"{_key(name)} = {json.dumps(sorted(of))}" for name, of in sorted(globs.items()))
    return f"omit = {{ {', '.join(rows)} }}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)


def listed(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Return the first ``shown`` names for a sentence, and how many more there are."""
    first = list(names[:shown])
    if len(names) > shown:
        first.append(f"{len(names) - shown} more")
    return first[0] if len(first) == 1 else f"{', '.join(first[:-1])} and {first[-1]}"


def named(owner: Owner) -> str:
    """Return an owner as people write it."""
    return f"{owner.name} {owner.version}".strip()
