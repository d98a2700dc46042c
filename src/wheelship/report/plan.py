# SPDX-License-Identifier: Apache-2.0
"""A plan before it is built: layers, their packages, and which of them the store has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wheelship.build.execute import find_layer
from wheelship.build.omission import omissions
from wheelship.build.prepare import Prepared
from wheelship.plan.model import LayerPlan
from wheelship.report.size import format_bytes
from wheelship.store.store import Store

__all__ = ["plan_document", "plan_text"]

SCHEMA = "wheelship.plan/1"


def plan_document(prepared: Sequence[Prepared], store: Store) -> dict[str, Any]:
    """Return the plans as a JSON document; sizes (bytes) are known for layers in the store."""
    return {"schema": SCHEMA, "images": [_image(one, store) for one in prepared]}


def _image(prepared: Prepared, store: Store) -> dict[str, Any]:
    plan = prepared.plan
    return {
        "variant": plan.variant,
        "platform": str(plan.platform),
        "user": plan.run.user,
        "env": dict(plan.run.env),
        "entrypoint": list(plan.run.entrypoint),
        "command": list(plan.run.command),
        "lock": prepared.lock,
        "layers": [_layer(layer, store) for layer in plan.layers],
        "omitted": [
            {"package": one.package, "version": one.version, "pattern": one.pattern}
            for one in omissions(plan, store)
        ],
    }


def _layer(layer: LayerPlan, store: Store) -> dict[str, Any]:
    record = find_layer(layer, store)
    return {
        "title": layer.title,
        "kind": layer.kind,
        "key": str(layer.key),
        "stored": store.find_layer(layer.key) is not None,
        "transfer_bytes": record.size_bytes if record else None,
        "unpacked_bytes": record.unpacked_bytes if record else None,
        "packages": [
            {"name": one.name, "version": one.version, "type": one.type} for one in layer.packages
        ],
    }


def plan_text(prepared: Sequence[Prepared], store: Store) -> str:
    """Return the plans as lines for a terminal."""
    lines: list[str] = []
    for one in prepared:
        plan = one.plan
        lines.append(f"{plan.name}:{plan.variant}  {plan.platform}  lock: {one.lock}")
        for layer in plan.layers:
            record = find_layer(layer, store)
            size = "to do" if record is None else format_bytes(record.size_bytes)
            lines.append(f"  {layer.kind:<12} {size:>10}  {layer.title}")
        lines += [
            f"  omitted: {one.pattern} of {one.package} {one.version}"
            for one in omissions(plan, store)
        ]
        lines += [f"  env {name}={value}" for name, value in plan.run.env]
        lines.append(f"  user {plan.run.user}, command {' '.join(plan.run.command)}")
    return "\n".join(lines)
