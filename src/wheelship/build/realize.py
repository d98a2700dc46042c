# SPDX-License-Identifier: Apache-2.0
"""Turns each recipe of a plan into the entries of its layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import assert_never

from wheelship.archive.entry import (
    Content,
    Directory,
    Entry,
    File,
    InMemory,
    Streamed,
    Symlink,
)
from wheelship.archive.layer import with_parents
from wheelship.build.context import BuildContext
from wheelship.build.wheels import wheel_files, wheel_modules
from wheelship.build.workshop import Workshop
from wheelship.bytecode.compiler import Module
from wheelship.debian.identity import DEFAULT_USER, added_identity, identity_files
from wheelship.plan.health import HEALTH_PATH, health_probe
from wheelship.plan.interpreter import interpreter_path
from wheelship.plan.model import (
    ApplicationRecipe,
    BaseRecipe,
    BytecodeRecipe,
    ConfigurationRecipe,
    ForeignRecipe,
    PythonRecipe,
    Recipe,
    WheelsRecipe,
)
from wheelship.request.sources import entries as source_entries
from wheelship.wheel.environment import Environment

__all__ = ["layer_entries"]


@contextmanager
def layer_entries(
    recipe: Recipe, context: BuildContext, workshop: Workshop
) -> Iterator[Iterator[Entry]]:
    """Yield the entries of one layer, parents first; wheels stay open while they are consumed.

    Raises:
        WheelshipError: an input is missing, malformed or not what the lock says.
    """
    with ExitStack() as stack:
        entries: Iterable[Entry]
        match recipe:
            case ForeignRecipe():
                raise AssertionError("layers of another image are never made")
            case BaseRecipe():
                entries = _debian(recipe, context, workshop, stack)
            case PythonRecipe():
                entries = _python(recipe, workshop)
            case WheelsRecipe():
                entries = wheel_files(recipe, workshop.shelf)
            case BytecodeRecipe():
                modules = wheel_modules(recipe.wheels, workshop.shelf)
                compiler = workshop.compiler(recipe.maker, recipe.wheels.python)
                entries = _pyc(compiler.compile(modules))
            case ApplicationRecipe():
                entries = _application(recipe, workshop)
            case ConfigurationRecipe():
                entries = _configuration(recipe)
            case _:
                assert_never(recipe)
        yield with_parents(entries)


def _debian(
    recipe: BaseRecipe, context: BuildContext, workshop: Workshop, stack: ExitStack
) -> Iterator[Entry]:
    # The base's layer depends on its own packages alone; system packages join an unpacked base.
    if recipe.group == "base":
        return workshop.packages.entries(recipe.lock, recipe.waivers, context.emit)
    from wheelship.debian.base import base_entries

    debs = [(package, context.artifacts.path(package)) for package in recipe.lock.packages]
    work = stack.enter_context(context.store.work_directory())
    return base_entries(
        debs,
        recipe.lock.release,
        work,
        waivers=recipe.waivers,
        group=recipe.group,
        emit=context.emit,
    )


def _python(recipe: PythonRecipe, workshop: Workshop) -> Iterator[Entry]:
    environment = Environment(python=recipe.python)
    root = environment.root
    interpreter = interpreter_path(recipe.lock, recipe.python)
    home = interpreter.rpartition("/")[0]
    settings = f"home = {home}\ninclude-system-site-packages = false\nversion = {recipe.python}\n"
    for name in ("python", "python3", f"python{recipe.python}"):
        yield Symlink(path=f"{root}/bin/{name}", target=interpreter)
    yield File(path=f"{root}/pyvenv.cfg", content=InMemory(settings.encode()))
    yield Directory(path=environment.site_packages)
    yield File(path=HEALTH_PATH, content=InMemory(health_probe()))
    if recipe.maker is not None:
        compiler = workshop.compiler(recipe.maker, recipe.python)
        yield from _pyc(compiler.compile(workshop.standard_library(recipe.lock, recipe.python)))


def _application(recipe: ApplicationRecipe, workshop: Workshop) -> Iterator[Entry]:
    modules: list[Module] = []
    for entry in source_entries(recipe.snapshot):
        yield entry
        if isinstance(entry, File) and entry.path.endswith(".py"):
            modules.append(Module(path=entry.path, read=partial(_read, entry.content)))
    if recipe.maker is not None and modules:
        yield from _pyc(workshop.compiler(recipe.maker, recipe.python).compile(modules))


def _read(content: Content) -> bytes:
    if isinstance(content, InMemory):
        return content.data
    assert isinstance(content, Streamed)  # noqa: S101 - sources are never zip members
    return b"".join(content.open())


def _configuration(recipe: ConfigurationRecipe) -> Iterator[Entry]:
    uid, _ = recipe.user
    found: dict[str, Entry] = {}
    if recipe.identity is not None:
        found = {entry.path: entry for entry in added_identity(recipe.user, *recipe.identity)}
    elif recipe.user != DEFAULT_USER:
        found = {entry.path: entry for entry in identity_files(recipe.user)}
    if recipe.workdir.strip("/"):
        path = recipe.workdir.strip("/")
        found[path] = Directory(path=path)
    for writable in recipe.writable:
        path = writable.strip("/")
        # Group 0 with its rights lets an arbitrary uid write too, as OpenShift assigns them.
        found[path] = Directory(path=path, mode=0o775, uid=uid, gid=0)
    return iter([found[path] for path in sorted(found)])


def _pyc(compiled: Iterable[tuple[str, bytes]]) -> Iterator[File]:
    return (File(path=path, content=InMemory(data)) for path, data in compiled)
