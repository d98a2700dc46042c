# SPDX-License-Identifier: Apache-2.0
"""``requirements.txt`` of a project without ``[project]`` (pip, "Requirements File Format").

What cannot be honoured is reported, never skipped: an option that pip would obey and we would not
changes what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath

from wheelship.errors import InputError
from wheelship.request.document import Findings
from wheelship.request.requirement import check_requirement, requirement_name
from wheelship.request.value import parse_url

__all__ = ["Requirements", "read_requirements"]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--[a-z-]+|-[A-Za-z])[=\s]*(?P<value>.*)")
_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-i": "--index-url",
    "-f": "--find-links",
    "-e": "--editable",
}
_HARMLESS = frozenset({"--prefer-binary", "--only-binary"})  # an image is made of wheels anyway
_HASH = re.compile(r"--hash[=\s]\s*(?P<kind>[a-z0-9]+):(?P<value>[0-9a-f]+)(?:\s+|$)")
_HINTS = {
    "--editable": "remove it: the project's own files are found by its layout",
    "--pre": 'name the pre-release in the requirement: "name>=2.0rc1"',
    "--no-index": "name the wheel directories with find-links and build with --offline",
    "--no-binary": "remove it: an image is made of wheels",
}


@dataclass(slots=True)
class Requirements:
    """What the files hold, in the order written; filled while reading.

    Attributes:
        hashes: SHA-256 of the files that are allowed, by normalised name.
        hashed: some requirement has hashes, so every package must have some.
    """

    requirements: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    index: str | None = None
    extra_indexes: list[str] = field(default_factory=list)
    find_links: list[Path] = field(default_factory=list)
    hashes: dict[str, set[str]] = field(default_factory=dict)
    hashed: bool = False

    def allowed_files(self) -> dict[str, frozenset[str]] | None:
        """Return the hashes by name; None where no hash is demanded."""
        if not self.hashed:
            return None
        return {name: frozenset(found) for name, found in self.hashes.items()}


def read_requirements(root: Path, names: str | Sequence[str], findings: Findings) -> Requirements:
    """Read the files ``names`` below ``root``, and those they name, one after the other.

    What is wrong is added to ``findings``.
    """
    found = Requirements()
    reader = _Reader(root, found, findings)
    for name in (names,) if isinstance(names, str) else names:
        reader.read(name, constraining=False)
    return found


class _Reader:
    def __init__(self, root: Path, found: Requirements, findings: Findings) -> None:
        self._root = root
        self._found = found
        self._findings = findings
        self._seen: set[tuple[str, bool]] = set()

    def read(self, name: str, *, constraining: bool) -> None:
        """Add what the file ``name`` holds; ``name`` is relative to the project."""
        if (name, constraining) in self._seen:
            return
        self._seen.add((name, constraining))
        try:
            text = (self._root / name).read_bytes().decode("utf-8-sig")
        except OSError as error:
            self._findings.add(name, f"cannot be read: {error.strerror}")
            return
        except UnicodeDecodeError as error:
            hint = "save the file as UTF-8"
            self._findings.add(name, f"is not UTF-8 (byte {error.start})", hint=hint)
            return
        for number, line in _logical_lines(text):
            try:
                self._line(name, line, constraining=constraining)
            except InputError as error:
                self._findings.add(name, error.message, hint=error.hint, line=number)

    def _line(self, name: str, line: str, *, constraining: bool) -> None:
        if line.startswith("-"):
            self._option(name, line)
            return
        requirement, _, options = line.partition(" --")
        requirement = requirement.rstrip()
        hashes = self._hashes(f"--{options}") if options else set()
        if "${" in requirement:
            raise InputError(
                "environment variables are not expanded", hint="write the value itself"
            )
        if requirement.startswith((".", "/")) or re.match(r"[a-z+]+://", requirement):
            raise InputError(
                f"{requirement!r} has no name, so it cannot be locked",
                hint='write it like "name @ https://…/name-1.0-py3-none-any.whl"',
            )
        check_requirement(requirement)
        kind = self._found.constraints if constraining else self._found.requirements
        kind.append(requirement)
        if hashes:
            self._found.hashed = True
            self._found.hashes.setdefault(requirement_name(requirement), set()).update(hashes)

    def _hashes(self, options: str) -> set[str]:
        """Return the SHA-256 of what follows a requirement; weaker hashes tell nothing."""
        found: set[str] = set()
        while options:
            match = _HASH.match(options)
            if match is None:
                self._refuse(re.split(r"[=\s]", options, maxsplit=1)[0])
                break
            if match["kind"] == "sha256":
                found.add(match["value"])
            options = options[match.end() :]
        if not found:
            hint = "pip-compile --generate-hashes, or uv pip compile --generate-hashes"
            raise InputError("has no sha256 among its hashes", hint=hint)
        return found

    def _option(self, name: str, line: str) -> None:
        match = _OPTION.fullmatch(line)
        if match is None:
            raise InputError(f"{line!r} is neither a requirement nor an option")
        option = _SHORT.get(match["name"], match["name"])
        value = match["value"].strip()
        if "${" in value:
            raise InputError(f"{option}: environment variables are not expanded")
        if option in ("--requirement", "--constraint"):
            self.read(self._beside(name, value), constraining=option == "--constraint")
        elif option == "--index-url":
            self._found.index = parse_url(value)
        elif option == "--extra-index-url":
            self._found.extra_indexes.append(parse_url(value))
        elif option == "--find-links" and "://" not in value:
            self._found.find_links.append(Path(normpath(join(self._root, dirname(name), value))))
        elif option == "--require-hashes":
            self._found.hashed = True
        elif option not in _HARMLESS:
            self._refuse(option)

    def _beside(self, name: str, value: str) -> str:
        target = normpath(join(dirname(name), value))
        if value == "" or "://" in value or target.startswith(("/", "../")):
            raise InputError(f"{value!r} is not a file of the project")
        return target

    def _refuse(self, option: str) -> None:
        raise InputError(
            f"the option {option} is not supported yet",
            hint=_HINTS.get(option, "remove it, or write the project's needs in pyproject.toml"),
        )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, content) with continuations joined and comments removed."""
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if pending else number
        comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not comment:
            pending += raw[:-1] + " "
            continue
        line = _COMMENT.sub("", pending + raw).strip()
        pending = ""
        if line:
            yield start, line
    if line := _COMMENT.sub("", pending).strip():
        yield start, line
