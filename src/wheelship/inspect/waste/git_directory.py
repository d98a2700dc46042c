# SPDX-License-Identifier: Apache-2.0
"""The history of a version control system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_DIRECTORY = re.compile(r"(?:^|/)\.(?:git|hg|svn|bzr)(?=/)")


def _find(subject: Subject) -> Iterator[Claim]:
    parts = [
        Part(item, item.entry.path[: found.end()])
        for item in subject.files
        if (found := _DIRECTORY.search(item.entry.path))
    ]
    if not parts:
        return
    where = sorted({part.place for part in parts})
    yield Claim(
        title="History of version control",
        reason=f"{listed([f'/{one}' for one in where])} holds every version of every file, with "
        "whatever was ever committed by mistake; nothing at run time reads it",
        fix=fix(
            dockerfile="put .git into .dockerignore, or COPY src/ only; after RUN git clone: "
            "rm -rf .git in the same RUN",
            wheelship="never puts it in",
        ),
        parts=tuple(parts),
    )


RULE = Rule(
    code="git-directory",
    title="History of version control",
    about="`.git`, `.hg`, `.svn` and `.bzr` with all that is in them, wherever they are. Beside "
    "the bytes it is a risk: a password that was committed once is still in there.",
    fix="Put `.git` into `.dockerignore`.",
    minimum_bytes=1,
    find=_find,
)
