# SPDX-License-Identifier: Apache-2.0
"""Executes a plan: what the store has is reused, the rest is made in parallel, then assembled."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event

from wheelship.archive.layer import LayerWriter
from wheelship.build.conflict import check_conflicts
from wheelship.build.context import BuildContext, BuiltImage, BuiltLayer, Cancelled
from wheelship.build.realize import layer_entries
from wheelship.build.workshop import Workshop
from wheelship.debian.lock import LockedPackage
from wheelship.events import Advanced, Finished, Started
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import History, ImageConfig
from wheelship.oci.descriptor import LAYER_GZIP, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image, Layer
from wheelship.plan.model import (
    BaseRecipe,
    BytecodeRecipe,
    ImagePlan,
    LayerPlan,
    PythonRecipe,
    WheelsRecipe,
)
from wheelship.store.store import LayerRecord

__all__ = ["build_image"]


def build_image(plan: ImagePlan, context: BuildContext) -> BuiltImage:
    """Build ``plan``; nothing is fetched or opened for layers that the store holds.

    Raises:
        WheelshipError: the first failure; work not yet begun is dropped, nothing half-written
            keeps its final name.
    """
    began = time.monotonic()
    store = context.store
    found = {layer.key: store.find_layer(layer.key) for layer in plan.layers}
    missing = [layer for layer in plan.layers if found[layer.key] is None]
    records = {key: record for key, record in found.items() if record is not None}
    if missing:
        records |= _make(missing, context)
    image = _assemble(plan, records)
    check_conflicts(plan, records, store)
    reused = {layer.key for layer in plan.layers} - {layer.key for layer in missing}
    layers = [
        BuiltLayer(layer=_layer(one, records[one.key]), kind=one.kind, reused=one.key in reused)
        for one in plan.layers
        if records[one.key].digest is not None
    ]
    return BuiltImage(
        plan=plan, image=image, layers=tuple(layers), seconds=time.monotonic() - began
    )


def _make(layers: list[LayerPlan], context: BuildContext) -> dict[Digest, LayerRecord]:
    """Make ``layers``, the longest first; the first failure cancels the rest."""
    context.artifacts.prefetch(_needed(layers, context))
    cancelled = Event()
    workshop = Workshop(context)
    pool = ThreadPoolExecutor(context.jobs, thread_name_prefix="layer")
    ordered = sorted(layers, key=_cost, reverse=True)
    futures: dict[Digest, Future[LayerRecord]] = {}
    try:
        for layer in ordered:
            if layer.key not in futures:
                futures[layer.key] = pool.submit(_one, layer, context, workshop, cancelled)
        done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        failures = [error for one in done if (error := one.exception()) is not None]
        for error in failures:
            if not isinstance(error, Cancelled):
                raise error
        return {key: future.result() for key, future in futures.items()}
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
        for entry in entries:
            writer.add(entry)
            empty = False
        if empty:
            record = store.put_layer(layer.key, None, None)
        else:
            finished = writer.finish()
            stream.flush()
            record = store.put_layer(layer.key, path, finished)
    emit(Finished("layer", layer.title, "done"))
    return record


def _needed(layers: list[LayerPlan], context: BuildContext) -> list[LockedWheel | LockedPackage]:
    """Return the files that making ``layers`` will ask for, largest first."""
    del context
    files: dict[str, LockedWheel | LockedPackage] = {}
    for layer in layers:
        recipe = layer.recipe
        if isinstance(recipe, WheelsRecipe):
            files |= {wheel.sha256: wheel for wheel in recipe.wheels}
        elif isinstance(recipe, BytecodeRecipe):
            files |= {wheel.sha256: wheel for wheel in recipe.wheels.wheels}
        elif isinstance(recipe, BaseRecipe | PythonRecipe):
            files |= {package.sha256: package for package in recipe.lock.packages}
    return sorted(files.values(), key=lambda file: -file.size_bytes)


def _cost(layer: LayerPlan) -> int:
    """Estimate the work in a layer: compiling a wheel takes longer than splicing it."""
    recipe = layer.recipe
    if isinstance(recipe, WheelsRecipe):
        return sum(wheel.size_bytes for wheel in recipe.wheels)
    if isinstance(recipe, BytecodeRecipe):
        return 4 * sum(min(wheel.size_bytes, 50_000_000) for wheel in recipe.wheels.wheels)
    return 10_000_000


def _layer(plan: LayerPlan, record: LayerRecord) -> Layer:
    assert record.digest is not None  # noqa: S101 - callers leave empty layers out
    assert record.diff_id is not None  # noqa: S101 - it goes with the digest
    return Layer(
        descriptor=Descriptor(
            media_type=LAYER_GZIP, digest=record.digest, size_bytes=record.size_bytes
        ),
        diff_id=record.diff_id,
        unpacked_bytes=record.unpacked_bytes,
        title=plan.title,
        packages=plan.packages,
    )


def _assemble(plan: ImagePlan, records: dict[Digest, LayerRecord]) -> Image:
    layers = tuple(
        _layer(layer, records[layer.key])
        for layer in plan.layers
        if records[layer.key].digest is not None
    )
    run = plan.run
    config = ImageConfig(
        platform=plan.platform,
        diff_ids=tuple(layer.diff_id for layer in layers),
        created=plan.created,
        env=run.env,
        entrypoint=run.entrypoint,
        command=run.command,
        user=run.user,
        workdir=run.workdir,
        ports=run.ports,
        volumes=run.volumes,
        labels=run.labels,
        healthcheck=run.healthcheck,
        history=tuple(
            History(created=plan.created, created_by=f"wheelship: {layer.title}")
            for layer in layers
        ),
    )
    return Image(config=config, layers=layers, annotations=plan.annotations)
