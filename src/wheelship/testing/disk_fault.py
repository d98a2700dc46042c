# SPDX-License-Identifier: Apache-2.0
"""Rows of the fault matrix about disks: full at every point, read-only, somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wheelship.testing.trial import CannotBreak, Trial

__all__ = ["file_limit", "full", "full_tag", "full_temporary", "other_user", "read_only"]

Ran = Callable[[Trial, int], Iterator[str]]


# --- full disks ---


@contextmanager
def _mounted(path: Path, options: str) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if result.returncode != 0:
        raise CannotBreak(f"cannot mount a tmpfs: {result.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)  # noqa: S607


def _remount(path: Path, options: str) -> None:
    command = ["mount", "-o", f"remount,{options}", str(path)]
    subprocess.run(command, check=True)


def full(place: str, options: str, amounts: range) -> Ran:
    """Build where ``place`` can hold so much; afterwards it grows and the build is repeated."""

    def run(trial: Trial, step: int) -> Iterator[str]:
        store, output = trial.store, trial.output
        disk = trial.harbour.work / "disk"
        for amount in amounts[::step]:
            with _mounted(disk, f"{options}={amount}"):
                trial.store = disk / "store" if "store" in place else store
                trial.output = disk / "dist" / "demo" if "output" in place else output
                try:
                    if "store" not in place:
                        shutil.rmtree(output, ignore_errors=True)
                    yield trial.require_sound(trial.run(trial.job()))
                    _remount(disk, f"{options}=0")
                    trial.require_repaired()
                finally:
                    trial.store, trial.output = store, output

    return run


def full_temporary(trial: Trial, step: int) -> Iterator[str]:
    """Build and lock where TMPDIR has no room, first for bytes, then for files."""
    del step
    disk = trial.harbour.work / "disk"
    for options in ("size=4k", "nr_inodes=2"):
        with _mounted(disk, options):
            if options == "size=4k":
                (disk / "ballast").write_bytes(bytes(4096))
            else:
                (disk / "ballast").touch()
            trial.forget()
            surroundings = {"TMPDIR": str(disk), "UV_CACHE_DIR": str(trial.harbour.work / "uv")}
            job = trial.job(environment=surroundings)
            yield trial.require_sound(trial.run(job))
            lock = ("lock", str(trial.harbour.root), "--json", "-q")
            ended = trial.run(replace(job, argv=lock))
            trial.harbour.project(trial.harbour.root)
            yield trial.ending(ended)
            trial.require_repaired()


def file_limit(trial: Trial, step: int) -> Iterator[str]:
    """Limit the size of every file that a build writes."""
    for size in range(1000, 71_000, 2000 * step):
        trial.forget()
        yield trial.require_sound(trial.run(replace(trial.job(), file_bytes=size)))
        trial.require_repaired()


def full_tag(trial: Trial, step: int) -> Iterator[str]:
    """Fill the output's disk while it holds another tag: that one stays whole."""
    output = trial.output
    disk = trial.harbour.work / "disk"
    for pages in range(0, 45, step):
        with _mounted(disk, "size=200k"):
            trial.output = disk / "dist" / "demo"
            try:
                first = trial.run(trial.job("--output", f"oci:{trial.output}:old"))
                assert first.status == 0, first
                shutil.rmtree(trial.store)
                (trial.harbour.root / "demo" / "b.py").write_bytes(b"b = 3\n")
                ballast = disk / "ballast"
                free = os.statvfs(disk).f_bavail
                ballast.write_bytes(bytes(4096 * max(0, free - pages)))
                yield trial.require_sound(trial.run(trial.job()))
                ballast.unlink()
            finally:
                (trial.harbour.root / "demo" / "b.py").write_bytes(b"b = 2\n")
            try:
                trial.require_repaired()
            finally:
                trial.output = output


# --- refusals ---


def read_only(filled: bool) -> Ran:  # noqa: FBT001 - names the row
    """Build with a store on a file system mounted read-only, ``filled`` or empty."""

    def run(trial: Trial, step: int) -> Iterator[str]:
        del step
        store = trial.store
        disk = trial.harbour.work / "disk"
        with _mounted(disk, "size=64m"):
            trial.store = disk / "store"
            try:
                if filled:
                    trial.require_repaired()
                    shutil.rmtree(trial.output)
                _remount(disk, "ro")
                yield trial.require_sound(trial.run(trial.job()))
                _remount(disk, "rw")
                trial.require_repaired()
            finally:
                trial.store = store

    return run


def other_user(trial: Trial, step: int) -> Iterator[str]:
    """Build as a user who owns nothing: with a store that is empty, whole, and half there."""
    del step
    mine = trial.harbour.work / "theirs"
    output = trial.output
    for state in ("empty", "whole", "half"):
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir(mode=0o777)
        mine.chmod(0o777)
        trial.forget()
        if state == "empty":
            trial.store.mkdir(mode=0o755)
        else:
            trial.require_repaired()
        if state == "half":
            for path in sorted((trial.store / "layers").iterdir())[::2]:
                path.unlink()
        trial.output = mine / "demo"
        try:
            yield trial.require_sound(trial.run(replace(trial.job(), uid=1000)))
            own = trial.job(environment={"WHEELSHIP_STORE": str(mine / "store")})
            ended = trial.run(replace(own, uid=1000))
            assert ended.status == 0, ended
            assert ended.image["digest"] == trial.digest
        finally:
            trial.output = output
        trial.require_repaired()
