# SPDX-License-Identifier: Apache-2.0
"""The written list: which differences are meant, and why (``rules.toml``)."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.compare import Aspect, Difference

__all__ = ["Refusal", "Rule", "Rules", "explain", "read_rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Explains differences from one or both reference installers.

    Attributes:
        paths: globs over the path that differs.
        check: a further condition, by name.
        other_agrees: only where the other reference installer does as we do.
        title: what differs, as the documentation has it.
        reason: why that is right.
    """

    name: str
    against: tuple[str, ...]
    aspect: Aspect
    paths: tuple[str, ...]
    title: str
    reason: str
    check: str = ""
    other_agrees: bool = False

    def explains(self, installer: str, one: Difference) -> bool:
        """Tell whether this rule is the reason of a difference."""
        return (
            installer in self.against
            and one.aspect == self.aspect
            and any(fnmatch.fnmatchcase(one.path, glob) for glob in self.paths)
            and (one.other_agrees or not self.other_agrees)
            and (not self.check or _CHECKS[self.check](one))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A wheel that not everybody installs.

    Attributes:
        wheel: glob over its file name.
        by: who refuses it: ``pip``, ``uv``, ``wheelship``.
        says: part of the message.
        waivable: whether ``waive-record`` makes us install it as the others do.
    """

    wheel: str
    by: tuple[str, ...]
    says: str
    reason: str
    waivable: bool = False

    def explains(self, installer: str, wheel: str, message: str) -> bool:
        """Tell whether this refusal was meant."""
        return (
            installer in self.by and fnmatch.fnmatchcase(wheel, self.wheel) and self.says in message
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that is written down."""

    differences: tuple[Rule, ...]
    refusals: tuple[Refusal, ...]


def read_rules(path: Path) -> Rules:
    """Return the rules in the order of the file."""
    document = tomllib.loads(path.read_text())
    return Rules(
        differences=tuple(Rule(**_tuples(one)) for one in document["difference"]),
        refusals=tuple(Refusal(**_tuples(one)) for one in document["refusal"]),
    )


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in table.items()}


def explain(rules: Sequence[Rule], installer: str, one: Difference) -> Rule | None:
    """Return the first rule that explains a difference."""
    return next((rule for rule in rules if rule.explains(installer, one)), None)


_CALLS = re.compile(
    r"^\s*from (\S+) import (\S+)$.*?\bsys\.exit\(([\w.]+)\(\)\)", re.MULTILINE | re.DOTALL
)


def _same_entry_point(one: Difference) -> bool:
    """Both scripts name the same interpreter, import the same thing and exit with its result."""
    if one.theirs is None or one.ours is None:
        return False
    scripts = (one.theirs.data, one.ours.data)
    lines = {script.partition(b"\n")[0] for script in scripts}
    calls = [_CALLS.search(script.decode("utf-8", "replace")) for script in scripts]
    return (
        len(lines) == 1
        and calls[0] is not None
        and calls[1] is not None
        and calls[0].groups() == calls[1].groups()
    )


def _file_differs(one: Difference) -> bool:
    """The row differs because its file does, which needs a rule of its own."""
    left, right = one.theirs, one.ours
    if left is None or right is None:
        return left is not right
    return left.content != right.content


def _completed(one: Difference) -> bool:
    """Their row lacks a hash or a size of a file that is the same; ours has both."""
    theirs, ours = one.rows
    return (
        one.theirs is not None
        and not _file_differs(one)
        and theirs is not None
        and ours is not None
        and "" in theirs
        and "" not in ours
        and all(left in ("", right) for left, right in zip(theirs, ours, strict=True))
    )


def _rehashed(one: Difference) -> bool:
    """Their row has a weak hash of a file that is the same; ours has a strong one."""
    theirs, ours = one.rows
    return (
        not _file_differs(one)
        and theirs is not None
        and ours is not None
        and theirs[0].startswith(("md5=", "sha1="))
        and ours[0].startswith("sha256=")
        and theirs[1] == ours[1]
    )


def _only_their_row(one: Difference) -> bool:
    return one.rows[0] is not None and one.rows[1] is None


def _no_file(one: Difference) -> bool:
    """A row about nothing that anybody installed."""
    return one.theirs is None and one.ours is None and _only_their_row(one)


def _empty_file(one: Difference) -> bool:
    return one.theirs is not None and one.theirs.kind == "file" and not one.theirs.data


def _directory(one: Difference) -> bool:
    return one.theirs is not None and one.theirs.kind == "directory"


def _modes(one: Difference) -> tuple[int, int]:
    assert one.theirs is not None
    assert one.ours is not None
    return one.theirs.mode, one.ours.mode


def _only_ours_executable(one: Difference) -> bool:
    return _modes(one) == (0o644, 0o755)


def _only_theirs_executable(one: Difference) -> bool:
    return _modes(one) == (0o755, 0o644)


_CHECKS: dict[str, Callable[[Difference], bool]] = {
    "same-entry-point": _same_entry_point,
    "file-differs": _file_differs,
    "completed": _completed,
    "rehashed": _rehashed,
    "only-their-row": _only_their_row,
    "no-file": _no_file,
    "empty-file": _empty_file,
    "directory": _directory,
    "only-ours-executable": _only_ours_executable,
    "only-theirs-executable": _only_theirs_executable,
}
