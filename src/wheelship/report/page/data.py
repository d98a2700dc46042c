# SPDX-License-Identifier: Apache-2.0
"""What the page's scripts read: one JSON document, compressed, as text that is safe in HTML.

Leaves are columns, because columns compress well. Of a leaf that holds files the archive's bytes
can be told from the content's (header and padding, POSIX ustar); the difference is what is written.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from wheelship.archive.gzip import member
from wheelship.inspect.model import Contents, Finding, Inspection, LayerView, Owner, Sizes
from wheelship.report.page.leaves import Forest, Limits, grow
from wheelship.report.page.places import Places
from wheelship.report.page.waste import FINDINGS_LIMIT, tokens
from wheelship.report.page.words import shown

__all__ = ["DATA_LIMIT", "document_of", "encoded"]

DATA_LIMIT = 1_100_000
"""Bytes of the encoded text, so that the whole page stays below 1.5 MB."""
_TEXT_LIMIT = 1200
_LEAVES = 60_000  # more are slow to search in a browser
_BLOCK = 512


def encoded(inspection: Inspection, limit: int = DATA_LIMIT) -> tuple[Forest, str]:
    """Return the forest of ``inspection`` and its encoding, of at most about ``limit`` bytes."""
    contents, findings = inspection.contents, inspection.findings[:FINDINGS_LIMIT]
    places = Places(contents.items, findings)
    limits = Limits(min(_LEAVES, max(1, len(contents.items))))
    while True:
        forest = grow(contents, places, limits)
        document = json.dumps(document_of(contents, findings, forest), separators=(",", ":"))
        text = b64encode(member(document.encode("ascii"))).decode("ascii")
        if len(text) <= limit or limits == Limits(1, 1, 1):
            return forest, text
        limits = limits.scaled(min(0.9, limit / len(text) * 0.95))


def document_of(contents: Contents, findings: Sequence[Finding], forest: Forest) -> dict[str, Any]:
    """Return the document; every name in it is fit to be shown."""
    leaves = forest.leaves
    return {
        "transferKnown": contents.transfer_known,
        "sizes": _sizes(contents.sizes),
        "owners": [_owner(one) for one in forest.owners],
        "kinds": list(forest.kinds),
        "layers": [
            _layer(number, one)
            for number, one in zip(forest.layer_numbers, forest.layers, strict=True)
        ],
        "marks": [list(one) for one in forest.marks],
        "findings": tokens(findings),
        "directories": {
            "parent": [parent for parent, _ in forest.directories],
            "name": [shown(name) for _, name in forest.directories],
        },
        "leaves": {
            "directory": _steps([one.directory for one in leaves]),
            "name": [shown(one.name) for one in leaves],
            "entries": [one.entries for one in leaves],
            "files": [one.files for one in leaves],
            "owner": [one.group.owner for one in leaves],
            "kind": [one.group.kind for one in leaves],
            "layer": [one.group.layer for one in leaves],
            "state": [one.group.state for one in leaves],
            "mark": [one.group.mark for one in leaves],
            "transfer": [one.sizes.transfer for one in leaves],
            "effective": [one.sizes.effective for one in leaves],
            "excess": [one.sizes.unpacked - _expected(one.sizes) for one in leaves],
        },
    }


def _sizes(sizes: Sizes) -> list[int]:
    return [sizes.transfer, sizes.unpacked, sizes.effective]


def _owner(owner: Owner) -> list[str]:
    return [owner.type, shown(owner.name), shown(owner.version, 60)]


def _layer(number: str, layer: LayerView | None) -> list[str]:
    if layer is None:
        return [number, "", ""]
    return [number, shown(layer.created_by, _TEXT_LIMIT), str(layer.digest)]


def _steps(numbers: Sequence[int]) -> list[int]:
    return [now - before for before, now in zip((0, *numbers), numbers, strict=False)]


def _expected(sizes: Sizes) -> int:
    return _BLOCK - sizes.effective // -_BLOCK * _BLOCK
