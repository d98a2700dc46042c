# SPDX-License-Identifier: Apache-2.0
"""Variables, stop signal and writable directories, from Dockerfiles and addresses of databases."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from posixpath import dirname

from wheelship.discover.dockerfile import Dockerfile, split_words
from wheelship.discover.model import Found, Place
from wheelship.errors import InputError
from wheelship.request.code import Module
from wheelship.request.value import parse_absolute, parse_signal

__all__ = ["find_env", "find_stop_signal", "find_writable"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OURS = re.compile(
    r"PYTHON\w*|PATH|LD_LIBRARY_PATH|LANG|LC_ALL|HOME|TMPDIR|PORT|VIRTUAL_ENV|DEBIAN_FRONTEND"
    r"|(?:PIP|UV|POETRY|PIPENV|CONDA|NVIDIA|CUDA|GRADIO_SERVER|STREAMLIT_SERVER)_\w+"
)
_SECRET = re.compile(
    r"(?:^|.*_)(?:\w*SECRET|\w*PASSWORD|PASSWD|PASS|TOKEN|CREDENTIAL|(?:API)?KEY)S?(?:_.*|$)",
    re.IGNORECASE,
)
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?\s]*)")


def find_env(
    dockerfile: Dockerfile | None,
) -> tuple[tuple[tuple[str, Found[str]], ...], tuple[Found[str], ...]]:
    """Return the variables to propose, and remarks about those that are not taken over.

    Left out without a word: what every image sets itself, and what serves the build only.
    """
    env: dict[str, Found[str]] = {}
    remarks: list[Found[str]] = []
    for instruction in dockerfile.every("ENV") if dockerfile is not None else ():
        for name, value in _assignments(instruction.text):
            place = Place(dockerfile.path if dockerfile else "", instruction.line_of(name))
            if _OURS.fullmatch(name) or not _NAME.fullmatch(name):
                continue
            if _SECRET.fullmatch(name):
                why = f"{name} looks like a secret: give it when the container starts"
                remarks.append(Found(value=name, why=why, place=place))
            elif "$" in value or not value.isprintable():
                why = f"{name} refers to other variables: write its value yourself"
                remarks.append(Found(value=name, why=why, place=place))
            else:
                env[name] = Found(value=value, why="ENV", place=place)
    return tuple(env.items()), tuple(remarks)


def find_stop_signal(dockerfile: Dockerfile | None) -> Found[str] | None:
    """Return the signal that a Dockerfile names, unless it is the one engines send anyway."""
    instruction = None if dockerfile is None else dockerfile.last("STOPSIGNAL")
    if dockerfile is None or instruction is None:
        return None
    try:
        name = parse_signal("SIG" + instruction.text.strip().upper().removeprefix("SIG"))
    except InputError:  # a number, a variable
        return None
    place = Place(dockerfile.path, instruction.line)
    return None if name == "SIGTERM" else Found(value=name, why="STOPSIGNAL", place=place)


def find_writable(
    dockerfile: Dockerfile | None, modules: Sequence[Module]
) -> tuple[tuple[Found[str], ...], tuple[Found[str], ...]]:
    """Return directories the service writes to, and remarks about those that cannot be."""
    found: dict[str, Found[str]] = {}
    remarks: list[Found[str]] = []
    for instruction in dockerfile.every("VOLUME") if dockerfile is not None else ():
        for word in instruction.words:
            place = Place(dockerfile.path if dockerfile else "", instruction.line_of(word))
            _note(found, Found(value=word, why="VOLUME", place=place))
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            match = _SQLITE.fullmatch(node.value)
            path = "" if match is None else match["path"]
            place = Place(module.path, node.lineno)
            if path.startswith("/"):
                _note(found, Found(value=dirname(path), why="a database there", place=place))
            elif path and not path.startswith(":"):
                why = f"the database {path} is below /app, which is read-only in the image"
                remarks.append(Found(value=path, why=why, place=place))
    return tuple(found.values()), tuple(remarks)


def _note(found: dict[str, Found[str]], one: Found[str]) -> None:
    try:
        path = parse_absolute(one.value)
    except InputError:
        return
    if path != "/tmp" and not path.startswith("/tmp/"):  # noqa: S108 - the image's own
        found.setdefault(path, Found(value=path, why=one.why, place=one.place))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of ``NAME=value …`` and of the older ``NAME value``."""
    name, blank, rest = text.partition(" ")
    if "=" not in name:
        if blank:
            yield name, rest.strip()
        return
    for word in split_words(text):
        key, equals, value = word.partition("=")
        if equals:
            yield key, value
