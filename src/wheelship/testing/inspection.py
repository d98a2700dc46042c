# SPDX-License-Identifier: Apache-2.0
"""Makes inspected images for tests of what shows, judges or compares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wheelship.inspect.model import (
    Contents,
    Entry,
    EntryKind,
    Expectation,
    Facts,
    FileKind,
    Finding,
    Inspection,
    Item,
    LayerView,
    Owner,
    Sizes,
)
from wheelship.oci.config import ImageConfig
from wheelship.oci.descriptor import LAYER_GZIP
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["UNKNOWN", "Made", "make_contents", "make_inspection"]

UNKNOWN = Owner("unknown", "unknown")
_IMAGE = Owner("image", "image")
_HEADER_BYTES = 512
_DOCUMENT_BYTES = 700


@dataclass(frozen=True, slots=True)
class Made:
    """An entry to make; of a file, ``transfer`` is half of its size unless it is given."""

    path: str
    size: int = 0
    owner: Owner = UNKNOWN
    kind: FileKind = "data"
    entry: EntryKind = "file"
    transfer: int | None = None
    target: str = ""
    facts: tuple[Facts, ...] = ()
    content: bytes | None = None
    mtime: int = 0


def make_contents(
    *layers: Sequence[Made],
    reference: str = "oci:made",
    config: ImageConfig | None = None,
    transfer_known: bool = True,
) -> Contents:
    """Return an image of ``layers``, lowest first.

    A file that a later layer has again, or hides by a ``whiteout``, is hidden, as the real reader
    has it. Content is told apart by ``content``, by path where there is none.
    """
    last: dict[str, tuple[int, bool]] = {}
    for index, layer in enumerate(layers):
        for one in layer:
            if one.entry in ("file", "whiteout"):
                last[one.path] = (index, one.entry == "whiteout")
    items = [
        Item(
            Entry(one, "framing", size, 0, size),
            -1,
            _IMAGE,
            "structure",
        )
        for one, size in (("(manifest)", _DOCUMENT_BYTES), ("(configuration)", _DOCUMENT_BYTES))
    ]
    views = []
    for index, layer in enumerate(layers):
        mine = [_item(one, index, last) for one in layer]
        mine.append(
            Item(Entry("(end of the archive)", "framing", 0, 1024, 20), index, _IMAGE, "structure")
        )
        digest = Digest.of(repr((index, layer)).encode())
        views.append(
            LayerView(
                digest=digest,
                diff_id=Digest.of(digest.hex.encode()),
                media_type=LAYER_GZIP,
                created_by=f"step {index}",
                sizes=_sum(mine),
                files=sum(one.entry.kind == "file" for one in mine),
            )
        )
        items += mine
    platform = Platform("amd64")
    diff_ids = tuple(one.diff_id for one in views)
    return Contents(
        reference=reference,
        digest=Digest.of(repr(views).encode()),
        documents=tuple(
            (Digest.of(repr((one, views)).encode()), _DOCUMENT_BYTES)
            for one in ("configuration", "manifest")
        ),
        config=config or ImageConfig(platform=platform, diff_ids=diff_ids),
        layers=tuple(views),
        items=tuple(items),
        sizes=_sum(items),
        transfer_known=transfer_known,
    )


def make_inspection(
    *layers: Sequence[Made],
    findings: tuple[Finding, ...] = (),
    expectation: Expectation | None = None,
    reference: str = "oci:made",
) -> Inspection:
    """Return :func:`make_contents` with ``findings``."""
    return Inspection(
        contents=make_contents(*layers, reference=reference),
        findings=findings,
        expectation=expectation or Expectation(),
    )


def _item(one: Made, index: int, last: dict[str, tuple[int, bool]]) -> Item:
    is_file = one.entry == "file"
    until, deleted = last.get(one.path, (index, False))
    hidden = is_file and until > index
    content = one.content if one.content is not None else one.path.encode(errors="surrogatepass")
    entry = Entry(
        path=one.path,
        kind=one.entry,
        size_bytes=one.size if is_file else 0,
        unpacked_bytes=_HEADER_BYTES + (one.size + 511) // 512 * 512,
        transfer_bytes=one.transfer if one.transfer is not None else one.size // 2 + 100,
        mtime=one.mtime,
        sha256=bytes.fromhex(Digest.of(content).hex) if is_file else b"",
        target=one.target,
        facts=one.facts,
    )
    return Item(
        entry=entry,
        layer=index,
        owner=one.owner,
        kind=one.kind if is_file else "structure",
        effective_bytes=one.size if is_file and not hidden else 0,
        hidden_by=until if hidden else None,
        deleted=hidden and deleted,
    )


def _sum(items: Sequence[Item]) -> Sizes:
    return sum((item.sizes for item in items), Sizes())
