# SPDX-License-Identifier: Apache-2.0
"""What a variant requires: the project's dependencies and those of the extras and groups chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from wheelship.request.errors import InvalidValue
from wheelship.request.model import Project, Variant
from wheelship.request.requirement import requirement_name
from wheelship.request.value import canonical_name

__all__ = ["allowed_hashes", "chosen_extras", "chosen_requirements"]

_OWN_EXTRAS = re.compile(r"[^\[;@]*\[(?P<extras>[^\]]*)\][^;]*(?:;(?P<marker>.*))?")


def chosen_requirements(project: Project, variant: Variant) -> tuple[str, ...]:
    """Return the PEP 508 strings that ``variant`` requires, in the order written.

    A project may name its own extras in its requirements (``all = ["service[audio,web]"]``):
    what these hold stands in their place.
    """
    own = project.dependencies if variant.requirements is None else variant.requirements
    chosen = [project.extras[name] for name in variant.extras]
    chosen += [project.groups[name] for name in variant.groups]
    wanted = [*own, *(one for group in chosen for one in group)]
    return tuple(dict.fromkeys(_followed(project, wanted, frozenset())))


def allowed_hashes(project: Project, variant: Variant) -> Mapping[str, frozenset[str]] | None:
    """Return the SHA-256 of the files that ``variant`` may have, by name; None for any."""
    return project.hashes if variant.requirements is None else variant.hashes


def chosen_extras(project: Project, variant: Variant) -> tuple[str, ...]:
    """Return the extras of ``variant`` and those they name, sorted."""
    found: set[str] = set()
    waiting = list(variant.extras)
    texts = [
        *project.dependencies,
        *(one for name in variant.groups for one in project.groups[name]),
    ]
    waiting += [name for text in texts for name in _own_extras(project, text)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            inner = project.extras.get(name, ())
            waiting += [child for text in inner for child in _own_extras(project, text)]
    return tuple(sorted(found))


def _followed(project: Project, texts: Iterable[str], within: frozenset[str]) -> Iterator[str]:
    for text in texts:
        if requirement_name(text) != project.name or not project.declared:
            yield text
            continue
        match = _OWN_EXTRAS.match(text)
        marker = (match["marker"] or "").strip() if match else ""
        for name in _own_extras(project, text):
            if name not in within:
                inner = _followed(project, project.extras.get(name, ()), within | {name})
                yield from (_and(one, marker) for one in inner)


def _own_extras(project: Project, text: str) -> list[str]:
    """Return the project's own extras that ``text`` names; none where it is another project."""
    match = _OWN_EXTRAS.match(text)
    if match is None or requirement_name(text) != project.name:
        return []
    found = []
    for name in match["extras"].split(","):
        try:
            found.append(canonical_name(name.strip()))
        except InvalidValue:  # an empty list of extras
            continue
    return found


def _and(text: str, marker: str) -> str:
    if not marker:
        return text
    requirement, mark, own = text.partition(";")
    return (
        f"{requirement.rstrip()} ; ({own.strip()}) and ({marker})" if mark else f"{text} ; {marker}"
    )
