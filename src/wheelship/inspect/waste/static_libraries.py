# SPDX-License-Identifier: Apache-2.0
"""Static libraries: input of a linker, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.inspect.waste.advice import fix, listed, omit_line
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import within_site
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_SHOWN = 6


def _find(subject: Subject) -> Iterator[Claim]:
    items = [item for item in subject.files if item.entry.path.endswith((".a", ".la"))]
    if not items:
        return
    items.sort(key=lambda one: (-one.entry.unpacked_bytes, one.entry.path))
    globs: dict[str, set[str]] = {}
    for item in items:
        within = within_site(item.entry.path)
        if item.owner.type == "python" and "/" in within and len(globs) < _SHOWN:
            globs.setdefault(item.owner.name, set()).add(f"{within.partition('/')[0]}/*.a")
    yield Claim(
        title="Static libraries",
        reason=f"{listed(sorted({one.owner.name for one in items}))}: only a linker reads them, "
        f"and a running service has none",
        fix=fix(
            dockerfile=f"RUN pip install … && find {subject.quoted_site} -name '*.a' -delete"
            "  # in one RUN; no -dev packages in the last stage",
            wheelship=omit_line(globs) if globs else "take -dev packages out of system-packages",
        ),
        parts=tuple(Part(item, item.entry.path) for item in items),
    )


RULE = Rule(
    code="static-libraries",
    title="Static libraries",
    about="Files that end in `.a` or `.la`, such as those of triton, nvshmem and of Python's own "
    "`config-3.*` directory. Those of Debian's `-dev` packages count as `compiler`.",
    fix='`omit = { triton = ["triton/*.a"] }`; delete them in the `RUN` that brings them.',
    minimum_bytes=500_000,
    find=_find,
)
