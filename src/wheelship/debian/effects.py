# SPDX-License-Identifier: Apache-2.0
"""Makes in a tree what maintainer scripts would have made on a running system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from wheelship.archive.entry import Deflated, Directory, Entry, File, InMemory, Symlink
from wheelship.debian.errors import InvalidDeb
from wheelship.debian.layout import Layout
from wheelship.debian.maintainer import Certificates, Copy, Link, MakeDirectory, Text, Verdict
from wheelship.debian.script import Alternative
from wheelship.debian.tree import Tree

__all__ = ["apply_effects", "content_of"]

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n"
)


def apply_effects(tree: Tree, layout: Layout, verdicts: Iterable[Verdict]) -> None:
    """Apply the effects of all scripts, in order; what exists already stays as it is.

    Raises:
        InvalidDeb: a package lacks a file that its script would have used.
    """
    alternatives: list[tuple[Alternative, str]] = []
    for verdict in verdicts:
        for effect in verdict.effects:
            if isinstance(effect, Alternative):
                alternatives.append((effect, verdict.package))
                continue
            path = layout.real(effect.path)
            if tree.get(path) is None:
                tree.put(_entry(tree, layout, path, effect, verdict), verdict.package)
    for alternative, package in _chosen(alternatives):
        _link(tree, layout, alternative, package)


def _entry(
    tree: Tree,
    layout: Layout,
    path: str,
    effect: Link | Text | Copy | MakeDirectory | Certificates,
    verdict: Verdict,
) -> Entry:
    match effect:
        case Link():
            return Symlink(path=path, target=effect.target)
        case Text():
            return File(path=path, content=InMemory(effect.text.encode()))
        case MakeDirectory():
            return Directory(path=path, mode=effect.mode)
        case Copy():
            source = layout.real(effect.source)
            node = tree.find(source)
            if node is None or not isinstance(node.entry, File):
                raise InvalidDeb(f"{verdict.package} lacks /{source}", where=verdict.package)
            return replace(node.entry, path=path)
        case Certificates():
            data = b"".join(_certificates(tree, f"{layout.real(effect.source)}/"))
            return File(path=path, content=InMemory(data))
        case _:
            assert_never(effect)


def _certificates(tree: Tree, directory: str) -> Iterator[bytes]:
    """Yield every certificate below ``directory``, sorted by path."""
    found = [one for one in tree.everything() if one.entry.path.startswith(directory)]
    for node in sorted(found, key=lambda one: one.entry.path):
        if isinstance(node.entry, File) and node.entry.path.endswith(".crt"):
            data = content_of(node.entry)
            if not _CERTIFICATE.fullmatch(data):
                raise InvalidDeb(f"/{node.entry.path} is no certificate", where=node.owner)
            yield data


def content_of(entry: File) -> bytes:
    """Return the whole content of a small file."""
    content = entry.content
    assert not isinstance(content, Deflated), "packages hold no zip members"  # noqa: S101
    return content.data if isinstance(content, InMemory) else b"".join(content.open())


def _chosen(offered: Iterable[tuple[Alternative, str]]) -> Iterable[tuple[Alternative, str]]:
    """Return the alternative with the highest priority of each link, and its package.

    Of equal ones the first path in order of the alphabet wins, whatever the order of packages.
    """
    best: dict[str, tuple[Alternative, str]] = {}
    for alternative, package in offered:
        rival = best.get(alternative.link)
        if rival is None or _rank(alternative) < _rank(rival[0]):
            best[alternative.link] = (alternative, package)
    return best.values()


def _link(tree: Tree, layout: Layout, alternative: Alternative, package: str) -> None:
    """Link to the alternative itself: nobody will switch it, so nothing leads over /etc."""
    if tree.find(layout.real(alternative.path.lstrip("/"))) is None:
        raise InvalidDeb(f"{package} lacks {alternative.path}", where=package)
    for link, target in ((alternative.link, alternative.path), *alternative.slaves):
        path = layout.real(link.lstrip("/"))
        # As for update-alternatives, a slave that is not there is none (manual pages are left out).
        if tree.get(path) is None and tree.get(layout.real(target.lstrip("/"))) is not None:
            tree.put(Symlink(path=path, target=target), package)


def _rank(alternative: Alternative) -> tuple[int, str]:
    return (-alternative.priority, alternative.path)
