# SPDX-License-Identifier: Apache-2.0
"""Opens the wheels of a layer and joins what they install."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wheelship.archive.entry import Content, Deflated, File, InMemory
from wheelship.build.errors import ConflictingFiles
from wheelship.build.shelf import WheelShelf
from wheelship.bytecode.compiler import Module
from wheelship.lock.model import LockedWheel
from wheelship.plan.model import WheelsRecipe
from wheelship.wheel.environment import Environment
from wheelship.wheel.install import installed_entries, python_sources
from wheelship.wheel.reader import Wheel

__all__ = ["owner_of", "wheel_files", "wheel_modules"]


def wheel_files(recipe: WheelsRecipe, shelf: WheelShelf) -> list[File]:
    """Return what the wheels of one layer install, sorted by path.

    A path claimed by several wheels is kept once when they agree on its bytes.

    Raises:
        ConflictingFiles: they do not agree, or one has a file where another has a directory.
    """
    environment = Environment(python=recipe.python)
    claimed: dict[str, tuple[File, str]] = {}
    for locked in recipe.wheels:
        wheel = shelf.wheel(locked, waive_record=locked.name in recipe.waived)
        for file in installed_entries(wheel, environment, recipe.omit_of(locked)):
            if file.path not in claimed:
                claimed[file.path] = (file, locked.name)
                continue
            other, owner = claimed[file.path]
            if _promise(file.content) != _promise(other.content):
                raise ConflictingFiles(
                    f"{owner} and {locked.name} install different files as /{file.path}",
                    hint=f'leave one of them out: exclude = ["{locked.name}"], or its file:\n'
                    f'omit = {{ {locked.name} = ["{_below(file.path, environment)}"] }}',
                )
    _check_folders(claimed)
    return [claimed[path][0] for path in sorted(claimed)]


def owner_of(recipe: WheelsRecipe, shelf: WheelShelf, path: str) -> LockedWheel | None:
    """Return the wheel that a file of the layer comes from; looked up only when it is bad."""
    environment = Environment(python=recipe.python)
    for locked in recipe.wheels:
        wheel = shelf.wheel(locked, waive_record=locked.name in recipe.waived)
        files = installed_entries(wheel, environment, recipe.omit_of(locked))
        if any(file.path == path for file in files):
            return locked
    return None


def _check_folders(claimed: dict[str, tuple[File, str]]) -> None:
    for path, (_, owner) in claimed.items():
        folder = path.rpartition("/")[0]
        while folder:
            if folder in claimed:
                other = claimed[folder][1]
                raise ConflictingFiles(
                    f"{other} installs a file where {owner} has a directory: /{folder}",
                    hint=f'leave one of them out: exclude = ["{owner}"]',
                )
            folder = folder.rpartition("/")[0]


def wheel_modules(recipe: WheelsRecipe, shelf: WheelShelf) -> Iterator[Module]:
    """Yield the Python modules that the wheels install, wheel by wheel."""
    environment = Environment(python=recipe.python)
    seen: set[str] = set()
    for locked in recipe.wheels:
        wheel = shelf.wheel(locked, waive_record=locked.name in recipe.waived)
        for path, member in python_sources(wheel, environment, recipe.omit_of(locked)):
            if path not in seen:
                seen.add(path)
                yield Module(path=path, read=_reader(wheel, member))


def _reader(wheel: Wheel, member: str) -> Callable[[], bytes]:
    return lambda: wheel.read(member)


def _promise(content: Content) -> tuple[object, ...]:
    """Return what identifies a content without reading it: its promised hash, or its bytes."""
    if isinstance(content, Deflated):
        return (content.size_bytes, content.crc32, content.expected_hash)
    if isinstance(content, InMemory):
        return (content.data,)
    return (content,)


def _below(path: str, environment: Environment) -> str:
    return path.removeprefix(environment.site_packages + "/")
