# SPDX-License-Identifier: Apache-2.0
"""The base's packages are joined once per build, for its layer and for the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from wheelship.archive.entry import File, Streamed
from wheelship.build.packages import BasePackages
from wheelship.debian.lock import DebianLock, LockedPackage, LockedSuite
from wheelship.events import Event, Warned
from wheelship.request.model import Waiver
from wheelship.testing.deb import make_deb

BASE = make_deb("base-files", files={"usr/lib/x": b"base"})
EXTRA = make_deb("extra", files={"usr/lib/y": b"x"}, scripts={"postinst": "unknown\n"})
SUITE = LockedSuite(name="bookworm", archive="main", date="2026-07-01T00:00:00Z")
LOCK = DebianLock(
    release="bookworm",
    architecture="amd64",
    suites=(SUITE,),
    packages=(BASE.locked(), EXTRA.locked(group="system", requested=True)),
)


class Artifacts:
    """Hands out the made packages and remembers which."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[str] = []
        self.paths = {deb.locked().name: deb.write(directory) for deb in (BASE, EXTRA)}

    def prefetch(self, files: list[LockedPackage]) -> None:
        del files

    def path(self, file: LockedPackage) -> Path:
        self.asked.append(file.name)
        return self.paths[file.name]


@contextmanager
def packages(yard: Any, tmp_path: Path) -> Iterator[tuple[BasePackages, Artifacts]]:
    artifacts = Artifacts(tmp_path)
    made = BasePackages(replace(yard.context, artifacts=artifacts))
    try:
        yield made, artifacts
    finally:
        made.close()


def content_of(entries: Iterator[Any]) -> dict[str, bytes]:
    return {
        one.path: b"".join(one.content.open())
        for one in entries
        if isinstance(one, File) and isinstance(one.content, Streamed)
    }


def test_packages_are_read_once_and_system_packages_not_at_all(yard: Any, tmp_path: Path) -> None:
    with packages(yard, tmp_path) as (made, artifacts):
        first, second = content_of(made.entries(LOCK)), content_of(made.entries(LOCK))
    assert artifacts.asked == ["base-files"]
    assert first == second
    assert first["usr/lib/x"] == b"base"
    assert "usr/lib/y" not in first


def test_warnings_reach_everyone_who_wants_them(yard: Any, tmp_path: Path) -> None:
    """The interpreter, which does not want them, may come first."""
    waivers = (Waiver(package="base-files", version=None, reason="none"),)
    events: list[Event] = []
    with packages(yard, tmp_path) as (made, artifacts):
        made.entries(LOCK)
        made.entries(LOCK, waivers)
        assert made.entries(LOCK, waivers, events.append)
    assert [one.code for one in events if isinstance(one, Warned)] == ["unused-waiver"]
    assert artifacts.asked == ["base-files"] * 2, "another verdict on scripts is another base"


def test_nothing_inflated_is_left(yard: Any, tmp_path: Path) -> None:
    with packages(yard, tmp_path) as (made, _):
        made.entries(LOCK)
        assert [path for path in yard.store.root.glob("tmp/*/*") if any(path.iterdir())]
    assert not list(yard.store.root.glob("tmp/*/*"))
