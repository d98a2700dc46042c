# SPDX-License-Identifier: Apache-2.0
"""A base image from packages: unpacked, joined, checked, as entries of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from wheelship.archive.entry import Directory, Entry, File, InMemory, Symlink
from wheelship.archive.layer import with_parents
from wheelship.debian.distribution import distribution
from wheelship.debian.effects import apply_effects, content_of
from wheelship.debian.errors import LoaderPath, UnexpectedShell
from wheelship.debian.identity import identity_files
from wheelship.debian.layout import Layout, load_layout
from wheelship.debian.lock import Group, LockedPackage
from wheelship.debian.maintainer import ScriptWaiver, Verdict, judge
from wheelship.debian.package import DebPackage, open_package
from wheelship.debian.script import multiarch
from wheelship.debian.tree import Node, Tree
from wheelship.events import Emit, Warned, discard

__all__ = ["Base", "base_entries", "join_packages"]

_FIRST = "base-files"
"""The package whose directories set the modes of those that many packages hold."""

_BINARIES = ("usr/bin", "usr/sbin", "usr/games", "usr/local/bin", "usr/local/sbin")
_STATUS = "var/lib/dpkg/status.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Joined packages, as two layers that can also be one.

    The content of files is read from the work directory that was given, so that must stay until
    the entries are written. ``verdicts`` say how each maintainer script was accounted for.
    """

    verdicts: tuple[Verdict, ...]
    base: dict[str, Node]
    system: dict[str, Node]

    def entries(self, group: Group | None = None) -> Iterator[Entry]:
        """Yield the entries of one group, or of all, each after its parent directories.

        Those of ``base`` do not depend on what else was asked for, so their layer is shared between
        projects.
        """
        match group:
            case "base":
                nodes = self.base
            case "system":
                nodes = self.system
            case None:
                nodes = self.base | self.system
            case _:
                assert_never(group)
        yield from with_parents(node.entry for node in nodes.values())


def base_entries(
    debs: Sequence[tuple[LockedPackage, Path]],
    release: str,
    work: Path,
    *,
    waivers: Sequence[ScriptWaiver] = (),
    group: Group | None = None,
    emit: Emit = discard,
) -> Iterator[Entry]:
    """Return the entries of a base image; see :func:`join_packages` and :meth:`Base.entries`."""
    return join_packages(debs, release, work, waivers=waivers, emit=emit).entries(group)


def join_packages(
    debs: Sequence[tuple[LockedPackage, Path]],
    release: str,
    work: Path,
    *,
    waivers: Sequence[ScriptWaiver] = (),
    emit: Emit = discard,
) -> Base:
    """Verify, unpack and join packages; ``work`` is an empty directory for their inflated data.

    Needs disk for what the packages inflate to and a few mebibytes of memory.

    Raises:
        PackageMismatch, InvalidDeb: a file is not the locked package, or must not be unpacked.
        UnknownMaintainerScript: see :func:`~wheelship.debian.maintainer.judge`.
        PackagePathConflict: two packages claim one path.
        UnexpectedShell: a shell came along that nobody asked for.
        LoaderPath: libraries lie where the loader does not look.
    """
    architecture = _architecture(debs)
    layout = load_layout(
        python=f"python{distribution(release).python}", multiarch=multiarch(architecture)
    )
    ordered = sorted(debs, key=lambda deb: (deb[0].name != _FIRST, deb[0].name))
    packages = [open_package(locked, path, work) for locked, path in ordered]
    verdicts = judge(packages, architecture, waivers)
    base = Tree(layout)
    _fill(base, layout, "base", packages, verdicts)
    system = Tree(layout, below=base)
    _fill(system, layout, "system", packages, verdicts)
    joined = Base(verdicts=verdicts, base=base.nodes(), system=system.nodes())
    nodes = joined.base | joined.system
    requested = {package.locked.name for package in packages if package.locked.requested}
    _check_shells(nodes, layout, requested)
    _check_loader(nodes, layout, {waiver.package for waiver in waivers})
    _warn(verdicts, waivers, emit)
    return joined


def _fill(
    tree: Tree,
    layout: Layout,
    group: Group,
    packages: Iterable[DebPackage],
    verdicts: Iterable[Verdict],
) -> None:
    """Fill ``tree`` with the packages of one group and all that comes with them."""
    own = [package for package in packages if package.locked.group == group]
    names = {package.locked.name for package in own}
    for package in own:
        tree.add_package(package)
    tree.finish_packages()
    apply_effects(tree, layout, [one for one in verdicts if one.package in names])
    if group == "base":
        for path, mode in layout.directories.items():
            tree.put(Directory(path=path, mode=mode))
        for path, data in layout.files.items():
            tree.put(File(path=path, content=InMemory(data)))
        for file in identity_files():
            tree.put(file)
    _add_links(tree, layout)
    for package in own:
        _add_status(tree, package)
    tree.check_parents()


def _architecture(debs: Iterable[tuple[LockedPackage, Path]]) -> str:
    found = {locked.architecture for locked, _ in debs} - {"all"}
    assert len(found) == 1, f"packages for {sorted(found)}"  # noqa: S101 - a lock holds only one
    return found.pop()


def _add_links(tree: Tree, layout: Layout) -> None:
    """Add merged /usr, and the links that packages which are left out would have brought."""
    for alias, target in layout.aliases.items():
        if tree.get(target) is not None and tree.get(alias) is None:
            climb = "../" * alias.count("/")  # relative, as Debian has them
            tree.put(Symlink(path=alias, target=f"{climb}{target}"))
    for link in layout.links:
        beside = tree.get(link.beside) if link.beside is not None else None
        if tree.get(link.path) is None and (link.beside is None or beside is not None):
            owner = beside.owner if beside is not None else ""
            tree.put(Symlink(path=link.path, target=link.target), owner)


def _add_status(tree: Tree, package: DebPackage) -> None:
    """Add what scanners read, in the way of distroless: no database, a file for each package."""
    path = f"{_STATUS}/{package.locked.name}"
    control = package.control_text.strip("\n") + "\n"
    tree.put(File(path=path, content=InMemory(control.encode())), package.locked.name)
    if package.md5sums:
        content = InMemory(package.md5sums)
        tree.put(File(path=f"{path}.md5sums", content=content), package.locked.name)


def _check_shells(nodes: Mapping[str, Node], layout: Layout, requested: set[str]) -> None:
    for path, node in nodes.items():
        directory, _, name = path.rpartition("/")
        if directory in _BINARIES and name in layout.shells and node.owner not in requested:
            raise UnexpectedShell(
                f"/{path} of {node.owner} is a shell, and only other packages need it",
                where=node.owner,
                hint=f'if the image may have a shell, add "{node.owner}" to `system-packages`',
            )


def _check_loader(nodes: Mapping[str, Node], layout: Layout, waived: set[str]) -> None:
    """See that every directory in ld.so's configuration is searched anyway, or empty."""
    directories = {path.rpartition("/")[0] for path in nodes if ".so" in path.rpartition("/")[2]}
    for path, node in nodes.items():
        configures = path == "etc/ld.so.conf" or path.startswith("etc/ld.so.conf.d/")
        if not configures or not isinstance(node.entry, File) or node.owner in waived:
            continue
        for line in content_of(node.entry).decode("utf-8", "replace").splitlines():
            directory = layout.real(line.partition("#")[0].strip().strip("/"))
            if directory in directories and directory not in layout.loader:
                raise LoaderPath(
                    f"{node.owner} keeps libraries in /{directory}, where the loader does not look"
                    " without a cache",
                    where=f"/{path}",
                    hint=f'set LD_LIBRARY_PATH = "/{directory}" in `env` and say so in'
                    f' waive-scripts = [{{ package = "{node.owner}", reason = "…" }}]',
                )


def _warn(verdicts: Iterable[Verdict], waivers: Sequence[ScriptWaiver], emit: Emit) -> None:
    used = {verdict.package for verdict in verdicts if verdict.handling == "waived"}
    for verdict in verdicts:
        if verdict.handling == "partial":
            emit(Warned("partial-maintainer-script", f"{verdict.package}: {verdict.reason}"))
    for waiver in waivers:
        if waiver.package not in used:
            emit(
                Warned(
                    "unused-waiver",
                    f"waive-scripts names {waiver.package}, which has no unknown script",
                    hint="remove it",
                )
            )
