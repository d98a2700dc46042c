# SPDX-License-Identifier: Apache-2.0
"""The result of ``wheelship compare``: JSON (docs/reference/schema/compare.json)."""

from __future__ import annotations

from typing import Any

from wheelship.compare.comparison import Comparison
from wheelship.compare.difference import Difference, LayerChange, OwnerChange
from wheelship.compare.gate import Breach
from wheelship.compare.summary import Summary
from wheelship.inspect.model import Sizes

__all__ = ["comparison_document"]

SCHEMA = "wheelship.compare/1"


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the JSON document; sizes are bytes, transfer sizes null where they are not known."""
    return {
        "schema": SCHEMA,
        "ok": not comparison.breaches,
        "baseline": comparison.baseline,
        "images": [_image(one) for one in comparison.images],
        "unique_transfer_bytes": comparison.unique_transfer_bytes,
        "differences": [_difference(one) for one in comparison.differences],
        "unmatched": [_name(one) for one in comparison.unmatched],
        "broken": [_breach(one) for one in comparison.breaches],
    }


def _name(image: Summary) -> dict[str, Any]:
    return {
        "reference": image.reference,
        "variant": image.variant,
        "platform": str(image.platform),
        "digest": None if image.digest is None else str(image.digest),
    }


def _image(image: Summary) -> dict[str, Any]:
    return {
        **_name(image),
        **_sizes(image.sizes, transfer=image.transfer_known),
        "layers": len(image.layers),
        "packages": image.packages,
    }


def _sizes(sizes: Sizes, *, transfer: bool) -> dict[str, int | None]:
    return {
        "transfer_bytes": sizes.transfer if transfer else None,
        "unpacked_bytes": sizes.unpacked,
        "effective_bytes": sizes.effective,
    }


def _difference(one: Difference) -> dict[str, Any]:
    known = one.before.transfer_known and one.after.transfer_known
    return {
        "before": _name(one.before),
        "after": _name(one.after),
        **_sizes(one.sizes, transfer=known),
        "pull": None
        if one.pull is None
        else {"transfer_bytes": one.pull.transfer_bytes, "layers": one.pull.layers},
        "shared_layers": one.shared_layers,
        "owners": [
            {**_owner(change), **_both(one, change.before, change.after)}
            for change in one.owners
            if change.how != "same"
        ],
        "kinds": [
            {"kind": change.name, **_both(one, change.before, change.after)} for change in one.kinds
        ],
        "layers": [
            {**_layer(change), **_both(one, change.before, change.after)} for change in one.layers
        ],
    }


def _both(one: Difference, before: Sizes, after: Sizes) -> dict[str, Any]:
    return {
        "before": _sizes(before, transfer=one.before.transfer_known),
        "after": _sizes(after, transfer=one.after.transfer_known),
    }


def _owner(change: OwnerChange) -> dict[str, Any]:
    return {
        "type": change.type,
        "name": change.name,
        "how": change.how,
        "old": list(change.old),
        "new": list(change.new),
    }


def _layer(change: LayerChange) -> dict[str, Any]:
    return {"digest": str(change.digest), "created_by": change.name, "how": change.how}


def _breach(one: Breach) -> dict[str, Any]:
    of_layers = one.what == "layers"
    known = one.image.transfer_known
    before_known = one.reference is None or one.reference.transfer_known
    numbers = {"actual": one.actual, "limit": one.limit, "before": one.before}
    return {
        **_name(one.image),
        "rule": one.rule,
        "what": one.what,
        **{f"{name}_bytes": None if of_layers else value for name, value in numbers.items()},
        **{f"{name}_layers": value if of_layers else None for name, value in numbers.items()},
        "percent": None if one.percent is None else float(one.percent),
        "grown": one.grown,
        "owners": [
            {
                **_owner(change),
                "before": _sizes(change.before, transfer=before_known),
                "after": _sizes(change.after, transfer=known),
            }
            for change in one.owners
        ],
        "layers": [
            {**_layer(change), "unpacked_bytes": change.after.unpacked} for change in one.layers
        ],
    }
