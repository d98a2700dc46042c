# SPDX-License-Identifier: Apache-2.0
"""Where the service is meant to listen: an existing Dockerfile, a Procfile, the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from wheelship.discover.dockerfile import Dockerfile, split_words
from wheelship.discover.model import Found, Place
from wheelship.request.code import Module, keyword

__all__ = ["find_ports"]

_PORT_OPTIONS = ("--port", "-p", "--server.port", "--server-port")
_ADDRESS_OPTIONS = ("--bind", "-b", "--listen")
_NUMBER = re.compile(r"\d{1,5}", re.ASCII)
_LARGEST = 65535
_RUNNERS = ("run", "serve", "run_app", "launch")


def find_ports(
    root: Path, dockerfile: Dockerfile | None, modules: Sequence[Module]
) -> tuple[Found[int], ...]:
    """Return the ports that were found, what says most about production first.

    The code comes last: ``uvicorn.run(…, port=…)`` below a main guard is how developers start it.
    """
    return tuple(
        one
        for one in (*_of_dockerfile(dockerfile), *_of_procfile(root), *_of_code(modules))
        if 0 < one.value <= _LARGEST
    )


def _of_dockerfile(dockerfile: Dockerfile | None) -> Iterator[Found[int]]:
    if dockerfile is None:
        return
    for kind in ("CMD", "ENTRYPOINT"):
        instruction = dockerfile.last(kind)
        port = None if instruction is None else _of_words(_flat(instruction.words))
        if instruction is not None and port is not None:
            line = instruction.line_of(str(port))
            yield Found(value=port, why=f"{kind} listens there", place=Place(dockerfile.path, line))
    for instruction in dockerfile.every("EXPOSE"):
        for word in instruction.words:
            number, _, protocol = word.partition("/")
            if _NUMBER.fullmatch(number) and protocol in ("", "tcp"):
                place = Place(dockerfile.path, instruction.line)
                yield Found(value=int(number), why="EXPOSE", place=place)
    for instruction in dockerfile.every("ENV"):
        match = re.search(r"(?:^|\s)PORT[=\s]\"?(\d{1,5})\b", instruction.text)
        if match is not None:
            place = Place(dockerfile.path, instruction.line_of("PORT"))
            yield Found(value=int(match[1]), why="ENV PORT", place=place)


def _flat(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command that a shell is told to run."""
    match tuple(words):
        case (shell, option, script, *_) if shell.endswith("sh") and option.startswith("-"):
            return split_words(script)
        case own:
            return own


def _of_procfile(root: Path) -> Iterator[Found[int]]:
    try:
        lines = (root / "Procfile").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for number, line in enumerate(lines, 1):
        kind, _, command = line.partition(":")
        port = _of_words(split_words(command)) if kind.strip() == "web" else None
        if port is not None:
            yield Found(value=port, why="web process", place=Place("Procfile", number))


def _of_words(words: Sequence[str]) -> int | None:
    """Return the port that the arguments of a server name."""
    for word, following in pairwise((*words, "")):
        option, equals, value = word.partition("=")
        text = value if equals else following
        if option in _ADDRESS_OPTIONS:
            text = text.rpartition(":")[2]
        elif option not in _PORT_OPTIONS:
            continue
        if _NUMBER.fullmatch(text):
            return int(text)
    return None


def _of_code(modules: Sequence[Module]) -> Iterator[Found[int]]:
    for module in modules:
        for call in ast.walk(module.tree):
            if not isinstance(call, ast.Call):
                continue
            name = module.resolve(call.func).rpartition(".")[2] or _attribute(call)
            given = keyword(call, "port") or keyword(call, "server_port")
            port = _number(given, module) if name in _RUNNERS else None
            if port is not None:
                place = Place(module.path, given.lineno if given is not None else call.lineno)
                yield Found(value=port, why=f"{name}(port=…)", place=place)


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _number(expression: ast.expr | None, module: Module) -> int | None:
    """Return the number written there, or the default of a variable of the environment."""
    match expression:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() as number):
            return number
        case ast.Constant(value=str() as text) if _NUMBER.fullmatch(text):
            return int(text)
        case ast.Call(func=ast.Name(id="int"), args=[inner]):
            return _number(inner, module)
        case ast.Call(func=function, args=[_, default]) if module.resolve(function) in (
            "os.environ.get",
            "os.getenv",
        ):
            return _number(default, module)
        case _:
            return None
