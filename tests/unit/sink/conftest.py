# SPDX-License-Identifier: Apache-2.0
"""An image in a store, ready for delivery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.digest import Digest
from wheelship.sink.model import Parcel
from wheelship.store.store import Store
from wheelship.testing.image import make_image


class Load:
    """A parcel that notes which blobs it was asked for and which were linked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: list[Digest] = []
        self.linked: set[Digest] = set()
        contents = (b"base" * 1000, bytes(range(256)) * 9000, b"app")
        self.image = make_image(
            store,
            *(
                [File(path=f"f{number}", content=InMemory(data))]
                for number, data in enumerate(contents)
            ),
        )

    def blob(self, digest: Digest) -> Path:
        self.asked.append(digest)
        return self.store.blob(digest)

    def parcel(self, reference: str = "team/demo:cpu") -> Parcel:
        return Parcel(
            image=self.image, reference=reference, blob=self.blob, linked=self.linked.update
        )

    def damage(self, number: int) -> Path:
        """Flip the last byte of a layer's blob."""
        path = self.store.blob(self.image.blobs[number].digest)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.unlink()
        path.write_bytes(data)
        return path


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    store = Store(tmp_path / "store")
    yield Load(store)
    store.close()
