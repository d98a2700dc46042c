# SPDX-License-Identifier: Apache-2.0
"""Which files of a project are left out: always, by ``.gitignore``, by ``.dockerignore``.

gitignore(5) and Docker's ".dockerignore file" are implemented here and not by ``pathspec``, whose
import alone takes a tenth of the time of a build that has nothing to do. A test holds the result
against ``git check-ignore``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from posixpath import dirname, normpath

from wheelship.errors import InputError
from wheelship.request.glob import path_expression

__all__ = ["IgnoreRules", "compile_globs", "is_never_shipped"]

_NEVER_SHIPPED = re.compile(
    r"\.git|\.hg|\.svn|\.bzr|__pycache__|.*\.py[cod]|\.venv|\.tox|\.nox|\.eggs|.*\.egg-info"
    r"|\.mypy_cache|\.ruff_cache|\.pytest_cache|\.hypothesis|\.ipynb_checkpoints|\.idea|\.vscode"
    r"|\.DS_Store|\.coverage|\.wheelship|\.env|\.env\..*|\.netrc|\.pypirc|\.ssh|\.aws"
)
_NEVER_SHIPPED_AT_ROOT = re.compile(
    r"dist|build|wheelship\.lock|pylock(?:\.[^/]*)?\.toml|\.streamlit/secrets\.toml"
)


def is_never_shipped(path: str) -> bool:
    """Say whether ``path`` of the project is left out whatever the configuration says.

    These are caches, virtual environments, build results, locks and files that hold secrets.
    """
    names = path.split("/")
    return any(map(_NEVER_SHIPPED.fullmatch, names)) or any(
        _NEVER_SHIPPED_AT_ROOT.fullmatch("/".join(names[:length]))
        for length in range(1, len(names) + 1)
    )


def compile_globs(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test for paths that one of the root-anchored ``patterns`` names.

    A pattern that names a directory names everything below it.
    """
    expressions = [f"(?:{path_expression(pattern.rstrip('/'))})(?:/.*)?" for pattern in patterns]
    compiled = [re.compile(expression, re.DOTALL) for expression in expressions]
    return lambda path: any(expression.fullmatch(path) for expression in compiled)


class IgnoreRules:
    """The ignore files of one project; reads each once, when the first path below it is asked for.

    Paths are relative to the project's root, with forward slashes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, tuple[_Rule, ...]] = {}
        self._directories: dict[str, bool] = {"": False}
        self._outer = _outer_rules(root)
        self._docker = tuple(_docker_rules(_lines(root / ".dockerignore")))

    def ignores(self, path: str) -> bool:
        """Say whether the ignore files leave out the file ``path``."""
        return (
            self.ignores_directory(dirname(path))
            or self._git_decides(path, directory=False)
            or _last(self._docker, path, directory=False) is True
        )

    def ignores_directory(self, path: str) -> bool:
        """Say whether nothing below ``path`` can be re-included (gitignore(5))."""
        known = self._directories.get(path)
        if known is None:
            known = self.ignores_directory(dirname(path)) or self._git_decides(path, directory=True)
            self._directories[path] = known
        return known

    def _git_decides(self, path: str, *, directory: bool) -> bool:
        folder = path
        while folder:
            folder = dirname(folder)
            relative = path[len(folder) + 1 :] if folder else path
            decision = _last(self._rules(folder), relative, directory=directory)
            if decision is not None:
                return decision
        for below, rules in self._outer:
            decision = _last(rules, below + path, directory=directory)
            if decision is not None:
                return decision
        return False

    def _rules(self, folder: str) -> tuple[_Rule, ...]:
        rules = self._files.get(folder)
        if rules is None:
            rules = tuple(_git_rules(_lines(self._root / folder / ".gitignore")))
            self._files[folder] = rules
        return rules


class _Rule:
    """One line of an ignore file."""

    __slots__ = ("_directories_only", "_expression", "negated")

    def __init__(self, expression: str, *, negated: bool, directories_only: bool) -> None:
        self._expression = re.compile(expression, re.DOTALL)
        self._directories_only = directories_only
        self.negated = negated

    def matches(self, path: str, *, directory: bool) -> bool:
        """Say whether the rule speaks about ``path``, relative to the rule's file."""
        if self._directories_only and not directory:
            return False
        return self._expression.fullmatch(path) is not None


def _last(rules: tuple[_Rule, ...], path: str, *, directory: bool) -> bool | None:
    """Return what the last matching rule decides, None when none matches."""
    for rule in reversed(rules):
        if rule.matches(path, directory=directory):
            return not rule.negated
    return None


def _git_rules(lines: Iterable[str]) -> Iterator[_Rule]:
    for line in lines:
        pattern = _without_trailing_blanks(line)
        if pattern == "" or pattern.startswith("#"):
            continue
        negated = pattern.startswith("!")
        pattern = pattern[1:] if negated else pattern
        directories_only = pattern.endswith("/")
        pattern = pattern[:-1] if directories_only else pattern
        if "/" in pattern:
            expression = path_expression(pattern.removeprefix("/"))
        else:
            expression = f"(?:.*/)?{path_expression(pattern)}"
        if pattern:
            yield _Rule(expression, negated=negated, directories_only=directories_only)


def _docker_rules(lines: Iterable[str]) -> Iterator[_Rule]:
    """Read the lines of ``.dockerignore``: anchored patterns, and exceptions at any depth."""
    for line in lines:
        pattern = line.strip()
        if pattern == "" or line.startswith("#"):
            continue
        negated = pattern.startswith("!")
        pattern = normpath(pattern.removeprefix("!").strip()).lstrip("/")
        if pattern not in ("", "."):
            expression = f"{path_expression(pattern)}(?:/.*)?"
            yield _Rule(expression, negated=negated, directories_only=False)


def _without_trailing_blanks(line: str) -> str:
    """Drop trailing spaces that no backslash protects (gitignore(5))."""
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and stripped != line else stripped


def _outer_rules(root: Path) -> tuple[tuple[str, tuple[_Rule, ...]], ...]:
    """Return (path of the project below it, rules) of each folder up to the top of its repository.

    A rule that ignores the project as a whole does not count: somebody asked for the project.
    """
    found: list[tuple[str, tuple[_Rule, ...]]] = []
    below = ""
    for inner, folder in zip((root, *root.parents), root.parents, strict=False):
        if (inner / ".git").exists():
            return tuple(found)
        below = f"{inner.name}/{below}"
        project = below.rstrip("/")
        rules = tuple(
            rule
            for rule in _git_rules(_lines(folder / ".gitignore"))
            if not rule.matches(project, directory=True)
        )
        found.append((below, rules))
    return ()


def _lines(path: Path) -> list[str]:
    """Return the lines of an ignore file, none when there is no such file."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return []
    except OSError as error:
        # Going on would ship what the file was written to keep out.
        raise InputError(f"{path} cannot be read: {error.strerror}", where=str(path)) from error
    text = data.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    return [line.removesuffix("\r") for line in text.split("\n")]
