# SPDX-License-Identifier: Apache-2.0
"""Finds every difference between what a reference installer and we make of one wheel.

Compared are the paths, their kinds, all permission bits, bytes and link targets. RECORD is compared
row by row, whatever the order of its rows. A difference names its place with ``{info}`` for the
wheel's own ``.dist-info`` directory, so that a rule can speak of all wheels.
"""

from __future__ import annotations

import base64
import csv
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from parity.tree import Item, Tree
from parity.wheels import PYTHON

__all__ = [
    "SITE",
    "Aspect",
    "Difference",
    "differences",
    "info_of",
    "is_record",
    "own_defects",
    "row_of",
]

SITE = f"lib/python{PYTHON}/site-packages"

AGAIN = " (again)"
"""Follows the path of a second row for one file."""

_INFO = re.compile(rf"{re.escape(SITE)}/[^/]+\.dist-info/")
_RECORD = re.compile(rf"{_INFO.pattern}RECORD")

Aspect = Literal["only theirs", "only ours", "kind", "mode", "content", "row"]

Row = tuple[str, str]
"""Hash and size, as RECORD spells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same.

    Attributes:
        path: below the prefix; for a row of RECORD the path that the row is about.
        theirs / ours: what is there, if anything; for a row the trees' items of that path.
        rows: their row and ours, if RECORD is what differs.
        other_agrees: whether the other reference installer made what we made.
    """

    aspect: Aspect
    path: str
    theirs: Item | None
    ours: Item | None
    rows: tuple[Row | None, Row | None] = (None, None)
    other_agrees: bool = False

    def __str__(self) -> str:
        shown: tuple[object, object] = self.rows
        if self.aspect != "row":
            shown = tuple(_shown(item) for item in (self.theirs, self.ours))  # type: ignore[assignment]
        return f"{self.aspect}: {self.path}: theirs {shown[0]}, ours {shown[1]}"


def _shown(item: Item | None) -> str:
    return "nothing" if item is None else f"{item.kind} {item.mode:04o} {item.content[:12]}"


def differences(theirs: Tree, ours: Tree, other: Tree | None = None) -> Iterator[Difference]:
    """Yield the differences; ``other`` is what the other reference installer made."""
    for path in sorted(theirs.keys() | ours.keys()):
        left, right = theirs.get(path), ours.get(path)
        record = _RECORD.fullmatch(path)
        disputed = set() if other is None else set(_aspects(other.get(path), right))
        for aspect in _aspects(left, right):
            if aspect != "content" or not record:
                yield Difference(
                    aspect=aspect,
                    path=_named(path),
                    theirs=left,
                    ours=right,
                    other_agrees=other is not None and aspect not in disputed,
                )
        if record and left is not None and right is not None:
            yield from _row_differences(theirs, ours, path)


def _row_differences(theirs: Tree, ours: Tree, record: str) -> Iterator[Difference]:
    left, right = _rows(theirs[record].data), _rows(ours[record].data)
    for path in sorted(left.keys() | right.keys()):
        rows = (left.get(path), right.get(path))
        if rows[0] != rows[1]:
            items = (theirs.get(path), ours.get(path))
            yield Difference(
                aspect="row", path=_named(path), theirs=items[0], ours=items[1], rows=rows
            )


def _named(path: str) -> str:
    return _INFO.sub("{info}/", path)


def _aspects(theirs: Item | None, ours: Item | None) -> Iterator[Aspect]:
    if theirs is None and ours is None:
        return
    if theirs is None:
        yield "only ours"
    elif ours is None:
        yield "only theirs"
    elif theirs.kind != ours.kind:
        yield "kind"
    else:
        if theirs.mode != ours.mode:
            yield "mode"
        if theirs.content != ours.content:
            yield "content"


def _rows(record: bytes) -> dict[str, Row]:
    """Return RECORD's rows by path below the prefix; a second row of one path is spelled out."""
    rows: dict[str, Row] = {}
    for cells in csv.reader(io.StringIO(record.decode(), newline="")):
        path, hashed, size = cells
        place = posixpath.normpath(f"{SITE}/{path}")
        while place in rows:
            place += AGAIN
        rows[place] = (hashed, size)
    return rows


def info_of(tree: Tree) -> str:
    """Return the name of the only ``.dist-info`` directory."""
    (record,) = [path for path in tree if _RECORD.fullmatch(path)]
    return record.split("/")[-2]


def own_defects(ours: Tree, info: str, modules: set[str]) -> Iterator[str]:
    """Yield what is wrong with our tree by itself.

    "Recording installed projects": RECORD lists every file with its hash and size, and nothing
    else. And the modules that get compiled are those that lie in site-packages.
    """
    record = f"{SITE}/{info}/RECORD"
    rows = _rows(ours[record].data)
    files = {path: item for path, item in ours.items() if item.kind == "file"}
    yield from (f"RECORD lacks or invents {path}" for path in sorted(rows.keys() ^ files.keys()))
    for path in sorted(rows.keys() & files.keys()):
        expected = ("", "") if path == record else row_of(files[path])
        if rows[path] != expected and not rows[path][0].startswith(("sha384=", "sha512=")):
            yield f"RECORD has {rows[path]} for {path}"
    sources = {path for path in files if path.startswith(SITE + "/") and path.endswith(".py")}
    yield from (f"compiled or not: {path}" for path in sorted(sources ^ modules))


def is_record(path: str) -> bool:
    """Tell whether this is RECORD of an installed package."""
    return _RECORD.fullmatch(path) is not None


def row_of(item: Item) -> Row:
    """Return the row that a file deserves."""
    encoded = base64.urlsafe_b64encode(bytes.fromhex(item.content)).rstrip(b"=").decode()
    return f"sha256={encoded}", str(item.size_bytes)
