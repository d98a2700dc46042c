# SPDX-License-Identifier: Apache-2.0
"""An inspected image as a JSON document (docs/reference/schema/inspect.json)."""

from __future__ import annotations

import heapq
from typing import Any

from wheelship.inspect.group import Row, by_path
from wheelship.inspect.model import Finding, Inspection, Item, LayerView, Owner, Sizes
from wheelship.report.inspection_view import InspectionView
from wheelship.report.printable import well_formed

__all__ = ["SCHEMA", "inspection_document"]

SCHEMA = "wheelship.inspect/1"
_DEPTH = 3
_FILES = 100


def inspection_document(
    inspection: Inspection, *, depth: int = _DEPTH, files: int = _FILES
) -> dict[str, Any]:
    """Return the JSON document; sizes are bytes, transfer sizes null where nothing tells them.

    ``layers`` and ``documents`` add up to ``sizes``, and so do ``owners``, ``kinds`` and
    ``directories``, whose paths have at most ``depth`` parts. Of ``largest_files``, and of the
    paths of each finding, there are at most ``files``.
    """
    view = InspectionView(inspection)
    contents = inspection.contents
    written = _Writer(known=contents.transfer_known)
    rows = dict(view.layers)
    directories = by_path(contents, depth)
    counts = dict(view.counted_by_others)
    return {
        "schema": SCHEMA,
        "reference": well_formed(contents.reference),
        "digest": None if contents.digest is None else str(contents.digest),
        "platform": str(contents.config.platform),
        "created": contents.config.created,
        "expectation": {
            "accelerator": inspection.expectation.accelerator,
            "gpu_targets": list(inspection.expectation.gpu_targets),
        },
        "transfer_known": contents.transfer_known,
        "files": view.files,
        "sizes": written.sizes(contents.sizes),
        "hidden": written.sizes(view.hidden),
        "counted_by_others": {
            "docker_images_bytes": counts["docker images"],
            "skopeo_layers_bytes": counts["skopeo inspect"],
            "du_files_bytes": counts["du"],
        },
        "documents": written.sizes(rows[-1].sizes if -1 in rows else Sizes()),
        "layers": [written.layer(layer) for layer in contents.layers],
        "owners": [written.owner(owner, row) for owner, row in view.owners],
        "kinds": [written.row({"kind": row.key}, row) for row in view.kinds],
        "directories": [
            written.row({"path": well_formed(path)}, row) for path, row in directories.items()
        ],
        "largest_files": [written.file(item) for item in _largest(inspection, files)],
        "waste": [written.finding(one, files) for one in view.findings],
    }


def _largest(inspection: Inspection, count: int) -> list[Item]:
    files = (item for item in inspection.contents.items if item.entry.kind == "file")
    return heapq.nsmallest(
        count, files, key=lambda item: (-item.entry.unpacked_bytes, item.entry.path, item.layer)
    )


class _Writer:
    """Writes what has sizes; without compressed layers there are no transfer sizes."""

    def __init__(self, *, known: bool) -> None:
        self._known = known

    def sizes(self, sizes: Sizes) -> dict[str, int | None]:
        return {
            "transfer_bytes": sizes.transfer if self._known else None,
            "unpacked_bytes": sizes.unpacked,
            "effective_bytes": sizes.effective,
        }

    def row(self, named: dict[str, Any], row: Row) -> dict[str, Any]:
        return {**named, "files": row.files, **self.sizes(row.sizes)}

    def owner(self, owner: Owner, row: Row) -> dict[str, Any]:
        return self.row(_owner(owner), row)

    def layer(self, layer: LayerView) -> dict[str, Any]:
        return {
            "digest": str(layer.digest),
            "diff_id": str(layer.diff_id),
            "media_type": layer.media_type,
            "created_by": well_formed(layer.created_by),
            "files": layer.files,
            **self.sizes(layer.sizes),
        }

    def file(self, item: Item) -> dict[str, Any]:
        return {
            "path": well_formed(item.entry.path),
            "layer": item.layer,
            "owner": _owner(item.owner),
            "kind": item.kind,
            "hidden_by": item.hidden_by,
            "deleted": item.deleted,
            **self.sizes(item.sizes),
        }

    def finding(self, one: Finding, paths: int) -> dict[str, Any]:
        return {
            "code": one.code,
            "title": well_formed(one.title),
            "reason": well_formed(one.reason),
            "fix": well_formed(one.fix),
            "estimate": one.estimate,
            **self.sizes(one.sizes),
            "paths": [well_formed(path) for path in one.paths[:paths]],
            "path_count": one.place_count,
        }


def _owner(owner: Owner) -> dict[str, str]:
    return {
        "type": owner.type,
        "name": well_formed(owner.name),
        "version": well_formed(owner.version),
    }
