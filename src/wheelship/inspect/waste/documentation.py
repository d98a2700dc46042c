# SPDX-License-Identifier: Apache-2.0
"""What people read at a terminal: manuals, changelogs, translations of messages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelship.inspect.waste.advice import fix
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_TREE = re.compile(
    r"(?:usr|usr/local|opt/conda)/share/(?:doc|doc-base|man|info|locale|gtk-doc|help|lintian)(?=/)"
)
_LICENCES = re.compile(r".*/(?:copyright|LICEN[CS]E[^/]*|NOTICE[^/]*|COPYING[^/]*)")


def _find(subject: Subject) -> Iterator[Claim]:
    parts = []
    for item in subject.files:
        path = item.entry.path
        found = _TREE.match(path)
        if found is not None and _LICENCES.fullmatch(path) is None:
            parts.append(Part(item, found[0]))
    if parts:
        yield Claim(
            title="Manuals and translations",
            reason="a service has no reader at a terminal; licences are not counted, they have to "
            "stay",
            fix=fix(
                dockerfile="before apt-get install: RUN printf 'path-exclude=/usr/share/%s/*\\n' "
                "doc man info locale > /etc/dpkg/dpkg.cfg.d/01-lean && "
                "echo 'path-include=/usr/share/doc/*/copyright' >> /etc/dpkg/dpkg.cfg.d/01-lean; "
                "or FROM an image that ends in -slim",
                wheelship='base = "debian" has none; with another base choose its -slim form',
            ),
            parts=tuple(parts),
        )


RULE = Rule(
    code="documentation",
    title="Manuals and translations",
    about="`/usr/share/doc`, `man`, `info`, `locale` and their like. Copyright files and licences "
    "have to accompany the software and are left alone, and so is the documentation inside of "
    "Python packages, which some of them read.",
    fix="A `-slim` base, or dpkg's `path-exclude` before anything is installed.",
    minimum_bytes=2_000_000,
    find=_find,
)
