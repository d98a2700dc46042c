# SPDX-License-Identifier: Apache-2.0
"""Scripts of wheels: wrappers for entry points, ``#!python`` lines, and names that are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wheelship.wheel.errors import InvalidWheel, UnsafeScript

__all__ = ["EntryPoint", "check_script_name", "console_script", "parse_scripts", "retarget"]

_NAME = re.compile(r"[\w.-]+", re.ASCII)
_RESERVED = re.compile(
    r"(python|pythonw|pypy|graalpy)[\d.]*t?(-config)?(\.exe)?"
    r"|activate(\.\w+|_this\.py)?",  # not argcomplete's activate-global-python-argcomplete
    re.IGNORECASE,
)
_OBJECT = re.compile(
    r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*)\s*:\s*(?P<attribute>[^\W\d]\w*(\.[^\W\d]\w*)*)"
    r"\s*(\[.*\])?"
)
_SHEBANG = re.compile(rb"#!python[^\n]*\n?")


@dataclass(frozen=True, slots=True, order=True)
class EntryPoint:
    """A console or GUI script: ``name`` calls ``module:attribute``."""

    name: str
    module: str
    attribute: str


def parse_scripts(text: str, where: str) -> tuple[EntryPoint, ...]:
    """Read the console and GUI scripts of an ``entry_points.txt`` (entry points specification).

    Raises:
        InvalidWheel: the file cannot be read.
        UnsafeScript: a name is refused by :func:`check_script_name`.
    """
    import configparser

    # The format knows no section whose entries belong to all others, so none is called DEFAULT.
    parser = configparser.RawConfigParser(delimiters=("=",), strict=True, default_section="\0")
    # Names keep their case, as the entry points specification demands.
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        reason = str(error).splitlines()[0]
        raise InvalidWheel(
            f"its entry_points.txt is malformed: {reason}", where=where, hint=_HINT
        ) from error
    found: list[EntryPoint] = []
    for section in ("console_scripts", "gui_scripts"):
        for name, value in parser[section].items() if parser.has_section(section) else ():
            check_script_name(name, where)
            match = _OBJECT.fullmatch(value.strip())
            if match is None:
                raise InvalidWheel(
                    f"script {name} has the target {value!r}", where=where, hint=_HINT
                )
            found.append(EntryPoint(name, match["module"], match["attribute"]))
    return tuple(sorted(found))


def check_script_name(name: str, where: str) -> None:
    """Refuse a name that leaves ``bin`` or replaces the interpreter there (CVE-2026-8643).

    A name with ``.wh.`` before it would delete a file of a layer below (image-spec, whiteouts).

    Raises:
        UnsafeScript: the name is refused.
    """
    if not _NAME.fullmatch(name) or name in (".", "..") or name.startswith(".wh."):
        raise UnsafeScript(f"a script is called {name!r}", where=where, hint=_HINT)
    if _RESERVED.fullmatch(name):
        raise UnsafeScript(
            f"a script called {name!r} would replace the interpreter", where=where, hint=_HINT
        )


_HINT = "choose another version of the package, or leave it out with `exclude`"


def console_script(interpreter: str, module: str, attribute: str) -> bytes:
    """Return a script, run by ``interpreter``, that exits with the result of the entry point."""
    first = attribute.partition(".")[0]
    return (
        f"#!{interpreter}\n"
        "import sys\n"
        f"from {module} import {first}\n"
        'if __name__ == "__main__":\n'
        f"    sys.exit({attribute}())\n"
    ).encode()


def retarget(data: bytes, interpreter: str) -> bytes:
    """Replace a first line that starts with ``#!python`` by one with the target's interpreter.

    Binary distribution format, "Installing a wheel", step 2.d of spread. Like pip and uv this
    drops options on that line; any other line is kept.
    """
    match = _SHEBANG.match(data)
    return data if match is None else f"#!{interpreter}\n".encode() + data[match.end() :]
