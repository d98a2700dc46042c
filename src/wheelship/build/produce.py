# SPDX-License-Identifier: Apache-2.0
"""Makes layers that the store does not have, several at a time; the first failure ends all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

from wheelship.archive.errors import ContentMismatch
from wheelship.archive.layer import LayerWriter
from wheelship.build.context import BuildContext
from wheelship.build.errors import Cancelled
from wheelship.build.omission import count_omissions
from wheelship.build.realize import layer_entries
from wheelship.build.shelf import WheelShelf
from wheelship.build.wheels import owner_of
from wheelship.build.workshop import Workshop
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.events import Advanced, Finished, Started
from wheelship.lock.model import LockedWheel
from wheelship.oci.digest import Digest
from wheelship.plan.model import (
    BaseRecipe,
    BytecodeRecipe,
    LayerPlan,
    PythonRecipe,
    WheelsRecipe,
)
from wheelship.store.store import LayerRecord

__all__ = ["make_layers"]

_DAMAGED = "the package is malformed: report it to its maintainers and choose another version"


def make_layers(
    layers: list[LayerPlan],
    context: BuildContext,
    checks: Sequence[Callable[[WheelShelf], None]] = (),
) -> dict[Digest, LayerRecord]:
    """Make ``layers``, the longest first, beside ``checks``; the first failure cancels the rest."""
    context.artifacts.prefetch(_needed(layers))
    cancelled = Event()
    workshop = Workshop(context)
    pool = ThreadPoolExecutor(context.jobs, thread_name_prefix="layer")
    ordered = sorted(layers, key=_cost, reverse=True)
    futures: dict[Digest, Future[LayerRecord]] = {}
    try:
        waiting: list[Future[Any]] = [pool.submit(check, workshop.shelf) for check in checks]
        for layer in ordered:
            if layer.key not in futures:
                futures[layer.key] = pool.submit(_one, layer, context, workshop, cancelled)
        waiting += futures.values()
        done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        failures = [error for one in done if (error := one.exception()) is not None]
        for error in failures:
            if not isinstance(error, Cancelled):
                raise error
        return {key: future.result() for key, future in futures.items()}
    except BaseException:
        context.artifacts.abandon()
        raise
    finally:
        cancelled.set()
        pool.shutdown(cancel_futures=True)
        workshop.close()


def _one(
    layer: LayerPlan, context: BuildContext, workshop: Workshop, cancelled: Event
) -> LayerRecord:
    emit, store = context.emit, context.store
    emit(Started("layer", layer.title))

    def advance(count: int) -> None:
        if cancelled.is_set():
            raise Cancelled("another layer failed")
        emit(Advanced("layer", layer.title, count))

    with (
        layer_entries(layer.recipe, context, workshop) as entries,
        store.work_file() as (stream, path),
    ):
        writer = LayerWriter(stream, advance)
        empty = True
        try:
            for entry in entries:
                writer.add(entry)
                empty = False
        except ContentMismatch as error:
            raise _named(error, layer, workshop) from error
        if empty:
            record = store.put_layer(layer.key, None, None)
        else:
            finished = writer.finish()
            stream.flush()
            record = store.put_layer(layer.key, path, finished)
    if isinstance(layer.recipe, WheelsRecipe) and layer.recipe.omit:
        count_omissions(layer.recipe, workshop.shelf, store)
    emit(Finished("layer", layer.title, "done"))
    return record


def _named(error: ContentMismatch, layer: LayerPlan, workshop: Workshop) -> ContentMismatch:
    """Return ``error`` with the package it is about: a layer may hold dozens of wheels."""
    title = layer.title
    if isinstance(layer.recipe, WheelsRecipe) and error.where:
        owner = owner_of(layer.recipe, workshop.shelf, error.where)
        title = title if owner is None else f"{owner.name} {owner.version}"
    return ContentMismatch(error.message, where=f"{title}: {error.where}", hint=_DAMAGED)


def _needed(layers: list[LayerPlan]) -> list[LockedWheel | LockedPackage]:
    """Return the files that making ``layers`` will ask for, largest first."""
    files: dict[str, LockedWheel | LockedPackage] = {}
    for layer in layers:
        recipe = layer.recipe
        if isinstance(recipe, WheelsRecipe):
            files |= {wheel.sha256: wheel for wheel in recipe.wheels}
        elif isinstance(recipe, BytecodeRecipe):
            files |= {wheel.sha256: wheel for wheel in recipe.wheels.wheels}
        elif isinstance(recipe, BaseRecipe | PythonRecipe) and isinstance(recipe.lock, DebianLock):
            files |= {package.sha256: package for package in recipe.lock.packages}
    return sorted(files.values(), key=lambda file: -file.size_bytes)


def _cost(layer: LayerPlan) -> int:
    """Estimate the work in a layer, in bytes of wheels that would be spliced in the same time.

    Splicing does about 130 MB a second, compiling 4 MB of compressed sources, and the base is
    unpacked and compressed anew. What takes long has to begin early, or it ends alone.
    """
    recipe = layer.recipe
    if isinstance(recipe, WheelsRecipe):
        return sum(wheel.size_bytes for wheel in recipe.wheels)
    if isinstance(recipe, BytecodeRecipe):
        return 4 * sum(min(wheel.size_bytes, 50_000_000) for wheel in recipe.wheels.wheels)
    if isinstance(recipe, BaseRecipe):
        return 16 * sum(one.size_bytes for one in recipe.lock.packages if one.group == recipe.group)
    return 300_000_000 if isinstance(recipe, PythonRecipe) else 10_000_000
