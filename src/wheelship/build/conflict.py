# SPDX-License-Identifier: Apache-2.0
"""Finds paths on which two layers of one image disagree."""

from __future__ import annotations

from wheelship.base.model import files_key
from wheelship.build.errors import ConflictingFiles
from wheelship.debian.identity import IDENTITY_FILES
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.plan.model import ConfigurationRecipe, ForeignRecipe, ImagePlan, LayerPlan
from wheelship.store.store import LayerRecord, Store

__all__ = ["check_conflicts"]


def check_conflicts(plan: ImagePlan, records: dict[Digest, LayerRecord], store: Store) -> None:
    """Refuse a file that a later layer would silently replace.

    The verdict depends on the layers alone, so the store remembers it for the next build.

    Raises:
        ConflictingFiles: two layers disagree on a path.
    """
    made = [
        layer
        for layer in plan.layers
        if records[layer.key].digest is not None and not isinstance(layer.recipe, ForeignRecipe)
    ]
    # The configuration names another user on purpose: it replaces the base's passwd and group.
    keys = [one.key for one in made if not isinstance(one.recipe, ConfigurationRecipe)]
    _check_base(plan, made, store)
    verdict = Digest.of(canonical_json(["conflicts", 4, [key.hex for key in keys]]))
    if store.marked(verdict)[0]:
        return
    owners: dict[str, tuple[str, str]] = {}
    folders: dict[str, str] = {}
    others: dict[str, str] = {}
    titles = {layer.key: layer.title for layer in plan.layers}
    for key in keys:
        for row in store.index(key):
            _note_folders(folders, row.path, titles[key])
            if not row.sha256:  # a link or a directory
                others.setdefault(row.path, titles[key])
                continue
            seen = owners.setdefault(row.path, (row.sha256, titles[key]))
            if seen[0] != row.sha256:
                raise _conflict(f"{seen[1]} and {titles[key]} hold different files", row.path)
    for path in sorted(owners.keys() & folders.keys()):
        raise _conflict(
            f"{owners[path][1]} holds a file where {folders[path]} holds a directory", path
        )
    for path in sorted(owners.keys() & others.keys()):
        raise _conflict(f"{owners[path][1]} holds a file where {others[path]} holds a link", path)
    store.mark(verdict)


def _check_base(plan: ImagePlan, made: list[LayerPlan], store: Store) -> None:
    """Compare what was made with the files of a base of other origin.

    Their list is in the store where the base was locked; elsewhere nothing is compared, so that a
    base that lies in the registry already need not be fetched for this.
    """
    base = next((one.recipe for one in plan.layers if isinstance(one.recipe, ForeignRecipe)), None)
    if base is None:
        return
    facts = ["base conflicts", 1, base.base.files.hex, [layer.key.hex for layer in made]]
    verdict = Digest.of(canonical_json(facts))
    if store.marked(verdict)[0]:
        return
    known, rows = store.marked(files_key(base.base))
    if not known:
        return
    below = {path: (kind, sha256) for path, kind, sha256 in rows}
    for layer in made:
        identity = isinstance(layer.recipe, ConfigurationRecipe)
        folders: dict[str, str] = {}
        for row in store.index(layer.key):
            _note_folders(folders, row.path, layer.title)
            if not row.sha256 or (identity and row.path in IDENTITY_FILES):
                continue
            if below.get(row.path, ("f", row.sha256)) != ("f", row.sha256):
                what = f"{layer.title} would replace a file of the base {base.base.reference}"
                raise _conflict(what, row.path)
        for folder in folders:
            if below.get(folder, ("d", ""))[0] != "d":
                what = f"{layer.title} needs a directory that is none in the base"
                raise _conflict(what, folder)
    store.mark(verdict)


def _note_folders(folders: dict[str, str], path: str, title: str) -> None:
    folder = path.rpartition("/")[0]
    while folder and folder not in folders:
        folders[folder] = title
        folder = folder.rpartition("/")[0]


def _conflict(what: str, path: str) -> ConflictingFiles:
    return ConflictingFiles(
        f"{what}: /{path}",
        hint="leave one out with `exclude` (package) or `omit` (file) in [tool.wheelship]",
    )
