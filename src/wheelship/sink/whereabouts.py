# SPDX-License-Identifier: Apache-2.0
"""Which repositories were seen to have a layer, so that it can be mounted from there.

Only a hint: a layer that is no longer there is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from wheelship.errors import MachineError
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.store.store import Store

__all__ = ["Whereabouts"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Remembers in the store, per registry and layer, the repository it was last pushed to."""

    store: Store

    def find(self, host: str, layer: Digest) -> tuple[str, ...]:
        """Return repositories of ``host`` that had the layer."""
        known, repository = self.store.marked(_key(host, layer))
        return (repository,) if known and isinstance(repository, str) else ()

    def note(self, host: str, repository: str, layers: Iterable[Digest]) -> None:
        """Remember that ``repository`` has ``layers``."""
        with suppress(MachineError):  # a store that cannot be written to still serves
            for layer in layers:
                if self.find(host, layer) != (repository,):
                    self.store.mark(_key(host, layer), repository)


def _key(host: str, layer: Digest) -> Digest:
    return Digest.of(canonical_json(["registry has", host, layer.hex]))
