# SPDX-License-Identifier: Apache-2.0
"""Writes ``pylock.<variant>.toml`` (PEP 751): wheels and sources of all targets in one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelship.files.write import write_file
from wheelship.lock.errors import LockNotWritable
from wheelship.lock.inputs import LockInputs
from wheelship.lock.model import BuildRequirement, Locked, LockedSource, LockedWheel
from wheelship.lock.target import Target
from wheelship.lock.toml import array, inline_table, string, value

__all__ = ["lock_path", "render_lock", "write_lock"]

_HEADER = """\
# Made by wheelship. To change it, change the project and run: wheelship lock
"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of ``[[packages]]``: a version and the targets that have it."""

    name: str
    version: str
    targets: tuple[Target, ...]
    files: tuple[Locked, ...]


def lock_path(root: Path, variant: str) -> Path:
    """Return where the lock of a variant is. PEP 751 allows no dot in the name."""
    return root / f"pylock.{variant}.toml"


def render_lock(
    inputs: LockInputs, selections: Mapping[Target, Sequence[Locked]], directory: Path
) -> str:
    """Return the document; local files are written relative to ``directory``, the lock's own."""
    pythons = {target.python for target in selections}
    environments = sorted(target.marker for target in selections)
    lines = [
        _HEADER,
        'lock-version = "1.0"',
        f"environments = {array(map(string, environments))}",
        *(f"requires-python = {string(f'=={python}.*')}" for python in pythons),
        'created-by = "wheelship"',
    ]
    for entry in _entries(selections):
        lines += ["", "[[packages]]", *_package(entry, frozenset(selections), directory)]
    if not any(selections.values()):
        lines.append("packages = []")
    lines += ["", "[tool.wheelship]", f"request = {string(str(inputs.digest))}"]
    lines += ["", "[tool.wheelship.inputs]"]
    lines += [f"{key} = {value(item)}" for key, item in inputs.to_table().items()]
    return "\n".join(lines) + "\n"


def write_lock(path: Path, text: str) -> bool:
    """Write the lock and return True, or False when the file has this content already.

    The file is replaced in one step, after its content has reached the disk.

    Raises:
        LockNotWritable: the disk is full, or the directory cannot be written to.
    """
    data = text.encode()
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        write_file(path, data, synced=True)
    except OSError as error:
        raise LockNotWritable(
            f"cannot be written: {error.strerror}",
            where=str(path),
            hint="make the project's directory writable, or build with --locked from its locks",
        ) from error
    return True


def _entries(selections: Mapping[Target, Sequence[Locked]]) -> list[_Entry]:
    found: dict[tuple[str, str], list[tuple[Target, Locked]]] = {}
    for target in sorted(selections, key=lambda target: target.marker):
        for wheel in selections[target]:
            found.setdefault((wheel.name, wheel.version), []).append((target, wheel))
    return [
        _Entry(name, version, tuple(one for one, _ in pairs), tuple(one for _, one in pairs))
        for (name, version), pairs in sorted(found.items())
    ]


def _package(entry: _Entry, targets: frozenset[Target], directory: Path) -> Iterable[str]:
    yield f"name = {string(entry.name)}"
    if entry.version:
        yield f"version = {string(entry.version)}"
    if set(entry.targets) != targets:
        yield f"marker = {string(' or '.join(target.marker for target in entry.targets))}"
    requires = sorted({name for file in entry.files for name in file.requires})
    if requires:
        tables = (inline_table({"name": string(name)}) for name in requires)
        yield f"dependencies = {array(tables)}"
    source = next((one for one in entry.files if isinstance(one, LockedSource)), None)
    if source is not None:
        yield f"{source.kind} = {_source(source, directory)}"
    unique = {one.filename: one for one in entry.files if isinstance(one, LockedWheel)}
    if unique:
        yield f"wheels = {_lines(_wheel(unique[name], directory) for name in sorted(unique))}"
    if source is not None:
        yield "[packages.tool.wheelship]"
        rows = [_build_requirement(one, directory) for one in source.build]
        yield f"build-requires = {_lines(rows) if rows else '[]'}"


def _build_requirement(one: BuildRequirement, directory: Path) -> str:
    """Return a wheel as PEP 751 writes it, with what its place in ``packages`` would say."""
    wheel = one.wheel
    fields = {
        "package": string(wheel.name),
        "version": string(wheel.version),
        **_file_fields(wheel, directory, named=True),
    }
    if one.architectures:
        fields["architectures"] = array(map(string, one.architectures))
    return inline_table(fields)


def _source(source: LockedSource, directory: Path) -> str:
    if source.kind == "directory":
        fields = {"path": string(_relative(source.path or directory, directory))}
    elif source.kind == "vcs":
        fields = {"type": string("git"), "url": string(source.url or "")}
        if source.revision:
            fields["requested-revision"] = string(source.revision)
        fields["commit-id"] = string(source.commit)
    else:
        fields = _file_fields(source, directory, named=source.kind == "sdist")
    if source.subdirectory:
        fields["subdirectory"] = string(source.subdirectory)
    return inline_table(fields)


def _wheel(wheel: LockedWheel, directory: Path) -> str:
    return inline_table(_file_fields(wheel, directory, named=True))


def _file_fields(file: Locked, directory: Path, *, named: bool) -> dict[str, str]:
    """Return the fields of a file; ``named`` where the format has a ``name`` for it."""
    key, place = "url", file.url or ""
    if file.path is not None:
        key, place = "path", _relative(file.path, directory)
    fields = {key: string(place)}
    if named and place.rpartition("/")[2] != file.filename:
        fields = {"name": string(file.filename), **fields}
    if file.size_bytes:
        fields["size"] = str(file.size_bytes)
    fields["hashes"] = inline_table({"sha256": string(file.sha256)})
    return fields


def _lines(items: Iterable[str]) -> str:
    return "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _relative(path: Path, directory: Path) -> str:
    """Return ``path`` as the lock names it: relative, with forward slashes."""
    try:
        return Path(os.path.relpath(path, directory)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()
