# SPDX-License-Identifier: Apache-2.0
"""A second Python, and packages that are installed for both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from wheelship.inspect.model import Item, Owner
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Interpreter, Subject

__all__ = ["RULE"]

_PROGRAM = re.compile(
    r"(?P<prefix>(?:.*/)?)(?:bin|lib(?:/[^/]+-linux-gnu)?)/[^/]*python(?P<version>\d+\.\d+)[^/]*"
)
_BYTECODE = re.compile(r"(.*/)__pycache__/([^/.]+)\.[^/]+\.pyc")
_VERSION = re.compile(r"/python(\d+\.\d+)/", re.ASCII)


def _find(subject: Subject) -> Iterator[Claim]:
    trees = _trees(subject)
    yield from _second(subject, trees)
    yield from _packages(trees)


def _second(
    subject: Subject, trees: Mapping[str, Mapping[Owner, Sequence[Item]]]
) -> Iterator[Claim]:
    """Yield the interpreters other than the one that most packages are installed for."""
    if len(subject.interpreters) < len(("one", "another")):
        return
    used = {one: _weight(one, trees) for one in subject.interpreters}
    # Debian's own (/usr) loses a tie: who installs another one means to use that.
    kept = max(used, key=lambda one: (used[one], one.prefix != "usr", one))
    for other in subject.interpreters:
        if other == kept:
            continue
        items = [item for item in subject.files if _is_of(item, other)]
        yield Claim(
            title=f"Python {other.version} beside Python {kept.version}",
            reason=f"/{kept.library} is the one that the packages are installed for; "
            f"/{other.library} is there as well. Debian packages that are written in Python may "
            "have brought it",
            fix=fix(
                dockerfile="no apt-get install python3 (nor what requires it) on python:…; or "
                "debian:…-slim with Debian's Python alone",
                wheelship='python = "3.11" or "3.13" with base = "debian" has one; with another '
                "base name the one it has and keep python3 out of system-packages",
            ),
            parts=tuple(Part(item, _place(item, other)) for item in items),
        )


def _packages(trees: Mapping[str, Mapping[Owner, Sequence[Item]]]) -> Iterator[Claim]:
    """Yield packages that two directories of packages have; the larger directory keeps its own."""
    ranked = sorted(trees, key=lambda one: (-_bytes(trees[one]), one))
    holder: dict[str, str] = {}
    parts = []
    names = []
    for tree in ranked:
        for owner, items in trees[tree].items():
            first = holder.setdefault(owner.name, tree)
            if first != tree:
                names.append(owner.name)
                parts += [Part(item, f"{tree}/{owner.name}") for item in items]
    if parts:
        yield Claim(
            title="Packages installed twice",
            reason=f"{listed(sorted(set(names)))} lie in more than one of "
            f"{listed([f'/{one}' for one in ranked])}; a program sees one of them",
            fix=fix(
                dockerfile="make the environment in one stage and COPY --from=build it alone; "
                "python -m venv --without-pip",
                wheelship="installs each package once, into /opt/venv",
            ),
            parts=tuple(parts),
        )


def _trees(subject: Subject) -> dict[str, dict[Owner, list[Item]]]:
    """Return the files of Python packages, bytecode included, by directory of packages."""
    trees: dict[str, dict[Owner, list[Item]]] = {}
    for item in subject.files:
        owner = _package(item, subject)
        site = subject.site_of(item.entry.path) if owner is not None else ""
        if owner is not None and site:
            trees.setdefault(site, {}).setdefault(owner, []).append(item)
    return trees


def _package(item: Item, subject: Subject) -> Owner | None:
    """Return the Python package of a file; of bytecode, that of its source."""
    if item.owner.type == "python":
        return item.owner
    found = _BYTECODE.fullmatch(item.entry.path) if item.entry.path.endswith(".pyc") else None
    source = subject.sources.get(f"{found[1]}{found[2]}.py") if found is not None else None
    return source.owner if source is not None and source.owner.type == "python" else None


def _weight(one: Interpreter, trees: Mapping[str, Mapping[Owner, Sequence[Item]]]) -> int:
    """Return bytes of the packages that an interpreter sees, as far as paths tell."""
    total = 0
    for site, owned in trees.items():
        version = _VERSION.search(f"/{site}")
        own = (
            site.startswith(f"{one.library}/") or site == f"{one.prefix}/lib/python3/dist-packages"
        )
        if own or (version is not None and version[1] == one.version):
            total += _bytes(owned)
    return total


def _bytes(owned: Mapping[Owner, Sequence[Item]]) -> int:
    return sum(item.entry.unpacked_bytes for items in owned.values() for item in items)


def _is_of(item: Item, one: Interpreter) -> bool:
    """Tell whether a file is part of an interpreter: its library, program, shared library."""
    path = item.entry.path
    if path.startswith(f"{one.library}/"):
        return True
    found = _PROGRAM.fullmatch(path) if "python" in path else None
    return (
        found is not None
        and found["version"] == one.version
        and found["prefix"].rstrip("/") == one.prefix
    )


def _place(item: Item, one: Interpreter) -> str:
    path = item.entry.path
    return one.library if path.startswith(f"{one.library}/") else path


RULE = Rule(
    code="two-pythons",
    title="Two Pythons",
    about="A second interpreter (its `lib/python3.N` with all that is in it, program and shared "
    "library) beside the one that most packages are installed for, and Python packages that lie in "
    "two directories of packages, whatever their versions; the larger directory counts as the one "
    "that is used. Debian's own packages in `dist-packages` are Debian's and left alone.",
    fix="One Python, one environment, copied from the stage that made it.",
    minimum_bytes=1_000_000,
    find=_find,
)
