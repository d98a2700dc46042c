# SPDX-License-Identifier: Apache-2.0
"""Finds files that two layers of one image both hold with different bytes."""

from __future__ import annotations

from wheelship.build.errors import ConflictingFiles
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ConfigurationRecipe, ImagePlan
from wheelship.store.store import LayerRecord, Store

__all__ = ["check_conflicts"]


def check_conflicts(plan: ImagePlan, records: dict[Digest, LayerRecord], store: Store) -> None:
    """Refuse a file that a later layer would silently replace.

    The verdict depends on the layers alone, so the store remembers it for the next build.

    Raises:
        ConflictingFiles: two layers disagree on a path.
    """
    keys = [
        layer.key
        for layer in plan.layers
        # The configuration names another user on purpose: it replaces the base's passwd and group.
        if records[layer.key].digest is not None
        and not isinstance(layer.recipe, ConfigurationRecipe)
    ]
    verdict = Digest.of(canonical_json(["conflicts", 2, [key.hex for key in keys]]))
    if store.marked(verdict)[0]:
        return
    owners: dict[str, tuple[str, str]] = {}
    titles = {layer.key: layer.title for layer in plan.layers}
    for key in keys:
        for row in store.index(key):
            if not row.sha256:
                continue
            seen = owners.setdefault(row.path, (row.sha256, titles[key]))
            if seen[0] != row.sha256:
                raise ConflictingFiles(
                    f"{seen[1]} and {titles[key]} hold different files as /{row.path}",
                    hint="leave one out with `exclude` (package) or `omit` (file) "
                    "in [tool.wheelship]",
                )
    store.mark(verdict)
