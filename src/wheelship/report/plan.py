# SPDX-License-Identifier: Apache-2.0
"""A plan before it is built, as a JSON document (docs/reference/schema/plan.json)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wheelship.report.forecast import Size, Total
from wheelship.report.plan_view import ImageView, LayerView, PackageView, sharing

__all__ = ["plan_document"]

SCHEMA = "wheelship.plan/1"


def plan_document(views: Sequence[ImageView]) -> dict[str, Any]:
    """Return the JSON document; sizes are bytes, null where nothing tells them yet."""
    common = sharing(views)
    return {
        "schema": SCHEMA,
        "images": [_image(view) for view in views],
        "shared": {"layers": common.layers, "saved": _total(common.saved)},
    }


def _image(view: ImageView) -> dict[str, Any]:
    plan, run, variant = view.plan, view.plan.run, view.prepared.variant
    return {
        "variant": plan.variant,
        "platform": str(plan.platform),
        "reference": view.reference,
        "accelerator": variant.accelerator.value,
        "user": run.user,
        "env": dict(run.env),
        "environment": [
            {"name": one.name, "value": one.value, "origin": one.origin, "replaces": one.replaces}
            for one in view.variables
        ],
        "entrypoint": list(run.entrypoint),
        "command": list(run.command),
        "stop_signal": run.stop_signal or None,
        "workdir": run.workdir,
        "ports": list(run.ports),
        "writable": list(run.volumes),
        "labels": dict(run.labels),
        "health": None if run.healthcheck is None else _health(view),
        "lock": view.prepared.lock,
        "layers": [_layer(layer) for layer in view.layers],
        "omitted": _omitted(view),
        "total": _total(view.total),
        "download": {
            "files": len(view.missing),
            "bytes": sum(one.size_bytes for one in view.missing),
            "unknown": sum(not one.size_bytes for one in view.missing),
        },
        "budget": _budget(view),
        "left_out": {
            "packages": list(variant.exclude_packages),
            "bytecode": variant.bytecode == "none" or plan.bytecode_left_out is not None,
        },
        "waived": [
            {"kind": kind, "package": one.package, "version": one.version, "reason": one.reason}
            for kind, waivers in (
                ("script", variant.waive_scripts),
                ("record", variant.waive_record),
            )
            for one in waivers
        ],
        "run": {
            "docker": view.hint.docker,
            "compose": list(view.hint.compose),
            "kubernetes": list(view.hint.kubernetes),
            "needs": view.hint.needs,
            "driver": None if view.hint.driver is None else asdict(view.hint.driver),
        },
    }


def _omitted(view: ImageView) -> list[dict[str, str]]:
    versions = {
        one.package.name: one.package.version for layer in view.layers for one in layer.packages
    }
    return [
        {"package": name, "version": versions[name], "pattern": pattern}
        for name, patterns in sorted(pair for layer in view.layers for pair in layer.omitted)
        for pattern in patterns
    ]


def _health(view: ImageView) -> dict[str, Any]:
    health = view.prepared.variant.health
    assert health is not None  # noqa: S101 - the probe is made of it
    return {
        "path": health.path,
        "port": health.port,
        "interval_seconds": health.interval_seconds,
        "timeout_seconds": health.timeout_seconds,
        "start_period_seconds": health.start_period_seconds,
        "retries": health.retries,
    }


def _layer(layer: LayerView) -> dict[str, Any]:
    one = layer.forecast
    return {
        "title": one.plan.title,
        "kind": one.plan.kind,
        "key": str(one.plan.key),
        "stored": one.state in ("stored", "empty"),
        "state": one.state,
        "digest": None if one.digest is None else str(one.digest),
        "transfer_bytes": None if one.transfer is None else one.transfer.bytes,
        "unpacked_bytes": None if one.unpacked is None else one.unpacked.bytes,
        "estimate": not all(
            size is not None and size.exact for size in (one.transfer, one.unpacked)
        ),
        "download_bytes": sum(file.size_bytes for file in one.missing),
        "packages": [_package(package) for package in layer.packages],
    }


def _package(one: PackageView) -> dict[str, Any]:
    return {
        "name": one.package.name,
        "version": one.package.version,
        "type": one.package.type,
        "size_bytes": one.size_bytes,
        "via": None if one.via is None else list(one.via),
    }


def _total(sums: Total) -> dict[str, Any]:
    return {
        "transfer_bytes": sums.transfer.bytes,
        "unpacked_bytes": sums.unpacked.bytes,
        "estimate": _is_estimate(sums.transfer, sums.transfer_unknown)
        or _is_estimate(sums.unpacked, sums.unpacked_unknown),
        "transfer_unknown_layers": sums.transfer_unknown,
        "unpacked_unknown_layers": sums.unpacked_unknown,
    }


def _is_estimate(size: Size, unknown: int) -> bool:
    return unknown > 0 or not size.exact


def _budget(view: ImageView) -> dict[str, Any]:
    limits = view.plan.budget
    return {
        "limit_bytes": limits.transfer_bytes,
        "unpacked_limit_bytes": limits.unpacked_bytes,
        "layers_limit": limits.layers,
        "ok": view.budget.ok,
        "estimate": view.budget.estimate,
        "over": list(view.budget.over),
    }
