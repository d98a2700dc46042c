# SPDX-License-Identifier: Apache-2.0
"""What a registry asks for in ``WWW-Authenticate`` (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Challenge", "parse_challenges"]

_HEADER_CHARACTERS = 8 * 1024
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ITEM = re.compile(
    rf"""[\s,]*(?:
        (?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>{_WORD}))
      | (?P<scheme>{_WORD})(?=\s|,|$)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate; ``scheme`` and the names of parameters are in lower case."""

    scheme: str
    parameters: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """Return a parameter, empty when it is not there."""
        return dict(self.parameters).get(name, "")


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of all headers; what cannot be understood ends its header."""
    return [one for header in headers for one in _parse(header[:_HEADER_CHARACTERS])]


def _parse(header: str) -> Iterator[Challenge]:
    scheme, position = "", 0
    parameters: list[tuple[str, str]] = []
    while match := _ITEM.match(header, position):
        position = match.end()
        if match["scheme"]:
            if scheme:
                yield Challenge(scheme, tuple(parameters))
            scheme, parameters = match["scheme"].lower(), []
        else:
            quoted = match["quoted"]
            value = match["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.append((match["name"].lower(), value))
    if scheme:
        yield Challenge(scheme, tuple(parameters))
