# SPDX-License-Identifier: Apache-2.0
"""Bytecode that Python does not use: it is not that of the source, or of this Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wheelship.inspect.model import Item, PycFacts
from wheelship.inspect.waste.advice import fix
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import outline
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_CACHED = re.compile(
    r"(?P<directory>.*/|)__pycache__/(?P<module>[^/]+)\.(?P<tag>(?!opt-)[a-z]+-?\d+)"
    r"(?:\.opt-(?P<level>\w+))?\.pyc",
    re.ASCII,
)
# importlib/_bootstrap_external.py of each release; one number for all its bug fixes.
_MAGIC = {
    "cpython-38": 3413,
    "cpython-39": 3425,
    "cpython-310": 3439,
    "cpython-311": 3495,
    "cpython-312": 3531,
    "cpython-313": 3571,
    "cpython-314": 3627,
}
_LOW_32 = 0xFFFF_FFFF
_COMPILE = fix(
    dockerfile="RUN python -m compileall --invalidation-mode unchecked-hash /opt/venv /app  # "
    "after the last COPY",
    wheelship="makes bytecode with the image's own Python, bound to the source by its hash; "
    'bytecode = "none" leaves it out',
)
_REMOVE = fix(
    dockerfile="put __pycache__ and *.pyc into .dockerignore; ENV PYTHONDONTWRITEBYTECODE=1 in "
    "stages whose bytecode is not used",
    wheelship="takes no bytecode from the project or from wheels",
)


class _Sort(NamedTuple):
    title: str
    reason: str
    fix: str


_SORTS = {
    "changed": _Sort(
        "Bytecode of another source",
        "time or size of the source is not what the bytecode was made from, so Python compiles "
        "the source again, in each container",
        _COMPILE,
    ),
    "foreign": _Sort(
        "Bytecode of another Python",
        "no Python of the image reads bytecode of this version",
        _REMOVE,
    ),
    "orphan": _Sort(
        "Bytecode without its source",
        "Python takes a file in __pycache__ only when the source is there",
        _REMOVE,
    ),
    "shadowed": _Sort(
        "Bytecode beside its source",
        "where module.py is, Python reads __pycache__ and not module.pyc",
        _REMOVE,
    ),
    "optimised": _Sort(
        "Bytecode for python -O",
        "only python -O reads it, and PYTHONOPTIMIZE is not set",
        _REMOVE,
    ),
}


def _find(subject: Subject) -> Iterator[Claim]:
    tags = {f"cpython-{one.version.replace('.', '')}" for one in subject.interpreters}
    optimises = _optimises(subject)
    found: dict[str, list[Part]] = {}
    for item in subject.files:
        if item.entry.path.endswith(".pyc") and item.entry.kind == "file":
            cause = _cause(item, subject, tags, optimises=optimises)
            if cause:
                found.setdefault(cause, []).append(Part(item, outline(item.entry.path)))
    for cause, sort in _SORTS.items():
        if cause in found:
            yield Claim(
                title=sort.title, reason=sort.reason, fix=sort.fix, parts=tuple(found[cause])
            )


def _optimises(subject: Subject) -> bool:
    """Tell whether the image asks for ``python -O``."""
    config = subject.contents.config
    asked = {"-O", "-OO"} & {*config.entrypoint, *config.command}
    return bool(asked or subject.environment.get("PYTHONOPTIMIZE"))


def _cause(item: Item, subject: Subject, tags: set[str], *, optimises: bool) -> str:
    """Return why a file is never read; empty for bytecode that may be."""
    path = item.entry.path
    cached = _CACHED.fullmatch(path)
    if cached is None:
        beside = "__pycache__" not in path and path[:-1] in subject.sources
        return "shadowed" if beside else ""
    source = subject.sources.get(f"{cached['directory']}{cached['module']}.py")
    if source is None:
        return "orphan"
    if cached["level"] and not optimises:
        return "optimised"
    facts = next((one for one in item.entry.facts if isinstance(one, PycFacts)), None)
    if _is_foreign(cached["tag"], tags, facts):
        return "foreign"
    return "changed" if facts is not None and _is_changed(facts, source) else ""


def _is_foreign(tag: str, tags: set[str], facts: PycFacts | None) -> bool:
    """Tell whether bytecode is for a Python that the image does not have."""
    if tags and tag.startswith("cpython-") and tag not in tags:
        return True
    return facts is not None and facts.magic != _MAGIC.get(tag, facts.magic)


def _is_changed(facts: PycFacts, source: Item) -> bool:
    """Tell whether time or size of the source are not those in the bytecode's head."""
    if facts.hashed or source.entry.kind != "file":
        return False
    now = (source.entry.mtime & _LOW_32, source.entry.size_bytes & _LOW_32)
    return (facts.mtime, facts.size) != now


RULE = Rule(
    code="stale-bytecode",
    title="Bytecode that Python does not use",
    about="`.pyc` files that Python passes over (PEP 552, PEP 3147), one finding for each cause: "
    "time or size in the file's head are not those of the source, as after `COPY` or a build that "
    "rewrites times; made for a Python that is not in the image; in `__pycache__` without a "
    "source; beside the source instead of in `__pycache__`; for `python -O`, which nothing asks "
    "for. Bytecode that is bound to its source by a hash is left alone, and so is `module.pyc` "
    "where there is no `module.py`.",
    fix="`python -m compileall --invalidation-mode unchecked-hash` after the last `COPY`; "
    "wheelship does its like.",
    minimum_bytes=500_000,
    find=_find,
)
