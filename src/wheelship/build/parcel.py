# SPDX-License-Identifier: Apache-2.0
"""Makes a built image ready for delivery."""

from __future__ import annotations

from wheelship.build.context import BuiltImage
from wheelship.oci.digest import Digest
from wheelship.sink.model import Parcel
from wheelship.store.store import Store

__all__ = ["parcel_of"]


def parcel_of(built: BuiltImage, reference: str, store: Store) -> Parcel:
    """Return ``built`` with its blobs in ``store``, to be known as ``reference`` (``name:tag``)."""

    def linked(digests: frozenset[Digest]) -> None:
        for layer in built.plan.layers:
            record = store.find_record(layer.key)
            if record is not None and record.digest in digests:
                store.refresh(layer.key, record)

    return Parcel(image=built.image, reference=reference, blob=store.blob, linked=linked)
