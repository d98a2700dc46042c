# SPDX-License-Identifier: Apache-2.0
"""An existing Dockerfile as far as it tells how the service runs (Docker, "Dockerfile reference").

Only instructions that say something about run time are understood; what cannot be read is passed
over, because nothing depends on it but a proposal that its user will look at.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.discover.model import Found, Place

__all__ = ["Dockerfile", "Instruction", "read_dockerfiles"]

_NAME = re.compile(r"Dockerfile(?:[.-][\w.-]+)?|[\w.-]+\.Dockerfile|Containerfile", re.IGNORECASE)
_FOLDERS = (".", "docker", "deploy", "build")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\})")
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_LARGEST_BYTES = 256_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction; ``text`` has its continuation lines joined, ``lines`` their numbers."""

    keyword: str
    text: str
    lines: tuple[tuple[int, str], ...]

    @property
    def line(self) -> int:
        """The line it begins on."""
        return self.lines[0][0]

    def line_of(self, word: str) -> int:
        """Return the line on which ``word`` stands in it."""
        pattern = re.compile(rf"(?<![\w.+-]){re.escape(word)}(?![\w+-])")
        return next((number for number, text in self.lines if pattern.search(text)), self.line)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments, in exec or shell form."""
        if self.text.startswith("["):
            try:
                listed = json.loads(self.text)
            except ValueError:
                return ()
            return tuple(map(str, listed)) if isinstance(listed, list) else ()
        return split_words(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """One file: the images it builds on, and what its last stage does, earlier stages included.

    Attributes:
        bases: images of other origin, each with its line.
        instructions: those of the last stage and of the stages it is built on, in order.
    """

    path: str
    bases: tuple[Found[str], ...]
    instructions: tuple[Instruction, ...]

    @property
    def base(self) -> Found[str] | None:
        """The image that the last stage stands on."""
        return self.bases[-1] if self.bases else None

    def last(self, keyword: str) -> Instruction | None:
        """Return the instruction that counts where a later one replaces an earlier."""
        return next((one for one in reversed(self.instructions) if one.keyword == keyword), None)

    def every(self, keyword: str) -> Iterator[Instruction]:
        """Yield all instructions of one kind."""
        return (one for one in self.instructions if one.keyword == keyword)


def read_dockerfiles(root: Path) -> tuple[Dockerfile, ...]:
    """Read the Dockerfiles of the project, the one named just ``Dockerfile`` first."""
    found: list[Dockerfile] = []
    for folder in _FOLDERS:
        paths = sorted((root / folder).glob("*")) if (root / folder).is_dir() else []
        for path in paths:
            if _NAME.fullmatch(path.name) and not path.name.endswith(".dockerignore"):
                text = _text(path)
                if text is not None:
                    found.append(_parse(path.relative_to(root).as_posix(), text))
    return tuple(sorted(found, key=lambda one: (one.path != "Dockerfile", one.path)))


def split_words(text: str) -> tuple[str, ...]:
    """Split as a shell would; text that no shell takes is split at blanks."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return None
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return None


def _parse(path: str, text: str) -> Dockerfile:
    variables: dict[str, str] = {}
    stages: dict[str, tuple[Found[str] | None, list[Instruction]]] = {}
    current: list[Instruction] = []
    bases: list[Found[str]] = []
    for instruction in _instructions(text):
        if instruction.keyword == "FROM":
            match = _FROM.match(_expand(instruction.text, variables))
            if match is None:
                continue
            inherited = stages.get(match["image"].lower())
            if inherited is None:
                place = Place(path, instruction.line)
                bases.append(Found(value=match["image"], why="base image", place=place))
            current = [] if inherited is None else list(inherited[1])
            base = bases[-1] if inherited is None else inherited[0]
            stages[(match["name"] or f"#{len(stages)}").lower()] = (base, current)
            last = base
            bases = [*(one for one in bases if one is not last), *([last] if last else [])]
            continue
        if instruction.keyword == "ARG":
            name, _, value = instruction.text.partition("=")
            variables.setdefault(name.strip(), value.strip().strip("\"'"))
        text_now = instruction.text
        if instruction.keyword != "RUN":
            text_now = _expand(text_now, variables)
        current.append(
            Instruction(keyword=instruction.keyword, text=text_now, lines=instruction.lines)
        )
    return Dockerfile(path=path, bases=tuple(bases), instructions=tuple(current))


def _instructions(text: str) -> Iterator[Instruction]:
    lines = iter(enumerate(text.splitlines(), 1))
    for number, raw in lines:
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        taken = [(number, raw)]
        joined = raw.strip()
        while joined.endswith("\\"):
            following = next(lines, None)
            if following is None:
                break
            taken.append(following)
            if not following[1].lstrip().startswith("#"):
                joined = f"{joined[:-1].rstrip()} {following[1].strip()}"
        keyword, _, rest = joined.rstrip("\\").partition(" ")
        document = _HEREDOC.search(rest) if keyword.upper() == "RUN" else None
        for line in lines if document is not None else ():
            taken.append(line)
            if document is None or line[1].strip() == document[1]:
                break
            rest += f"\n{line[1]}"
        yield Instruction(keyword=keyword.upper(), text=rest.strip(), lines=tuple(taken))


def _expand(text: str, variables: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["braced"]
        return variables.get(name) or match["default"] or match[0]

    return _VARIABLE.sub(value, text)
