# SPDX-License-Identifier: Apache-2.0
"""The same content under several names."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.inspect.model import Item
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_LEAST_BYTES = 1024
_LICENCES = ("copyright", "LICENSE", "LICENSE.txt", "COPYING", "NOTICE")


def _find(subject: Subject) -> Iterator[Claim]:
    groups: dict[bytes, list[Item]] = {}
    for item in subject.files:
        entry = item.entry
        if (
            entry.kind == "file"
            and entry.size_bytes >= _LEAST_BYTES
            and item.kind != "metadata"
            and item.owner.type != "debian"
            and not entry.path.endswith(_LICENCES)
        ):
            groups.setdefault(entry.sha256, []).append(item)
    copies = [sorted(items, key=_order) for items in groups.values() if len(items) > 1]
    if not copies:
        return
    copies.sort(key=lambda items: (-_saved(items), items[0].entry.path))
    parts = tuple(Part(item, item.entry.path) for items in copies for item in items[1:])
    largest = copies[0]
    yield Claim(
        title="Identical files",
        reason=f"{len(parts)} files are copies of {len(copies)} others, such as /"
        f"{largest[1].entry.path} of /{largest[0].entry.path}; the first of each is kept",
        fix=fix(
            dockerfile="COPY each file once, and ln -s the further names in the same RUN; of whole "
            f"trees: hardlink {subject.quoted_site} in the RUN that made them (of util-linux)",
            wheelship="name each file once in app = { include = […] }; what wheels bring twice, "
            + _omit(copies),
        ),
        parts=parts,
    )


def _order(item: Item) -> tuple[int, str]:
    return item.layer, item.entry.path


def _saved(items: list[Item]) -> int:
    return sum(item.entry.unpacked_bytes for item in items[1:])


def _omit(copies: list[list[Item]]) -> str:
    names = sorted(
        {item.owner.name for items in copies for item in items[1:] if item.owner.type == "python"}
    )
    of = f" ({listed(names)})" if names else ""
    return f"omit = {{ … }} can leave out{of}"


RULE = Rule(
    code="identical-files",
    title="Identical files",
    about="Files of at least 1 KiB whose content (SHA-256) another visible file has too; the first "
    "(lowest layer, then by path) is kept, the others count. Hard links are one file already. "
    "Metadata of packages, licences and the files of Debian packages are left alone. Copies that "
    "a rule above claims are not counted again.",
    fix="Copy a file once and link it.",
    minimum_bytes=1_000_000,
    find=_find,
)
