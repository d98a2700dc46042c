# SPDX-License-Identifier: Apache-2.0
"""Relations between packages (Debian Policy §7) and the order of versions (§5.6.12)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wheelship.debian.errors import IndexMismatch

__all__ = ["Provided", "Relation", "newest_first", "parse_provides", "parse_relations"]

_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s()]+)\s*\))?"
    r"(?:\s*\[[^\]]*\])?"
)
_ORDERS = {"<<": (-1,), "<=": (-1, 0), "=": (0,), ">=": (0, 1), ">>": (1,)}


@dataclass(frozen=True, slots=True)
class Relation:
    """``name (operator version)``; without an operator any version will do.

    The architecture qualifier is dropped: an image holds one architecture.
    """

    name: str
    operator: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def allows(self, version: str | None) -> bool:
        """Tell whether ``version`` will do; None is the version of an unversioned provision."""
        if self.operator is None or self.version is None:
            return True
        if version is None:
            return False  # Policy §7.5: an unversioned provision satisfies no versioned relation
        return _compare(version, self.version) in _ORDERS[self.operator]


@dataclass(frozen=True, slots=True)
class Provided:
    """A name that a package also answers to; ``version`` is None where it claims none."""

    name: str
    version: str | None = None


def parse_relations(value: str, *, where: str) -> tuple[tuple[Relation, ...], ...]:
    """Read a relationship field: all of the outer groups, any one of the inner alternatives.

    Raises:
        IndexMismatch: it cannot be read.
    """
    groups = (group for group in value.split(",") if group.strip())
    return tuple(
        tuple(_relation(alternative, where) for alternative in group.split("|")) for group in groups
    )


def parse_provides(value: str, *, where: str) -> tuple[Provided, ...]:
    """Read a ``Provides`` field.

    Raises:
        IndexMismatch: it cannot be read.
    """
    relations = (_relation(one, where) for one in value.split(",") if one.strip())
    return tuple(Provided(relation.name, relation.version) for relation in relations)


def newest_first(versions: list[str]) -> list[str]:
    """Return ``versions`` from the highest to the lowest."""
    from functools import cmp_to_key

    return sorted(versions, key=cmp_to_key(_compare), reverse=True)


def _relation(text: str, where: str) -> Relation:
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise IndexMismatch(f"unreadable relation {text.strip()[:120]!r}", where=where)
    return Relation(match["name"], match["operator"], match["version"])


def _compare(left: str, right: str) -> int:
    # Not Version: that is apt's where apt_pkg is installed. One and the same everywhere is wanted.
    from debian.debian_support import NativeVersion

    first, second = NativeVersion(left), NativeVersion(right)
    return (first > second) - (first < second)
