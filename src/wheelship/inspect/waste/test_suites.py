# SPDX-License-Identifier: Apache-2.0
"""Test suites of packages, and of Python itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from wheelship.inspect.model import Item
from wheelship.inspect.waste.advice import fix, listed, omit_line
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import within_site
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_DIRECTORY = re.compile(r"(?:.*?/)?(?:tests?|idle_test)(?=/)")
_TEST_FILE = re.compile(r"test_.*\.pyi?|.*_tests?\.py|conftest\.py|test_[^/.]*")
_STANDARD = re.compile(r"lib/python\d+\.\d+/", re.ASCII)
# torch's compiled tests; torch_shm_manager beside them is needed.
_PROGRAM = re.compile(r"torch/bin/(?:test_|.*_test$|.*Test$)")
_SHOWN = 6
_TOP = 2
_NAMED = 3


def _find(subject: Subject) -> Iterator[Claim]:
    candidates: dict[str, list[Item]] = {}
    suites: set[str] = set()
    parts = []
    for item in subject.files:
        path = item.entry.path
        if item.owner.type == "application" or "test" not in path:
            continue
        place = _suite(path)
        if place:
            candidates.setdefault(place, []).append(item)
            if _TEST_FILE.fullmatch(path.rpartition("/")[2]):
                suites.add(place)
        elif _PROGRAM.match(within_site(path)):
            parts.append(Part(item, path))
    # A directory of that name may be part of an interface (django.test): it is a test suite when
    # there is a test in it.
    parts += [Part(item, place) for place in sorted(suites) for item in candidates[place]]
    if not parts:
        return
    weights: dict[str, int] = {}
    globs: dict[str, set[str]] = {}
    for part in parts:
        name = _name(part)
        weights[name] = weights.get(name, 0) + part.item.entry.unpacked_bytes
        within = within_site(part.item.entry.path)
        if part.item.owner.type == "python":
            globs.setdefault(name, set()).add(_glob(within))
    names = sorted(weights, key=lambda one: (-weights[one], one))
    worth = {name: globs[name] for name in names[:_SHOWN] if name in globs}
    yield Claim(
        title="Test suites of packages",
        reason=f"{listed(names)}: tests of other people's code, which nobody runs in production",
        fix=fix(
            dockerfile=_command(subject, parts),
            wheelship=omit_line(worth) if worth else 'base = "debian" has no tests of Python',
        ),
        parts=tuple(parts),
    )


def _command(subject: Subject, parts: list[Part]) -> str:
    """Return what removes them from the largest ``site-packages``: ``tests``, the rest by name."""
    weights: dict[str, int] = {}
    for part in parts:
        below = f"/{part.place}".startswith(f"{subject.site}/")
        if below and not part.place.endswith("/tests"):
            weights[part.place] = weights.get(part.place, 0) + part.item.entry.unpacked_bytes
    rest = sorted(weights, key=lambda one: (-weights[one], one))[:_NAMED]
    removed = "".join(f" && rm -r {shlex.quote(f'/{one}')}" for one in rest)
    return (
        f"RUN pip install … && find {subject.quoted_site} -type d -name tests -prune"
        f" -exec rm -r {{}} +{removed}  # in one RUN"
    )


def _suite(path: str) -> str:
    """Return the directory of tests that a file of a package or of Python is in; else empty."""
    site = Subject.site_of(path)
    if site:
        start = len(site) + 1
    elif standard := _STANDARD.search(path):
        start = standard.end()
    else:
        return ""
    found = _DIRECTORY.match(path, start)
    return path[: found.end()] if found else ""


def _name(part: Part) -> str:
    owner = part.item.owner
    if owner.type == "python":
        return owner.name
    within = within_site(part.item.entry.path)
    return within.partition("/")[0] if within else "Python"


def _glob(within: str) -> str:
    """Return the glob that ``omit`` takes for a file and its like."""
    if _PROGRAM.match(within):
        return "torch/bin/*[tT]est*"
    found = _DIRECTORY.match(within)
    if found is None:
        return within
    parts = found[0].split("/")
    return f"{parts[0]}/*/{parts[-1]}/*" if len(parts) > _TOP else f"{found[0]}/*"


RULE = Rule(
    code="test-suites",
    title="Test suites of packages",
    about="Directories `tests` and `test` below `site-packages`, with data and bytecode, in which "
    "at least one file is named like a test; those of Python's standard library; torch's compiled "
    "tests. `testing` is left alone, because torch and numpy import theirs. So is whatever "
    "belongs to the application.",
    fix='`omit = { sympy = ["sympy/*/tests/*"] }`; delete them in the `RUN` that brings them.',
    minimum_bytes=1_000_000,
    find=_find,
)
