# SPDX-License-Identifier: Apache-2.0
"""Executes a plan: what the store has is reused, the rest is made, then all is assembled."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from wheelship.build.conflict import check_conflicts
from wheelship.build.context import BuildContext, BuiltImage, BuiltLayer
from wheelship.build.omission import omissions, warn_of_omissions
from wheelship.oci.config import History, ImageConfig
from wheelship.oci.descriptor import LAYER_GZIP, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.image import Image, Layer
from wheelship.plan.model import ForeignRecipe, ImagePlan, LayerPlan
from wheelship.store.store import LayerRecord, Store

if TYPE_CHECKING:
    from wheelship.build.shelf import WheelShelf

__all__ = ["build_image", "find_layer"]


def build_image(plan: ImagePlan, context: BuildContext) -> BuiltImage:
    """Build ``plan``; nothing is fetched or opened for layers that the store holds.

    Raises:
        WheelshipError: the first failure; work not yet begun is dropped, nothing half-written
            keeps its final name.
    """
    began = time.monotonic()
    store = context.store
    found = {layer.key: find_layer(layer, store) for layer in plan.layers}
    missing = [layer for layer in plan.layers if found[layer.key] is None]
    records = {key: record for key, record in found.items() if record is not None}
    reading = (*_device_code(plan, context), *_linkage(plan, context))
    if missing or reading:
        from wheelship.build.produce import make_layers

        records |= make_layers(missing, context, reading)
    image = _assemble(plan, records)
    check_conflicts(plan, records, store)
    reused = {layer.key for layer in plan.layers} - {layer.key for layer in missing}
    layers = [
        BuiltLayer(layer=_layer(one, records[one.key]), kind=one.kind, reused=one.key in reused)
        for one in plan.layers
        if records[one.key].digest is not None
    ]
    omitted = omissions(plan, store)
    warn_of_omissions(omitted, context.emit)
    return BuiltImage(
        plan=plan,
        image=image,
        layers=tuple(layers),
        seconds=time.monotonic() - began,
        omitted=omitted,
    )


def _device_code(
    plan: ImagePlan, context: BuildContext
) -> tuple[Callable[[WheelShelf], None], ...]:
    """Judge the device code of wheels that were read before; return what reads the others.

    Those are looked into while their layers are made.
    """
    if not plan.gpu_targets:
        return ()
    from wheelship.build.device_code import check_device_code, read_device_code, unread_wheels

    if unread_wheels(plan, context.store):
        return (partial(read_device_code, plan, context),)
    check_device_code(plan, context.store, context.emit)
    return ()


def _linkage(plan: ImagePlan, context: BuildContext) -> tuple[Callable[[WheelShelf], None], ...]:
    """Return what looks for libraries of another accelerator, unless that was done before."""
    from wheelship.build.linkage import linkage_known, read_linkage

    if not plan.foreign_libraries or linkage_known(plan, context.store):
        return ()
    return (partial(read_linkage, plan, context),)


def find_layer(layer: LayerPlan, store: Store) -> LayerRecord | None:
    """Return what the store has of the layer; of another image's, what its lock says."""
    if not isinstance(layer.recipe, ForeignRecipe):
        return store.find_layer(layer.key)
    given = layer.recipe.layer
    return LayerRecord(
        digest=given.digest,
        diff_id=given.diff_id,
        size_bytes=given.size_bytes,
        unpacked_bytes=given.unpacked_bytes,
    )


def _history(plan: ImagePlan, layer: LayerPlan) -> History:
    """Return the row of a layer; one of another image keeps its own."""
    created, made_by = plan.created, f"wheelship: {layer.title}"
    if isinstance(layer.recipe, ForeignRecipe):
        created = layer.recipe.layer.created or created
        made_by = layer.recipe.layer.created_by or made_by
    return History(created=created, created_by=made_by)


def _layer(plan: LayerPlan, record: LayerRecord) -> Layer:
    assert record.digest is not None  # noqa: S101 - callers leave empty layers out
    assert record.diff_id is not None  # noqa: S101 - it goes with the digest
    media_type = LAYER_GZIP
    if isinstance(plan.recipe, ForeignRecipe):
        media_type = plan.recipe.layer.media_type
    return Layer(
        descriptor=Descriptor(
            media_type=media_type, digest=record.digest, size_bytes=record.size_bytes
        ),
        diff_id=record.diff_id,
        unpacked_bytes=record.unpacked_bytes,
        title=plan.title,
        packages=plan.packages,
    )


def _assemble(plan: ImagePlan, records: dict[Digest, LayerRecord]) -> Image:
    planned = [layer for layer in plan.layers if records[layer.key].digest is not None]
    layers = tuple(_layer(layer, records[layer.key]) for layer in planned)
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
        stop_signal=run.stop_signal,
        healthcheck=run.healthcheck,
        history=tuple(_history(plan, layer) for layer in planned),
    )
    return Image(config=config, layers=layers, annotations=plan.annotations)
