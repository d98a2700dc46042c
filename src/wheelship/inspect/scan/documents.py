# SPDX-License-Identifier: Apache-2.0
"""Which files of a layer are kept whole: the small ones that say who owns what."""

from __future__ import annotations

import re

__all__ = ["DOCUMENTS_BYTES_MAX", "DOCUMENT_BYTES_MAX", "document_of", "is_document"]

DOCUMENT_BYTES_MAX = 16 * 1000 * 1000
"""Of one. The RECORD of torch has 2 MB, dpkg's status of a desktop 5 MB."""

DOCUMENTS_BYTES_MAX = 48 * 1000 * 1000
"""Of all in a layer."""

_DIST_INFO = frozenset(
    ("RECORD", "METADATA", "direct_url.json", "INSTALLER", "WHEEL", "top_level.txt")
)
_EGG_INFO = frozenset(("PKG-INFO", "SOURCES.txt", "installed-files.txt", "top_level.txt"))
_HEADERS_ONLY = frozenset(("METADATA", "PKG-INFO"))
_SINGLE = frozenset(
    (
        "var/lib/dpkg/status",
        "var/lib/dpkg/diversions",
        "etc/os-release",
        "usr/lib/os-release",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
    )
)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def is_document(path: str) -> bool:
    """Tell whether the file at ``path`` says who owns what."""
    directory, _, name = path.rpartition("/")
    if name in _DIST_INFO and directory.endswith(".dist-info"):
        return True
    if name in _EGG_INFO and directory.endswith((".egg-info", "EGG-INFO")):
        return True
    if directory == "var/lib/dpkg/info":
        return name.endswith(".list")
    return (
        name == "pyvenv.cfg"
        or name.endswith(".egg-info")  # distutils wrote a file, not a directory
        or directory == "var/lib/dpkg/status.d"
        or path in _SINGLE
    )


def document_of(path: str, content: bytes) -> bytes:
    """Return what is kept of it: of a distribution's metadata the headers, else all."""
    name = path.rpartition("/")[2]
    if name in _HEADERS_ONLY or name.endswith(".egg-info"):
        end = _BLANK_LINE.search(content)
        return content[: end.start() + 1] if end else content
    return content
