# SPDX-License-Identifier: Apache-2.0
"""Rows of the fault matrix about files that go bad where they lie: in the store, in the layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from wheelship.testing.trial import Trial

__all__ = ["KINDS", "LAYOUT", "WAYS", "damaged_layout", "damaged_store", "folders"]

Way = Callable[[Path], None]


def _rewrite(change: Callable[[bytes], bytes]) -> Way:
    def way(path: Path) -> None:
        data, mode = path.read_bytes(), path.stat().st_mode
        path.chmod(0o644)
        path.write_bytes(change(data))
        path.chmod(mode & 0o7777)

    return way


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"!"


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_bytes(b"else")


def _link(target: str) -> Way:
    def way(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return way


def _moved(path: Path) -> None:
    elsewhere = path.parents[3] / f"moved-{path.name}"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


WAYS: Mapping[str, Way] = {
    "flipped": _rewrite(_flipped),
    "truncated": _rewrite(lambda data: data[: len(data) // 2]),
    "empty": _rewrite(lambda _: b""),
    "zeroed": _rewrite(lambda data: bytes(len(data))),
    "longer": _rewrite(lambda data: data + b"\n"),
    "deleted": Path.unlink,
    "directory": _directory,
    "foreign link": _link("/etc/hostname"),
    "dangling link": _link("/nonexistent/file"),
    "link to itself": lambda path: _link(path.name)(path),
    "moved and linked": _moved,
}

KINDS: Mapping[str, str] = {
    "blob": "blobs/sha256/*",
    "record": "layers/*.json",
    "index": "layers/*.index",
    "mark": "marks/*",
    "download": "downloads/*",
    "interpreter": "roots/*/**/*",
}

LAYOUT = ("index.json", "oci-layout", "blobs/sha256/*")


def damaged_store(kind: str, *, needed: bool) -> Callable[[Trial, int], Iterator[str]]:
    """Damage each file of a kind in each way.

    ``needed``: all that was made from the file is gone, so that the next build must read it.
    """

    def run(trial: Trial, step: int) -> Iterator[str]:
        trial.forget()
        trial.require_repaired()
        for number, name in enumerate(_victims(trial.store, KINDS[kind])):
            if number % step:
                continue
            for way in WAYS.values():
                victim = trial.store / name
                if not (victim.is_file() and not victim.is_symlink()):
                    break  # another name for it by now: the store was made anew
                if needed:
                    _forget_made(trial.store, victim)
                way(victim)
                yield _twice(trial)

    return run


def damaged_layout(trial: Trial, step: int) -> Iterator[str]:
    """Damage each file of the layout in each way; its blobs are no links into the store here."""
    trial.forget()
    trial.require_repaired()
    for pattern in LAYOUT:
        for number, name in enumerate(_victims(trial.output, pattern)):
            if number % step:
                continue
            for way in WAYS.values():
                _unlink_from_store(trial.output)
                way(trial.output / name)
                word = _ended_soundly(trial)
                if word == "invalid-layout":
                    shutil.rmtree(trial.output)  # its hint says so, or more mildly
                trial.require_repaired()
                yield word


def folders(trial: Trial, step: int) -> Iterator[str]:
    """Put a file, a link elsewhere, or nothing in the place of each directory of the store."""
    elsewhere = trial.harbour.work / "elsewhere"
    for name in ("blobs", "blobs/sha256", "layers", "marks", "downloads", "roots", "tmp")[::step]:
        for way in ("file", "link", "dangling", "nothing"):
            trial.forget()
            trial.require_repaired()
            folder = trial.store / name
            shutil.rmtree(elsewhere, ignore_errors=True)
            folder.rename(elsewhere)
            if way == "file":
                folder.write_bytes(b"no directory")
            elif way == "link":
                folder.symlink_to(elsewhere)
            elif way == "dangling":
                folder.symlink_to("/nonexistent/directory")
            ended = trial.run(trial.job())
            word = trial.ending(ended)
            if word != "done":
                folder.unlink()
            trial.require_repaired()
            yield word
    trial.forget()


def _twice(trial: Trial) -> str:
    word = _ended_soundly(trial)
    trial.require_repaired()
    return word


def _ended_soundly(trial: Trial) -> str:
    ended = trial.run(trial.job())
    word = trial.require_sound(ended) if ended.status == 0 else trial.ending(ended)
    if ended.status == 0:
        assert ended.image["digest"] == trial.digest, "another image"
    return word


def _victims(root: Path, pattern: str) -> list[str]:
    found = [
        path for path in sorted(root.glob(pattern)) if path.is_file() and not path.is_symlink()
    ]
    return [str(path.relative_to(root)) for path in found]


def _forget_made(store: Path, victim: Path) -> None:
    for pattern in ("layers/*", "blobs/sha256/*", "marks/*"):
        for path in store.glob(pattern):
            if path != victim:
                path.unlink()


def _unlink_from_store(layout: Path) -> None:
    for path in (layout / "blobs/sha256").iterdir():
        if path.is_file() and path.stat().st_nlink > 1:
            copy = path.with_name("copy")
            shutil.copyfile(path, copy)
            copy.replace(path)
