# SPDX-License-Identifier: Apache-2.0
"""All bytes of an image, attributed: the layers upon each other, and whose each entry is."""

from __future__ import annotations

from collections.abc import Sequence

from wheelship.inspect.kinds import Kinds
from wheelship.inspect.model import Contents, Entry, Item, LayerContent, LayerView, Sizes
from wheelship.inspect.owners.claims import FOREVER, Document
from wheelship.inspect.owners.decide import IMAGE, Judge
from wheelship.inspect.tree import Overlay, overlay
from wheelship.oci.config import History, ImageConfig
from wheelship.oci.digest import Digest
from wheelship.source.model import ImageSource

__all__ = ["CONFIGURATION", "MANIFEST", "make_contents"]

MANIFEST = "(manifest)"
CONFIGURATION = "(configuration)"
"""Paths of the documents' items; they are in no layer, so ``layer`` is -1."""


def make_contents(source: ImageSource, layers: Sequence[LayerContent]) -> Contents:
    """Return what ``layers``, those of ``source`` in their order, hold as one image.

    The sums of the items are the totals: transfer is what the layers' blobs, manifest and
    configuration weigh, unpacked what the layers' archives do. A layer that is in the image twice
    counts twice, as in the manifest, though a registry sends it once.

    Raises:
        InvalidLayer: see :func:`~wheelship.inspect.tree.overlay`.
    """
    fates = overlay([layer.entries for layer in layers])
    judge = Judge(
        source.config,
        _documents(layers, fates),
        [entry for layer in layers for entry in layer.entries],
    )
    items = _document_items(source)
    total = _sum(items)
    views: list[LayerView] = []
    rows = _rows(source.config, len(layers))
    kinds = Kinds()
    first = 0
    for number, layer in enumerate(layers):
        mine = _layer_items(layer, number, first, fates, judge, kinds)
        first += len(layer.entries)
        sizes = _sum(mine)
        views.append(
            LayerView(
                digest=layer.digest,
                diff_id=layer.diff_id,
                media_type=source.layers[number].descriptor.media_type,
                created_by=rows[number].created_by,
                sizes=sizes,
                files=sum(item.entry.kind == "file" for item in mine),
            )
        )
        items += mine
        total += sizes
    manifest = source.manifest_bytes
    return Contents(
        reference=source.reference,
        digest=Digest.of(manifest) if manifest else None,
        config=source.config,
        layers=tuple(views),
        items=tuple(items),
        sizes=total,
        transfer_known=source.as_transferred,
        documents=tuple(
            (Digest.of(data), len(data)) for data in (source.config_bytes, manifest) if data
        ),
    )


def _document_items(source: ImageSource) -> list[Item]:
    documents = ((MANIFEST, source.manifest_bytes), (CONFIGURATION, source.config_bytes))
    return [
        Item(Entry(path, "framing", 0, 0, len(content)), -1, IMAGE, "structure")
        for path, content in documents
        if content
    ]


def _layer_items(
    layer: LayerContent, number: int, first: int, fates: Overlay, judge: Judge, kinds: Kinds
) -> list[Item]:
    hidden_by, deleted = fates.hidden_by, fates.deleted
    items: list[Item] = []
    for index, entry in enumerate(layer.entries, first):
        until = hidden_by[index]
        owner, kind = judge.owner(entry, number), kinds.kind(entry)
        if until < 0:
            effective = entry.size_bytes if entry.kind == "file" else 0
            items.append(Item(entry, number, owner, kind, effective))
        else:
            items.append(Item(entry, number, owner, kind, 0, until, bool(deleted[index])))
    return items


def _documents(layers: Sequence[LayerContent], fates: Overlay) -> list[Document]:
    """Return the database files with the layers that they are in force in."""
    found: list[Document] = []
    first = 0
    for number, layer in enumerate(layers):
        kept = dict(layer.documents)
        for index, entry in enumerate(layer.entries, first) if kept else ():
            content = kept.get(entry.path)
            if content is None or entry.kind != "file":
                continue
            until = fates.hidden_by[index]
            until = FOREVER if until < 0 else until
            found.append(Document(entry.path, content, number, until))
        first += len(layer.entries)
    return found


def _rows(config: ImageConfig, count: int) -> Sequence[History]:
    """Return the row of the history for each layer.

    Rows of steps that made no layer are left out (image-spec, config.md). Some tools write fewer
    rows, or none; then nobody can tell which is whose.
    """
    rows = [row for row in config.history if not row.empty_layer]
    return rows if len(rows) == count else [History(created_by="", created="")] * count


def _sum(items: Sequence[Item]) -> Sizes:
    return Sizes(
        sum(item.entry.transfer_bytes for item in items),
        sum(item.entry.unpacked_bytes for item in items),
        sum(item.effective_bytes for item in items),
    )
