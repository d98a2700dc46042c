# SPDX-License-Identifier: Apache-2.0
"""Paragraphs of fields (deb-control(5), RFC 822 style), as all of Debian's metadata is written.

python-debian reads them too; it costs 30 ms to import and gives each of 63 000 paragraphs a life of
its own, where a base image needs forty.
"""

from __future__ import annotations

import re

__all__ = ["paragraph"]

_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)


def paragraph(text: str) -> dict[str, str]:
    """Return the fields of the one paragraph that ``text`` is.

    A value keeps its continuation lines, each with the blank it begins with. Of a field that is
    there twice the first counts, as for apt.
    """
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        fields.setdefault(match[1], match[2])
    return fields
