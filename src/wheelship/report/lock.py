# SPDX-License-Identifier: Apache-2.0
"""The result of ``wheelship lock``: JSON (docs/reference/schema/lock.json) and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wheelship.build.locks import VariantLocked
from wheelship.lock.change import LockChange, PackageChange
from wheelship.report.size import format_bytes

__all__ = ["lock_document", "lock_text"]

SCHEMA = "wheelship.lock/1"
_MOST_PARENTS = 3


def lock_document(variants: Mapping[str, VariantLocked], *, written: bool) -> dict[str, Any]:
    """Return the JSON document; sizes are bytes of the files that are fetched."""
    return {
        "schema": SCHEMA,
        "written": written,
        "variants": {
            name: {**_change(one.wheels), "base": _change(one.base)}
            for name, one in variants.items()
        },
    }


def _change(change: LockChange) -> dict[str, Any]:
    return {
        "added": [_package(one) for one in change.added],
        "removed": [_package(one) for one in change.removed],
        "changed": [_package(one) for one in change.changed],
        "bytes": {
            platform: {"before": before, "after": after}
            for platform, (before, after) in change.bytes.items()
        },
    }


def _package(one: PackageChange) -> dict[str, Any]:
    return {
        "name": one.name,
        "old": one.old,
        "new": one.new,
        "direct": one.direct,
        "via": list(one.via),
        "growth_bytes": dict(one.growth_bytes),
    }


def lock_text(variants: Mapping[str, VariantLocked]) -> str:
    """Return the summary for a terminal: per variant what changed, why, and what it weighs."""
    lines: list[str] = []
    for name, one in variants.items():
        same = not one.wheels and not one.base
        lines.append(f"{name}: nothing changed" if same else f"{name}:")
        lines += _lines(one.wheels, reasons=True)
        if one.base:
            lines += _base(one.base)
        if not same:
            lines += _totals(one)
    return "".join(f"{line}\n" for line in lines)


def _lines(change: LockChange, *, reasons: bool) -> Iterator[str]:
    for sign, packages in (("+", change.added), ("-", change.removed), ("~", change.changed)):
        for one in packages:
            versions = " → ".join(text for text in (one.old, one.new) if text is not None)
            why = f"  ({_reason(one)})" if reasons else ""
            named = f"{one.name} {versions}".rstrip()  # a directory may have no version yet
            yield f"  {sign} {named}{why}{_growth(one)}"


def _base(change: LockChange) -> Iterator[str]:
    """Yield what changed below the wheels; of a base that is new, only how much it is."""
    if all(before is None for before, _ in change.bytes.values()):
        yield f"  base: {len(change.packages)} packages"
        return
    yield "  base:"
    yield from (f"  {line}" for line in _lines(change, reasons=False))


def _reason(one: PackageChange) -> str:
    if one.direct or not one.via:
        return "direct"
    further = len(one.via) - _MOST_PARENTS
    more = f" and {further} more" if further > 0 else ""
    return f"via {', '.join(one.via[:_MOST_PARENTS])}{more}"


def _growth(one: PackageChange) -> str:
    """Return what the package's file grew by, once where all platforms agree."""
    grown = {platform: size for platform, size in one.growth_bytes.items() if size}
    if not grown:
        return ""
    if len(grown) == len(one.growth_bytes) and len(set(grown.values())) == 1:
        return f"  {_signed(next(iter(grown.values())))}"
    parts = (f"{_signed(size)} on {platform}" for platform, size in grown.items())
    return f"  {', '.join(parts)}"


def _totals(one: VariantLocked) -> Iterator[str]:
    """Yield one line per platform: what the files of the image weigh now, and weighed before."""
    for platform in sorted({*one.wheels.bytes, *one.base.bytes}):
        parts = [part.bytes.get(platform, (0, 0)) for part in (one.wheels, one.base)]
        now = sum(after for _, after in parts)
        before = [size for size, _ in parts]
        if None in before:
            yield f"  {platform}: {format_bytes(now)} to download"
            continue
        growth = now - sum(size for size in before if size is not None)
        word = "grows" if growth > 0 else "shrinks"
        verdict = f"image {word} by {format_bytes(abs(growth))}" if growth else "image as large"
        yield f"  {platform}: {verdict}, {format_bytes(now)} to download"


def _signed(size: int) -> str:
    return f"{'+' if size > 0 else '-'}{format_bytes(abs(size))}"
