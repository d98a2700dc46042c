# SPDX-License-Identifier: Apache-2.0
"""A plan as text for a terminal.

``~`` marks an estimate, ``?`` what nothing tells yet, and ``≥`` a sum that lacks some of it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from wheelship.report.forecast import Size, State
from wheelship.report.plan_view import ImageView, LayerView, PackageView, Sharing, sharing
from wheelship.report.size import format_bytes

__all__ = ["plan_text"]

_STATES: dict[State, str] = {
    "stored": "in store",
    "empty": "empty",
    "make": "to make",
    "fetch": "to fetch",
}
_MOST_VIA = 6  # the C library has two dozen
_ORIGINS = {
    "wheelship": "wheelship",
    "common": "common data",
    "accelerator": "{} data",
    "base": "base image",
    "project": "project",
}


def plan_text(views: Sequence[ImageView], *, packages: bool = False) -> str:
    """Return the plans as lines; with ``packages`` also each package and who asks for it."""
    blocks = ["\n".join(_image(view, packages=packages)) for view in views]
    if len(views) > 1:
        blocks.append("\n".join(_shared(sharing(views), len(views))))
    return "\n\n".join(blocks)


def _image(view: ImageView, *, packages: bool) -> Iterator[str]:
    plan = view.plan
    yield f"{view.reference}  {plan.platform}  lock: {view.prepared.lock}"
    yield ""
    yield f"  {'layer':<12} {'transfer':>10} {'unpacked':>10} {'packages':>8}  {'state':<8}  holds"
    for layer in view.layers:
        yield _layer(layer)
        if packages:
            yield from (_package(one) for one in layer.packages)
    yield from _totals(view)
    yield ""
    yield "  environment"
    width = max((len(f"{one.name}={one.value}") for one in view.variables), default=0)
    for one in view.variables:
        origin = _ORIGINS[one.origin].format(view.prepared.variant.accelerator.value)
        replaced = "" if one.replaces is None else f", instead of {one.replaces}"
        yield f"    {f'{one.name}={one.value}':<{width}}  {origin}{replaced}"
    yield ""
    yield "  runs"
    yield from (f"    {name:<10} {text}" for name, text in _runs(view))
    left_out = list(_left_out(view))
    if left_out:
        yield ""
        yield "  left out or waived"
        yield from (f"    {line}" for line in left_out)
    yield ""
    yield "  run it"
    yield f"    {view.hint.docker}"
    yield from (f"    compose:     {line}" for line in view.hint.compose)
    yield from (f"    kubernetes:  {line}" for line in view.hint.kubernetes)
    if view.hint.needs:
        yield f"    needs:       {view.hint.needs}"


def _layer(layer: LayerView) -> str:
    one = layer.forecast
    count = str(len(layer.packages) or "")
    return (
        f"  {one.plan.kind:<12} {_size(one.transfer):>10} {_size(one.unpacked):>10} {count:>8}"
        f"  {_STATES[one.state]:<8}  {one.plan.title}"
    )


def _package(one: PackageView) -> str:
    size = "" if one.size_bytes is None else format_bytes(one.size_bytes)
    via = "?" if one.via is None else ", ".join(one.via[:_MOST_VIA])
    if one.via is not None and len(one.via) > _MOST_VIA:
        via += f" and {len(one.via) - _MOST_VIA} more"
    name = f"{one.package.name} {one.package.version}"
    return (f"      {name:<36} {size:>10}" + (f"  via {via}" if via else "")).rstrip()


def _totals(view: ImageView) -> Iterator[str]:
    sums, layers = view.total, view.real_layers
    there = sum(one.forecast.state == "stored" for one in layers)
    yield (
        f"  {'total':<12} {_sum(sums.transfer, sums.transfer_unknown):>10}"
        f" {_sum(sums.unpacked, sums.unpacked_unknown):>10}"
        f" {sum(len(one.packages) for one in layers):>8}"
        f"  {len(layers)} layers, {there} in the store"
    )
    if sums.transfer_unknown or sums.unpacked_unknown:
        yield "  ? is known when the layer is made"
    bytes_ = sum(one.size_bytes for one in view.missing)
    files = len(view.missing)
    if files:
        more = " and more" if any(not one.size_bytes for one in view.missing) else ""
        yield f"  to download: at most {format_bytes(bytes_)}{more} in {files} files"
    else:
        yield "  to download: nothing"
    yield f"  budget: {_budget(view)}"


def _budget(view: ImageView) -> str:
    limits, budget = view.plan.budget, view.budget
    shown = [
        f"{format_bytes(limit)} {what}"
        for what, limit in (
            ("transfer", limits.transfer_bytes),
            ("unpacked", limits.unpacked_bytes),
        )
        if limit is not None
    ]
    shown += [] if limits.layers is None else [f"{limits.layers} layers"]
    if not shown:
        return "none set"
    limit = ", ".join(shown)
    guess = " by this estimate" if budget.estimate else ""
    if budget.over:
        return f"BROKEN{guess}: {', '.join(budget.over)} above {limit}"
    if budget.ok is None:
        return f"open: within {limit} as far as sizes are known"
    return f"ok{guess}: within {limit}"


def _runs(view: ImageView) -> Iterator[tuple[str, str]]:
    run, variant = view.plan.run, view.prepared.variant
    if run.entrypoint:
        yield "entrypoint", shlex.join(run.entrypoint)
    yield "command", shlex.join(run.command) or "none"
    if run.stop_signal:
        yield "stopped by", run.stop_signal
    yield "user", run.user
    yield "workdir", run.workdir
    yield "port", ", ".join(map(str, run.ports)) or "none"
    if variant.health is not None:
        one = variant.health
        probe = f"GET {one.path} on port {one.port} every {one.interval_seconds:g} s"
        patience = f"{one.retries} retries, {one.start_period_seconds:g} s to start"
        yield "health", f"{probe}, {one.timeout_seconds:g} s each, {patience}"
    else:
        yield "health", "no probe"
    yield "writable", ", ".join((*run.volumes, "/tmp"))  # noqa: S108 - the image's
    for name, value in run.labels:
        yield "label", f"{name}={' | '.join(value.splitlines())}"


def _left_out(view: ImageView) -> Iterator[str]:
    variant = view.prepared.variant
    if variant.exclude_packages:
        yield f"packages: {', '.join(variant.exclude_packages)} (exclude)"
    for layer in view.layers:
        for name, globs in layer.omitted:
            yield f"files of {name}: {' '.join(globs)} (omit)"
    if variant.bytecode == "none":
        yield 'bytecode: all of it (bytecode = "none"); every start compiles anew'
    if view.plan.bytecode_left_out is not None:
        yield f"bytecode: all of it: {view.plan.bytecode_left_out}"
    for kind, waivers in (("script", variant.waive_scripts), ("RECORD", variant.waive_record)):
        for one in waivers:
            named = f"{one.package} {one.version or ''}".rstrip()
            yield f"{kind} of {named} waived: {one.reason}"


def _shared(common: Sharing, images: int) -> Iterator[str]:
    saved = common.saved
    yield (
        f"{images} images share {common.layers} layers, which saves "
        f"{_sum(saved.transfer, saved.transfer_unknown)} transfer and "
        f"{_sum(saved.unpacked, saved.unpacked_unknown)} unpacked"
    )


def _size(size: Size | None) -> str:
    if size is None:
        return "?"
    return ("" if size.exact else "~") + format_bytes(size.bytes)


def _sum(size: Size, unknown: int) -> str:
    """Return a sum; one that lacks layers is the least that it can be, as far as is known."""
    return f"≥{format_bytes(size.bytes)}" if unknown else _size(size)
