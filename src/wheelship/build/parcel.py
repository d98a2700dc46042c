# SPDX-License-Identifier: Apache-2.0
"""Makes a built image ready for delivery."""

from __future__ import annotations

from pathlib import Path

from wheelship.build.context import BaseLayers, BuiltImage
from wheelship.oci.digest import Digest
from wheelship.plan.model import ForeignRecipe
from wheelship.sink.model import Parcel
from wheelship.sink.whereabouts import Whereabouts
from wheelship.store.store import Store

__all__ = ["parcel_of"]


def parcel_of(
    built: BuiltImage, reference: str, store: Store, base: BaseLayers | None = None
) -> Parcel:
    """Return ``built`` with its blobs in ``store``, to be known as ``reference`` (``name:tag``).

    Layers of the base are fetched from ``base`` when a sink asks for them, and not before.
    """
    foreign = {
        one.recipe.layer.digest: one.recipe.layer
        for one in built.plan.layers
        if isinstance(one.recipe, ForeignRecipe)
    }

    def blob(digest: Digest) -> Path:
        if base is None or digest not in foreign:
            return store.blob(digest)
        return base.path(foreign[digest])

    def linked(digests: frozenset[Digest]) -> None:
        for layer in built.plan.layers:
            record = store.find_record(layer.key)
            if record is not None and record.digest in digests:
                store.refresh(layer.key, record)

    return Parcel(
        image=built.image,
        reference=reference,
        blob=blob,
        linked=linked,
        whereabouts=Whereabouts(store),
    )
