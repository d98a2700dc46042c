# SPDX-License-Identifier: Apache-2.0
"""Walks the project and selects the files that become part of the image."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wheelship.request.errors import Finding
from wheelship.request.glob import is_literal
from wheelship.request.ignore import IgnoreRules, compile_globs, is_never_shipped
from wheelship.request.layout import Layout

__all__ = ["Selected", "select"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A regular file: ``path`` in the project, and where its content is after following links."""

    path: str
    source: Path
    executable: bool


def select(
    root: Path,
    layout: Layout,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    findings: list[Finding],
) -> list[Selected]:
    """Return the files of ``layout`` and those that ``include`` names, sorted by path.

    Ignore files keep back what the layout finds; ``include`` names files that are wanted although
    they are ignored, ``exclude`` wins over both. What cannot be shipped goes to ``findings``.
    """
    rules = IgnoreRules(root)
    walk = partial(_Walk, root=root, excluded=compile_globs(exclude), findings=findings)
    found: dict[str, Selected] = {}
    for start in (*layout.installed, *layout.placed):
        kept = walk(
            start=start,
            wanted=lambda path: not rules.ignores(path),
            skipped=rules.ignores_directory,
        )
        found |= {file.path: file for file in kept.files()}
    for pattern in include:
        named = walk(start=_fixed_part(pattern), wanted=compile_globs([pattern]))
        known = len(findings)
        matches = {file.path: file for file in named.files()}
        if not matches and len(findings) == known:
            hint = "correct app.include; patterns are relative to the project's directory"
            message = "no file of the project matches this pattern of app.include"
            findings.append(Finding(file=pattern, message=message, hint=hint))
        found |= matches
    return [found[path] for path in sorted(found)]


def _fixed_part(pattern: str) -> str:
    """Return the directory or file below which all matches lie, so that little is walked."""
    fixed: list[str] = []
    for segment in pattern.rstrip("/").split("/"):
        if not is_literal(segment):
            break
        fixed.append(segment)
    return "/".join(fixed)


class _Unshippable(Exception):
    """Why one file or directory cannot become part of an image."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _nothing(path: str) -> bool:
    del path
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """One walk below ``start``: which files are wanted, which directories are not entered."""

    root: Path
    start: str
    wanted: Callable[[str], bool]
    skipped: Callable[[str], bool] = _nothing
    excluded: Callable[[str], bool]
    findings: list[Finding]

    def files(self) -> Iterator[Selected]:
        """Yield the wanted files; a ``start`` that does not exist has none."""
        start = self.root / self.start
        if not start.exists() and not start.is_symlink():
            return
        if self.start and not start.parent.resolve().is_relative_to(self.root):
            self._report(self.start, _Unshippable("lies behind a link that leaves the project"))
            return
        yield from self._visit(self.start, ())

    def _visit(self, path: str, within: tuple[tuple[int, int], ...]) -> Iterator[Selected]:
        if path and (is_never_shipped(path) or self.excluded(path)):
            return
        try:
            source, status = self._follow(path)
            if stat.S_ISDIR(status.st_mode):
                if not self.skipped(path):
                    yield from self._children(path, source, status, within)
            elif self.wanted(path):
                yield _regular(path, source, status)
        except _Unshippable as error:
            self._report(path, error)
        except OSError as error:
            self._report(path, _Unshippable(f"cannot be read: {error.strerror}"))

    def _children(
        self, path: str, source: Path, status: os.stat_result, within: tuple[tuple[int, int], ...]
    ) -> Iterator[Selected]:
        identity = (status.st_dev, status.st_ino)
        if identity in within:
            raise _Unshippable("is a link that leads back to a directory it lies in")
        with os.scandir(source) as entries:
            names = sorted(entry.name for entry in entries)
        if "pyvenv.cfg" in names:
            return
        for name in names:
            yield from self._visit(f"{path}/{name}" if path else name, (*within, identity))

    def _follow(self, path: str) -> tuple[Path, os.stat_result]:
        """Return where the content of ``path`` is and what it is; links must stay inside."""
        source = self.root / path
        status = source.lstat()
        if not stat.S_ISLNK(status.st_mode):
            return source, status
        try:
            target = source.resolve(strict=True)
        except FileNotFoundError as error:
            message = f"is a link to {source.readlink()}, which does not exist"
            raise _Unshippable(message) from error
        except (RuntimeError, OSError) as error:  # a loop is a RuntimeError before Python 3.13
            raise _Unshippable("is a link that cannot be followed") from error
        if not target.is_relative_to(self.root):
            hint = "copy what it points to into the project, or exclude it with app.exclude"
            raise _Unshippable(f"is a link to {target}, outside the project", hint)
        if is_never_shipped(target.relative_to(self.root).as_posix()):
            raise _Unshippable(f"is a link to {target.name}, which is never put into an image")
        return target, target.stat()

    def _report(self, path: str, error: _Unshippable) -> None:
        """Record why ``path`` cannot be shipped, if it would have been."""
        if path == self.start or self.wanted(path):
            shown = path.encode("utf-8", errors="backslashreplace").decode() or "."
            self.findings.append(Finding(file=shown, message=error.message, hint=error.hint))


def _regular(path: str, source: Path, status: os.stat_result) -> Selected:
    if any(name.startswith(".wh.") for name in path.split("/")):
        raise _Unshippable('has a name that images read as "deleted"', "rename it")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Unshippable("has a name that is not UTF-8", "rename it") from error
    if not stat.S_ISREG(status.st_mode):
        raise _Unshippable("is a device, socket or pipe", "exclude it with app.exclude")
    return Selected(path=path, source=source, executable=bool(status.st_mode & stat.S_IXUSR))
