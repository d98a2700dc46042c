# SPDX-License-Identifier: Apache-2.0
"""What a debugger reads: symbols inside of programs and libraries, and files beside them."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.inspect.model import DebugFacts
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_TREE = "usr/lib/debug/"
_SUFFIXES = (".debug", ".dwo", ".dwp")
_LEAST_BYTES = 1_000_000


def _find(subject: Subject) -> Iterator[Claim]:
    yield from _separate(subject)
    yield from _inside(subject)


def _separate(subject: Subject) -> Iterator[Claim]:
    parts = [
        Part(item, item.entry.path)
        for item in subject.files
        if item.entry.path.startswith(_TREE) or item.entry.path.endswith(_SUFFIXES)
    ]
    if parts:
        yield Claim(
            title="Files of debug symbols",
            reason="they repeat, for a debugger, what the programs beside them are made of",
            fix=fix(
                dockerfile="install no -dbg or -dbgsym packages in the last stage",
                wheelship="take -dbg and -dbgsym packages out of system-packages",
            ),
            parts=tuple(parts),
        )


def _inside(subject: Subject) -> Iterator[Claim]:
    parts = [
        Part(item, item.entry.path, fact.debug_bytes)
        for item, fact in subject.with_facts
        if isinstance(fact, DebugFacts) and fact.debug_bytes >= _LEAST_BYTES
    ]
    if not parts:
        return
    parts.sort(key=lambda one: (-(one.bytes or 0), one.item.entry.path))
    names = list(dict.fromkeys(one.item.entry.path.rpartition("/")[2] for one in parts))
    yield Claim(
        title="Debug symbols inside of libraries",
        reason=f"{listed(names)} carry symbol tables and debug sections that no loader reads; "
        "without them a backtrace of C code has no names",
        fix=fix(
            dockerfile=f"RUN pip install … && find {subject.quoted_site} -name '*.so*' -size +1M "
            "-exec strip --strip-unneeded {} +  # in one RUN; then test, and expect RECORD to "
            "differ",
            wheelship="changes no file of a wheel; put a stripped wheel into find-links = […], or "
            "ask the package's authors",
        ),
        parts=tuple(parts),
        estimate=True,
    )


RULE = Rule(
    code="debug-symbols",
    title="Debug symbols",
    about="`/usr/lib/debug`, files that end in `.debug`, `.dwo` or `.dwp`; and the sections "
    "`.debug_*`, `.symtab` and `.strtab` of programs and libraries that have at least 1 MB of "
    "them. Of a part of a file the unpacked bytes are exact and the transfer bytes its share by "
    "size: an estimate, and a high one, because symbols compress well.",
    fix="`strip --strip-unneeded` in the `RUN` that installs; packages without `-dbg`.",
    minimum_bytes=5_000_000,
    find=_find,
)
