# SPDX-License-Identifier: Apache-2.0
"""The reproducibility matrix: what is varied between builds that must give the same bytes.

Tests and ``scripts/reproduce`` run the same rows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wheelship.testing.difference import differences, manifest_digest
from wheelship.testing.ground import Ground
from wheelship.testing.surroundings import (
    backwards,
    locales,
    owned_by_others,
    pollution,
    program,
)

__all__ = ["VARIATIONS", "Variation"]

_ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "XYZ-13:47")
_TURKISH, _GERMAN = "tr_TR.UTF-8", "de_DE.ISO-8859-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A row; ``builds`` yields the layouts. ``own`` rows are compared among themselves only.

    ``real`` rows say something new where the interpreter is the image's own.
    """

    name: str
    varied: str
    builds: Callable[[Ground], Iterator[Path]]
    own: bool = False
    real: bool = False

    def compare(self, ground: Ground, baseline: Path) -> tuple[int, list[str]]:
        """Build; return how many builds there were, and where they differ.

        Raises:
            CannotVary: this machine lacks what it takes.
        """
        layouts = list(self.builds(ground))
        against = layouts[0] if self.own else baseline
        found = [line for layout in layouts for line in differences(against, layout)]
        if self.own and manifest_digest(against) == manifest_digest(baseline):
            found.append("what was set alike had no effect at all")
        for layout in layouts:
            shutil.rmtree(layout.parent)
        return len(layouts), found


def _directories(ground: Ground) -> Iterator[Path]:
    names = ("x", "long" * 50, "with some spaces", "ünïcödé-Привет-目录", "-dash", "a'b\"c$d")
    for name in names:
        root = ground.copy(ground.work / "directories" / name)
        yield ground.build(root)
        yield ground.build(".", cwd=root)
        shutil.rmtree(root)
    link = ground.fresh("link")
    link.symlink_to(ground.root)
    yield ground.build(link)
    yield ground.build(f"{ground.root}//./")


def _umasks(ground: Ground) -> Iterator[Path]:
    return (ground.build(umask=umask) for umask in (0o000, 0o022, 0o027, 0o077))


def _each(name: str, *values: str | None) -> Callable[[Ground], Iterator[Path]]:
    return lambda ground: (ground.build(env={name: value}) for value in values)


def _locales(ground: Ground) -> Iterator[Path]:
    path = locales(ground.work, _TURKISH, _GERMAN)
    for name in ("C", "POSIX", "C.UTF-8", _TURKISH, _GERMAN):
        yield ground.build(env={"LC_ALL": name, "LANG": name, "LOCPATH": path})
    yield ground.build(env={"LC_ALL": None, "LANG": None})


def _users(ground: Ground) -> Iterator[Path]:
    yield ground.build(uid=1000)
    yield ground.build(uid=65534)


def _cores(ground: Ground) -> Iterator[Path]:
    for jobs in ("1", "2", "4", "8"):
        yield ground.build(options=("--jobs", jobs))
    yield ground.build(options=())
    yield ground.build(prefix=[program("taskset"), "-c", "0"], options=())


def _file_order(ground: Ground) -> Iterator[Path]:
    for order in ("--sort-dirents=yes", "--reverse-dirents=yes", "--shuffle-dirents=yes"):
        with backwards(ground.root, ground.fresh("mounted"), order) as root:
            yield ground.build(root)
    other = ground.fresh("created")
    for path in sorted(ground.root.rglob("*"), reverse=True):
        if path.is_file() and "dist" not in path.parts:
            target = other / path.relative_to(ground.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    yield ground.build(other)


def _times(ground: Ground) -> Iterator[Path]:
    for shift in ("+1y", "+20y", "-10y", "-50y"):
        yield ground.build(prefix=[program("faketime"), "-f", shift])


def _stores(ground: Ground) -> Iterator[Path]:
    store = ground.store()
    for _ in range(2):
        yield ground.build(store=store)
    copied = ground.fresh("copied")
    shutil.copytree(store, copied, symlinks=True)
    yield ground.build(store=copied)
    for record in sorted((store / "layers").glob("*.json"))[::2]:
        record.unlink()
    yield ground.build(store=store)
    odd = ground.work / "störe with spaces" / "deep"
    ground.fill(odd)
    yield ground.build(store=odd)


def _epoch(ground: Ground) -> Iterator[Path]:
    for env in ({}, {"TZ": "Asia/Kathmandu"}, {"PYTHONHASHSEED": "7"}):
        yield ground.build(env={"SOURCE_DATE_EPOCH": "1700000000", **env})


def _homes(ground: Ground) -> Iterator[Path]:
    yield ground.build(env={"HOME": None, "XDG_CONFIG_DIRS": None})
    yield ground.build(env={"HOME": "/nonexistent", "USER": "nobody", "LOGNAME": "nobody"})
    yield ground.build(env={"XDG_CACHE_HOME": str(ground.fresh("cache"))})


def _sources(ground: Ground) -> Iterator[Path]:
    for number, (file_mode, folder_mode) in enumerate(
        [(0o600, 0o700), (0o444, 0o555), (0o666, 0o777), (0o640, 0o2750)]
    ):
        root = ground.copy()
        for path in sorted(root.rglob("*"), reverse=True):
            moment = 1_000_000_000 * number + len(path.name)
            os.utime(path, (moment, moment))
            path.chmod(folder_mode if path.is_dir() else file_mode)
        yield ground.build(root)
    root = ground.copy()
    owned_by_others(root)
    yield ground.build(root)


def _checkouts(ground: Ground) -> Iterator[Path]:
    linked = ground.fresh("linked")
    ignored = shutil.ignore_patterns("dist")
    shutil.copytree(ground.root, linked, copy_function=os.link, ignore=ignored)
    yield ground.build(linked)
    origin = ground.copy(ground.fresh("origin"))
    git = [program("git"), "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    yield ground.build(origin)
    clone = ground.fresh("clone")
    subprocess.run([*git, "clone", "-q", str(origin), str(clone)], check=True)
    yield ground.build(clone)


def _python_settings(ground: Ground) -> Iterator[Path]:
    for name, value in (
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONNODEBUGRANGES", "1"),
        ("PYTHONINTMAXSTRDIGITS", "640"),
        ("PYTHONUTF8", "0"),
        ("PYTHONIOENCODING", "latin-1"),
        ("PYTHONPYCACHEPREFIX", str(ground.fresh("pycache"))),
        ("PYTHONHOME", sys.base_prefix),
        ("PYTHONPATH", pollution(ground.fresh("pollution"))),
    ):
        yield ground.build(env={name: value})


def _all(ground: Ground) -> Iterator[Path]:
    """Vary everything at once that can be varied in one build."""
    root = ground.copy(ground.work / "all" / "ünï cödé" / ("deep" * 20))
    for path in root.rglob("*"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    env: dict[str, str | None] = {
        "HOME": None,
        "TZ": _ZONES[3],
        "LC_ALL": _TURKISH,
        "LOCPATH": locales(ground.work, _TURKISH),
        "PYTHONHASHSEED": "99",
        "PYTHONNODEBUGRANGES": "1",
        "PYTHONINTMAXSTRDIGITS": "640",
        "PYTHONOPTIMIZE": "2",
        "PYTHONPATH": pollution(ground.fresh("pollution")),
    }
    later = [program("faketime"), "-f", "+1y"]
    yield ground.build(root, env=env, umask=0o077, options=("--jobs", "5"), prefix=later)


def _again(ground: Ground) -> Iterator[Path]:
    return (ground.build() for _ in range(2))


VARIATIONS: tuple[Variation, ...] = (
    Variation(name="again", varied="nothing", builds=_again, real=True),
    Variation(
        name="directory",
        varied="directory of the project: short, long, blanks, Unicode, quotes, link, relative",
        builds=_directories,
    ),
    Variation(name="umask", varied="umask 000, 022, 027, 077", builds=_umasks),
    Variation(name="zone", varied="time zone, five", builds=_each("TZ", *_ZONES)),
    Variation(
        name="locale", varied="locale: C, POSIX, C.UTF-8, Turkish, Latin-1, none", builds=_locales
    ),
    Variation(
        name="hash-seed",
        varied="PYTHONHASHSEED 0, 1, 4294967295, random",
        builds=_each("PYTHONHASHSEED", "0", "1", "4294967295", "random"),
        real=True,
    ),
    Variation(name="user", varied="user: two who are not root", builds=_users),
    Variation(
        name="cores",
        varied="cores: --jobs 1, 2, 4, 8, all, one by affinity",
        builds=_cores,
        real=True,
    ),
    Variation(
        name="file-order",
        varied="order of files: sorted, reversed, shuffled (disorderfs), created backwards",
        builds=_file_order,
    ),
    Variation(
        name="time",
        varied="clock: a year and 20 years later, 10 and 50 years ago (libfaketime)",
        builds=_times,
    ),
    Variation(
        name="store", varied="store: cold, warm, copied, half forgotten, elsewhere", builds=_stores
    ),
    Variation(
        name="epoch",
        varied="SOURCE_DATE_EPOCH set alike, with another time zone and hash seed",
        builds=_epoch,
        own=True,
    ),
    Variation(name="home", varied="HOME unset, missing; another cache", builds=_homes),
    Variation(
        name="sources", varied="times, permissions and owners of the sources", builds=_sources
    ),
    Variation(
        name="checkout", varied="hard-linked copy, git checkout, git clone", builds=_checkouts
    ),
    Variation(
        name="python",
        varied="the caller's Python settings: nine variables, a polluted PYTHONPATH among them",
        builds=_python_settings,
        real=True,
    ),
    Variation(name="all", varied="all of these in one build", builds=_all, real=True),
)
