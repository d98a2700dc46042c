# SPDX-License-Identifier: Apache-2.0
"""What a maintainer script says, without the parts that change from version to version.

A script is shell, and shell cannot be understood by a program; it can only be recognised. So its
text is reduced to the statements its maintainer wrote: comments, blank lines, indentation, the
sections that debhelper generates and names are taken out, the package's own version and
architecture are replaced by placeholders. What is left is compared by hash with what people have
read (``data/scripts.toml``); a security update of the package rarely changes it.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass

__all__ = ["Alternative", "Reduced", "multiarch", "reduce_script"]

_GENERATED = re.compile(
    r"^# Automatically added by (?P<tool>dh_\w+)(?:/\S+)?\n"
    r"(?P<body>.*?)"
    r"^# End automatically added section$",
    re.MULTILINE | re.DOTALL,
)
_BOILERPLATE = frozenset({"set -e", "set -eu", "exit 0", ":"})
_CONFIGURE = re.compile(
    r'if \[ "\$1" = "?configure"? \](?: \|\| \[ "\$1" = "?abort-[a-z-]+"? \])* ?; then'
)
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One ``update-alternatives --install``; paths as written."""

    link: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What is left of a script.

    Attributes:
        tools: the generators whose sections were taken out, in order.
        statements: what the maintainer wrote; empty when there is nothing.
        alternatives: what the statements install, when they do nothing else; else empty.
    """

    tools: tuple[str, ...]
    statements: tuple[str, ...]
    alternatives: tuple[Alternative, ...]

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of the statements."""
        return hashlib.sha256("\n".join(self.statements).encode("utf-8", "replace")).hexdigest()


def multiarch(architecture: str) -> str:
    """Return the directory name of an architecture's libraries."""
    return _TRIPLETS[architecture]


def reduce_script(text: str, *, version: str, architecture: str) -> Reduced:
    """Reduce a script; ``architecture`` is that of the image, also for packages for all."""
    tools: list[str] = []
    generated: list[str] = []

    def take_out(match: re.Match[str]) -> str:
        tools.append(match["tool"])
        if match["tool"] == "dh_installalternatives":
            # Generated too, but what it says matters: it is judged like the rest.
            generated.append(match["body"])
        return ""

    own = _GENERATED.sub(take_out, text) + "".join(generated)
    statements = _statements(own)
    return Reduced(
        tools=tuple(tools),
        statements=tuple(_neutral(one, version, architecture) for one in statements),
        alternatives=_alternatives(statements) or (),
    )


def _statements(text: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", text)
    lines = (re.sub(r"\s+", " ", line).strip() for line in joined.splitlines())
    return [line for line in lines if line and line[0] != "#" and line not in _BOILERPLATE]


def _neutral(statement: str, version: str, architecture: str) -> str:
    if version:
        statement = statement.replace(version, "@version@")
    statement = statement.replace(_TRIPLETS[architecture], "@multiarch@")
    return re.sub(rf":{architecture}\b", ":@architecture@", statement)


def _alternatives(statements: list[str]) -> tuple[Alternative, ...] | None:
    """Return what is installed; None as soon as one statement is about something else."""
    found: list[Alternative] = []
    depth = 0
    for statement in statements:
        if _CONFIGURE.fullmatch(statement):
            depth += 1
        elif statement == "fi" and depth:
            depth -= 1
        else:
            alternative = _alternative(statement)
            if alternative is None:
                return None
            found.append(alternative)
    return tuple(found) if depth == 0 else None


def _alternative(statement: str) -> Alternative | None:
    try:
        words = shlex.split(statement)
    except ValueError:
        return None
    words = [word for word in words if word not in ("--quiet", "--force")]
    if words[:2] != ["update-alternatives", "--install"] or len(words) < 6:  # noqa: PLR2004
        return None
    link, _, path, priority, *rest = words[2:]
    slaves = tuple((rest[at + 1], rest[at + 3]) for at in range(0, len(rest) - 3, 4))
    regular = len(rest) == 4 * len(slaves) and all(word == "--slave" for word in rest[::4])
    paths = [link, path, *(one for slave in slaves for one in slave)]
    if not regular or not all(_is_literal(one) for one in paths):
        return None
    if not re.fullmatch(r"-?[0-9]{1,6}", priority):
        return None
    return Alternative(link, path, int(priority), slaves)


def _is_literal(path: str) -> bool:
    return re.fullmatch(r"/[A-Za-z0-9_./+@-]+", path) is not None and ".." not in path
