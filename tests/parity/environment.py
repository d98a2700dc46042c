# SPDX-License-Identifier: Apache-2.0
"""A whole environment: what uv makes of all wheels of a lock, and what the layers of an image hold.

uv's environment is somewhere else than the image's. Of the files that name their place only scripts
are part of a comparison; :func:`relocated` gives uv's the place of the image.
"""

from __future__ import annotations

import csv
import hashlib
import io
import posixpath
import stat
import tarfile
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from parity.compare import SITE, is_record, row_of
from parity.tree import Item, Tree

__all__ = ["bytecode_of", "gather_wheels", "modules_of", "relocated", "tree_of_layers"]

_PREFIX = "opt/venv/"


def gather_wheels(lock: Path, store: Path, folder: Path) -> list[Path]:
    """Give the locked wheels that a build used their names again, in ``folder``."""
    found: list[Path] = []
    folder.mkdir()
    for package in tomllib.loads(lock.read_text())["packages"]:
        for wheel in package["wheels"]:
            stored = store / "downloads" / wheel["hashes"]["sha256"]
            place = stored if stored.exists() else lock.parent / wheel.get("path", "-")
            if place.exists():
                path = folder / (wheel.get("path") or wheel["url"]).rpartition("/")[2]
                path.symlink_to(place.resolve())
                found.append(path)
                break
        else:
            raise FileNotFoundError(f"no wheel of {package['name']}")
    return found


def tree_of_layers(layers: Iterable[Path]) -> Tree:
    """Return what the layers hold below the image's environment, joined.

    Raises:
        ValueError: two layers hold the same file.
    """
    tree: Tree = {}
    for layer in layers:
        with tarfile.open(layer, "r:gz") as archive:
            for member in archive:
                if not member.name.startswith(_PREFIX):
                    continue
                path = member.name.removeprefix(_PREFIX)
                if path in tree and not member.isdir():
                    raise ValueError(f"two layers hold {path}")
                tree[path] = _item(archive, member, path)
    return tree


def _item(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> Item:
    mode = stat.S_IMODE(member.mode)
    if member.isdir():
        return Item(kind="directory", mode=mode)
    if member.issym():
        return Item(kind="link", content=member.linkname)
    stream = archive.extractfile(member)
    assert stream is not None
    digest = hashlib.sha256()
    data = b""
    while piece := stream.read(1024 * 1024):
        digest.update(piece)
        if path.startswith("bin/") or ".dist-info/" in path:
            data += piece
    size = member.size
    return Item(kind="file", mode=mode, size_bytes=size, content=digest.hexdigest(), data=data)


def relocated(tree: Tree, old: Path) -> Tree:
    """Return ``tree`` as if it had been installed into the image's environment, not in ``old``.

    Scripts name their interpreter; RECORD has their hashes, and those are replaced where they were
    right before.
    """
    moved: Tree = {}
    for path, item in tree.items():
        if path.startswith("bin/") and item.kind == "file":
            data = item.data.replace(str(old).encode(), b"/opt/venv")
            digest = hashlib.sha256(data).hexdigest()
            moved[path] = replace(item, data=data, size_bytes=len(data), content=digest)
    records = {
        path: replace(item, data=_record(item.data, tree, moved))
        for path, item in tree.items()
        if is_record(path)
    }
    return tree | moved | records


def _record(data: bytes, before: Tree, after: Tree) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for path, hashed, size in csv.reader(io.StringIO(data.decode(), newline="")):
        place = posixpath.normpath(f"{SITE}/{path}")
        row = (path, hashed, size)
        if place in after and row[1:] == row_of(before[place]):
            row = (path, *row_of(after[place]))
        writer.writerow(row)
    return out.getvalue().encode()


def bytecode_of(tree: Tree) -> dict[str, str]:
    """Return the tree's modules by the paths that their bytecode has."""
    tag = SITE.split("/")[1].replace("python", "cpython-").replace(".", "")
    found: dict[str, str] = {}
    for path in tree:
        if path.startswith(SITE) and path.endswith(".py"):
            folder, name = posixpath.split(path)
            found[f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"] = path
    return found


def modules_of(tree: Tree) -> list[str]:
    """Return the names that can be imported from site-packages itself."""
    found = set()
    for path in tree:
        first, _, rest = path.removeprefix(SITE + "/").partition("/")
        if not path.startswith(SITE + "/") or first.endswith((".dist-info", ".data", ".libs")):
            continue
        name = first.partition(".")[0]
        if (
            rest.endswith((".py", ".so")) or first.endswith((".py", ".so"))
        ) and name.isidentifier():
            found.add(name)
    return sorted(found)
