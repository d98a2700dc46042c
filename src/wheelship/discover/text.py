# SPDX-License-Identifier: Apache-2.0
"""A proposal as commented TOML, and the file it goes into."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wheelship.discover.model import Found
from wheelship.discover.propose import Proposal, Setting, Value
from wheelship.errors import InputError
from wheelship.files.write import write_file
from wheelship.request.errors import FindingsError
from wheelship.request.read import read_request
from wheelship.request.table import quoted

__all__ = ["AlreadyConfigured", "CannotAppend", "Target", "render", "target_of", "write"]

_PYPROJECT = "pyproject.toml"
_OWN = "wheelship.toml"
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WIDTH = 100


class AlreadyConfigured(InputError):
    """The project has a wheelship table; it would not be found out again what is in it."""

    code = "already-configured"


class CannotAppend(InputError):
    """A table at the end of the file would not be part of the document, or would not be valid."""

    code = "cannot-append"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The file that the table belongs into: what it holds now, and the table's place in it."""

    path: Path
    before: bytes | None
    prefix: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name in the project."""
        return self.path.name


def target_of(root: Path, *, again: bool = False) -> Target:
    """Return where the table of the project goes: ``pyproject.toml`` where there is one.

    Raises:
        AlreadyConfigured: there is a table already, unless ``again`` only wants to look.
    """
    pyproject, own = root / _PYPROJECT, root / _OWN
    before = pyproject.read_bytes() if pyproject.is_file() else None
    tool = tomllib.loads(before.decode()).get("tool") if before is not None else None
    has_table = isinstance(tool, dict) and "wheelship" in tool
    if not again and (has_table or own.exists()):
        raise AlreadyConfigured(
            "the project has a wheelship table already",
            where=_PYPROJECT if has_table else _OWN,
            hint="see what would be written: wheelship init --dry-run; to begin anew, remove it",
        )
    if before is None:
        return Target(path=own, before=None, prefix=())
    return Target(path=pyproject.resolve(), before=before, prefix=("tool", "wheelship"))


def render(proposal: Proposal, prefix: tuple[str, ...]) -> str:
    """Return the table as TOML; ``prefix`` is where it stands in its document."""
    lines = ["# Written by `wheelship init` from what it found; change what you know better."]
    for table in proposal.tables:
        name = ".".join(
            (*prefix, *(part if _BARE.fullmatch(part) else quoted(part) for part in table))
        )
        if table:
            lines.append("")
        if name:
            lines.append(f"[{name}]")
        for setting in proposal.settings:
            if setting.table == table:
                lines += _setting(setting)
        lines += [
            line for owner, aside in proposal.asides if owner == table for line in _comment(aside)
        ]
    return "\n".join(lines) + "\n"


def write(root: Path, target: Target, table: str) -> None:
    """Write the table into its file, whose other bytes stay as they are, and read it back.

    Raises:
        CannotAppend: the file would not be read as it is meant; nothing has changed then.
        FindingsError: the project cannot be read with the table; nothing has changed then.
        OSError: the disk refuses.
    """
    content = _joined(target.before or b"", table)
    try:
        tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        hint = f"put the table into {_OWN}: wheelship init --dry-run shows it"
        raise CannotAppend(
            f"no table can be added: {error}", where=target.name, hint=hint
        ) from error
    mode = 0o644 if target.before is None else target.path.stat().st_mode & 0o7777
    write_file(target.path, content, mode=mode)
    try:
        read_request(root)
    except FindingsError:
        if target.before is None:
            target.path.unlink()
        else:
            write_file(target.path, target.before, mode=mode)
        raise


def _joined(before: bytes, table: str) -> bytes:
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    added = table.encode().replace(b"\n", newline)
    if not before:
        return added
    end = b"" if before.endswith(b"\n") else newline
    return before + end + newline + added


def _setting(setting: Setting) -> Iterator[str]:
    key = setting.key if _BARE.fullmatch(setting.key) else quoted(setting.key)
    if not setting.meaning:
        yield f"{key} = {_value(setting.value)}  # {_plain(str(setting.found))}"
        return
    reasons = _each(setting.value)
    why = "" if reasons else f" Found: {setting.found}."
    yield from _comment(setting.meaning + why)
    if not reasons:
        yield f"{key} = {_value(setting.value)}"
        return
    yield f"{key} = ["
    for one in reasons:
        yield f"    {quoted(one.value)},  # {_plain(str(one))}"
    yield "]"


def _each(value: Value) -> list[Found[str]]:
    return [one for one in value if isinstance(one, Found)] if isinstance(value, tuple) else []


def _value(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return f"[{', '.join(quoted(one) for one in value if isinstance(one, str))}]"


def _comment(text: str) -> Iterator[str]:
    from textwrap import wrap

    for line in wrap(_plain(text), _WIDTH - 2, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _plain(text: str) -> str:
    """Return ``text`` on one line: what comes from the project's files must not end a comment."""
    return "".join(one if one.isprintable() else " " for one in text)
