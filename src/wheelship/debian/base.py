# SPDX-License-Identifier: Apache-2.0
"""A base image from packages: unpacked, joined, checked, as entries of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelship.archive.entry import Directory, Entry, File, InMemory, Symlink
from wheelship.archive.layer import with_parents
from wheelship.debian.distribution import distribution
from wheelship.debian.effects import apply_effects, content_of
from wheelship.debian.errors import LoaderPath, UnexpectedShell
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

_BINARIES = ("usr/bin/", "usr/sbin/", "usr/games/", "usr/local/bin/", "usr/local/sbin/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Joined packages.

    The content of files is read from the work directory that was given, so that must stay until
    the entries are written. ``verdicts`` say how each maintainer script was accounted for.
    """

    verdicts: tuple[Verdict, ...]
    nodes: tuple[Node, ...]
    groups: dict[str, Group]

    def entries(self, group: Group | None = None) -> Iterator[Entry]:
        """Yield the entries of one group, or of all, each after its parent directories.

        The base's own entries do not depend on what else was asked for, so its layer is shared
        between projects. Directories that a system package shares with the base keep the base's
        mode.
        """
        yield from with_parents(
            node.entry for node in self.nodes if group in (None, self._group(node))
        )

    def _group(self, node: Node) -> Group:
        return self.groups.get(node.owner, "base")


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
    ordered = sorted(debs, key=lambda deb: (deb[0].name != _FIRST, deb[0].group, deb[0].name))
    packages = [open_package(locked, path, work) for locked, path in ordered]
    verdicts = judge(packages, architecture, waivers)
    tree = Tree(layout)
    for package in packages:
        tree.add_package(package)
    tree.finish_packages()
    apply_effects(tree, layout, verdicts)
    _add_own(tree, layout, packages)
    tree.check_parents()
    base = Base(
        verdicts=verdicts,
        nodes=tuple(tree.nodes()),
        groups={package.locked.name: package.locked.group for package in packages},
    )
    _check_shells(base, layout)
    _check_loader(base, layout, {waiver.package for waiver in waivers})
    _warn(verdicts, waivers, emit)
    return base


def _architecture(debs: Iterable[tuple[LockedPackage, Path]]) -> str:
    found = {locked.architecture for locked, _ in debs} - {"all"}
    assert len(found) == 1, f"packages for {sorted(found)}"  # noqa: S101 - a lock holds only one
    return found.pop()


def _add_own(tree: Tree, layout: Layout, packages: Iterable[DebPackage]) -> None:
    """Add what no package holds: merged /usr, users, names for scanners."""
    for path, mode in layout.directories.items():
        tree.put(Node(Directory(path=path, mode=mode), ""))
    for alias, target in layout.aliases.items():
        if target in tree:
            # Relative, as Debian has them; a link of one step up for those below /var.
            climb = "../" * alias.count("/")
            tree.put(Node(Symlink(path=alias, target=f"{climb}{target}"), ""))
    for link in layout.links:
        if link.path not in tree and (link.beside is None or link.beside in tree):
            owner = tree[link.beside].owner if link.beside is not None else ""
            tree.put(Node(Symlink(path=link.path, target=link.target), owner))
    for path, data in layout.files.items():
        tree.put(Node(File(path=path, content=InMemory(data)), ""))
    for package in packages:
        name = package.locked.name
        status = f"var/lib/dpkg/status.d/{name}"
        control = package.control_text.strip("\n") + "\n"
        tree.put(Node(File(path=status, content=InMemory(control.encode())), name))
        if package.md5sums:
            content = InMemory(package.md5sums)
            tree.put(Node(File(path=f"{status}.md5sums", content=content), name))


def _check_shells(base: Base, layout: Layout) -> None:
    for node in base.nodes:
        path = node.entry.path
        directory, _, name = path.rpartition("/")
        if name in layout.shells and f"{directory}/" in _BINARIES:
            if base.groups.get(node.owner) == "system":
                continue
            raise UnexpectedShell(f"/{path} of {node.owner} is a shell", where=node.owner)


def _check_loader(base: Base, layout: Layout, waived: set[str]) -> None:
    """See that every directory in ld.so's configuration is searched anyway, or empty."""
    for node in base.nodes:
        entry = node.entry
        in_configuration = entry.path.startswith("etc/ld.so.conf")
        if not isinstance(entry, File) or not in_configuration or node.owner in waived:
            continue
        for line in content_of(entry).decode("utf-8", "replace").splitlines():
            directory = layout.real(line.partition("#")[0].strip().strip("/"))
            if not directory or directory.startswith("include ") or directory in layout.loader:
                continue
            if any(_is_library(one, directory) for one in base.nodes):
                raise LoaderPath(
                    f"{node.owner} keeps libraries in /{directory}, where the loader does not look"
                    " without a cache",
                    where=f"/{entry.path}",
                    hint=f'set LD_LIBRARY_PATH = "/{directory}" in `env` and say so in'
                    f' waive-scripts = [{{ package = "{node.owner}", reason = "…" }}]',
                )


def _is_library(node: Node, directory: str) -> bool:
    parent, _, name = node.entry.path.rpartition("/")
    return parent == directory and ".so" in name


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
