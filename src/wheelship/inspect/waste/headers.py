# SPDX-License-Identifier: Apache-2.0
"""C and C++ headers that Python packages bring."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.inspect.waste.advice import fix, listed, omit_line
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import outline, within_site
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_SUFFIXES = (".h", ".hh", ".hpp", ".hxx", ".h++", ".cuh", ".inl", ".ipp", ".tcc", ".pxd")
_SHOWN = 6


def _find(subject: Subject) -> Iterator[Claim]:
    parts = []
    weights: dict[str, int] = {}
    globs: dict[str, set[str]] = {}
    for item in subject.files:
        path = item.entry.path
        if item.owner.type != "python" or not path.endswith(_SUFFIXES):
            continue
        within = within_site(path)
        directory = _root(within)
        place = f"{subject.site_of(path)}/{directory}" if directory else outline(path)
        parts.append(Part(item, place))
        weights[item.owner.name] = weights.get(item.owner.name, 0) + item.entry.unpacked_bytes
        if directory:
            globs.setdefault(item.owner.name, set()).add(f"{directory}/**")
    if not parts:
        return
    names = sorted(weights, key=lambda one: (-weights[one], one))
    worth = {name: globs[name] for name in names[:_SHOWN] if name in globs}
    yield Claim(
        title="Headers in Python packages",
        reason=f"{listed(names)} bring what C++ code is compiled against; only torch.compile and "
        "extensions that are built at run time read it",
        fix=fix(
            dockerfile=f"RUN pip install … && find {subject.quoted_site} -path '*/include/*'"
            " -type f -delete  # in one RUN",
            wheelship=omit_line(worth) if worth else 'omit = { NAME = ["DIRECTORY/**"] }',
        ),
        parts=tuple(parts),
    )


def _root(within: str) -> str:
    """Return the directory named ``include`` that a path has, the topmost; empty without one."""
    parts = within.split("/")[:-1]
    return "/".join(parts[: parts.index("include") + 1]) if "include" in parts else ""


RULE = Rule(
    code="headers",
    title="Headers in Python packages",
    about="C, C++, CUDA and Cython headers (`.h`, `.hpp`, `.cuh`, `.pxd` and their like) in "
    "Python packages, of which torch's are the most. Those of the system count as `compiler`.",
    fix='`omit = { torch = ["torch/include/**"] }`, unless the service uses torch.compile or '
    "builds extensions at run time.",
    minimum_bytes=1_000_000,
    find=_find,
)
