# SPDX-License-Identifier: Apache-2.0
"""The result of ``wheelship build``: JSON (docs/reference/schema/build.json) and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wheelship.build.context import BuiltImage, BuiltLayer
from wheelship.build.omission import Omission
from wheelship.plan.model import PythonRecipe
from wheelship.report.excess import excess_text
from wheelship.report.push import blobs_document, push_text
from wheelship.report.size import format_bytes
from wheelship.report.table import images_table, totals_of, totals_text
from wheelship.request.model import Excess
from wheelship.sink.model import Delivered

__all__ = ["BuildReport", "budget_excess", "build_document", "build_text"]

SCHEMA = "wheelship.build/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """One built image and where it went; ``phases`` are seconds by name, in order."""

    built: BuiltImage
    reference: str
    delivered: tuple[Delivered, ...]
    lock: str
    phases: tuple[tuple[str, float], ...]

    @property
    def seconds(self) -> float:
        """How long it took, all phases together."""
        return sum(seconds for _, seconds in self.phases)


def budget_excess(built: BuiltImage) -> tuple[Excess, ...]:
    """Return which limits of the budget ``built`` exceeds; empty when it is within."""
    return built.plan.budget.exceeded(
        transfer_bytes=built.image.transfer_bytes,
        unpacked_bytes=built.image.unpacked_bytes,
        layers=len(built.layers),
    )


def build_document(reports: list[BuildReport]) -> dict[str, Any]:
    """Return the JSON document of a build; sizes are bytes, times seconds."""
    totals = totals_of([report.built for report in reports])
    return {
        "schema": SCHEMA,
        "images": [_image(report) for report in reports],
        "totals": {
            "images": totals.images,
            "transfer_bytes": totals.transfer_bytes,
            "unique_transfer_bytes": totals.unique_transfer_bytes,
            "shared_transfer_bytes": totals.shared_transfer_bytes,
            "budget_ok": not any(budget_excess(report.built) for report in reports),
        },
    }


def _image(report: BuildReport) -> dict[str, Any]:
    built = report.built
    return {
        "variant": built.plan.variant,
        "platform": str(built.plan.platform),
        "reference": report.reference,
        "outputs": [one.output for one in report.delivered],
        "deliveries": [_delivery(one) for one in report.delivered],
        "digest": str(built.image.descriptor.digest),
        "transfer_bytes": built.image.transfer_bytes,
        "unpacked_bytes": built.image.unpacked_bytes,
        "seconds": round(report.seconds, 3),
        "phases": {name: round(seconds, 3) for name, seconds in report.phases},
        "lock": report.lock,
        "bytecode": _bytecode(built),
        "by_kind": _by_kind(built),
        "layers": [_layer(layer) for layer in built.layers],
        "omitted": [
            {
                "package": one.package,
                "version": one.version,
                "pattern": one.pattern,
                "files": one.files,
                "bytes": one.size_bytes,
            }
            for one in built.omitted
        ],
        "budget": _budget(built),
    }


def _bytecode(built: BuiltImage) -> dict[str, str | None]:
    """Return whether the image has bytecode; a lack that nobody asked for has its reason."""
    recipes = (layer.recipe for layer in built.plan.layers)
    made = any(isinstance(one, PythonRecipe) and one.maker is not None for one in recipes)
    reason = built.plan.bytecode_left_out
    return {"state": "left-out" if reason else "all" if made else "none", "reason": reason}


def _delivery(one: Delivered) -> dict[str, Any]:
    return {
        "output": one.output,
        "platforms": [str(platform) for platform in one.platforms],
        "method": one.method,
        "reference": one.reference,
        "moved_bytes": one.moved_bytes,
        "detail": one.detail,
        "references": list(one.references or (one.reference,)),
        "digest": None if one.digest is None else str(one.digest),
        "blobs": blobs_document(one.blobs),
    }


def _by_kind(built: BuiltImage) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for one in built.layers:
        row = sums.setdefault(one.kind, {"transfer_bytes": 0, "unpacked_bytes": 0, "layers": 0})
        row["transfer_bytes"] += one.layer.descriptor.size_bytes
        row["unpacked_bytes"] += one.layer.unpacked_bytes
        row["layers"] += 1
    return sums


def _layer(one: BuiltLayer) -> dict[str, Any]:
    return {
        "title": one.layer.title,
        "kind": one.kind,
        "digest": str(one.layer.descriptor.digest),
        "diff_id": str(one.layer.diff_id),
        "transfer_bytes": one.layer.descriptor.size_bytes,
        "unpacked_bytes": one.layer.unpacked_bytes,
        "packages": [
            {"name": package.name, "version": package.version, "type": package.type}
            for package in one.layer.packages
        ],
        "reused": one.reused,
    }


def _budget(built: BuiltImage) -> dict[str, Any]:
    budget = built.plan.budget
    return {
        "limit_bytes": budget.transfer_bytes,
        "unpacked_limit_bytes": budget.unpacked_bytes,
        "layers_limit": budget.layers,
        "ok": not budget_excess(built),
    }


def build_text(reports: list[BuildReport]) -> str:
    """Return the summary for a terminal: of one image a block, of several a table first."""
    if len(reports) < 2:  # noqa: PLR2004 - a table compares
        return "\n".join(_block(report) for report in reports)
    rows = [(one.built, one.seconds) for one in reports]
    lines = [*images_table(rows), totals_text(totals_of([built for built, _ in rows]))]
    for reference in dict.fromkeys(one.reference for one in reports):
        lines += _shared_block([one for one in reports if one.reference == reference])
    return "\n".join(lines)


def _shared_block(reports: list[BuildReport]) -> list[str]:
    """Return the lines on one reference; its platforms share what was delivered."""
    delivered = dict.fromkeys(one for report in reports for one in report.delivered)
    return [
        reports[0].reference,
        *(f"  {one.built.plan.platform}  {one.built.image.descriptor.digest}" for one in reports),
        *(f"  lock: {lock}" for lock in dict.fromkeys(one.lock for one in reports)),
        *(_delivery_text(one) + _only(one, len(reports)) for one in delivered),
        *(f"  budget of {one.built.plan.platform}: {_verdict(one.built)}" for one in reports),
    ]


def _only(one: Delivered, platforms: int) -> str:
    """Return which platform is there, when it is not all of them."""
    return f" ({one.platforms[0]} only)" if len(one.platforms) < platforms else ""


def _block(report: BuildReport) -> str:
    built = report.built
    reused = sum(one.reused for one in built.layers)
    lines = [
        f"{report.reference}  {built.plan.platform}  {built.image.descriptor.digest}",
        (
            f"  transfer {format_bytes(built.image.transfer_bytes)}, "
            f"unpacked {format_bytes(built.image.unpacked_bytes)}, "
            f"{len(built.layers)} layers ({reused} reused), {report.seconds:.2f} s"
        ),
    ]
    for kind, row in _by_kind(built).items():
        lines.append(
            f"    {kind:<12} {format_bytes(row['transfer_bytes']):>10} transfer "
            f"{format_bytes(row['unpacked_bytes']):>10} unpacked  {row['layers']:>3} layers"
        )
    lines += map(_omission, built.omitted)
    lines.append(f"  lock: {report.lock}")
    lines += map(_delivery_text, report.delivered)
    lines.append("  budget: " + _verdict(built))
    return "\n".join(lines)


def _omission(one: Omission) -> str:
    size = "" if one.size_bytes is None else f", {one.files} files, {format_bytes(one.size_bytes)}"
    return f"  omitted: {one.pattern} of {one.package} {one.version}{size}"


def _delivery_text(one: Delivered) -> str:
    if one.method == "written":
        return f"  wrote {one.output}"
    if one.method == "pushed":
        return "  pushed " + push_text(one)
    if one.method == "present":
        return f"  in {one.output} already, as {one.reference}"
    how = f"{one.method} {format_bytes(one.moved_bytes)}"
    return f"  in {one.output} as {one.reference}, {how}" + (
        f": {one.detail}" if one.detail else ""
    )


def _verdict(built: BuiltImage) -> str:
    excess = budget_excess(built)
    if excess:
        return "BROKEN: " + "; ".join(map(excess_text, excess))
    limit = built.plan.budget.transfer_bytes
    if limit is None:
        return "none set"
    share = 100 * built.image.transfer_bytes / limit
    return f"ok, {share:.0f} % of {format_bytes(limit)} transfer"
