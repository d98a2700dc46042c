# SPDX-License-Identifier: Apache-2.0
"""The key ``history``: where builds of the project are remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from posixpath import join, normpath

from wheelship.request.glob import escaped
from wheelship.request.ignore import is_never_shipped
from wheelship.request.model import Request
from wheelship.request.table import Table

__all__ = ["DEFAULT_HISTORY", "read_history", "with_history"]

DEFAULT_HISTORY = ".wheelship/history.jsonl"


def read_history(table: Table, root: Path) -> Path | None:
    """Read ``history``: a file, relative to ``root``, or ``false``; absent, the usual file."""
    value = table.data.get("history")
    if value is False:
        return None
    if value is True:
        table.report("history", "is true without being said", hint="remove it, or name a file")
        return None
    named = table.text("history")
    path = Path(normpath(join(root, named or DEFAULT_HISTORY)))
    if named is not None and (named.endswith("/") or path.is_dir()):
        hint = f'history = "{named.rstrip("/")}/history.jsonl"'
        table.report("history", f"{named!r} is a directory, not a file", hint=hint)
    return path


def with_history(request: Request, path: Path | None) -> Request:
    """Return ``request`` with its builds remembered in ``path``, which no image gets then.

    Every build writes that file: as a part of the application it would change the image each time.
    """
    root = request.project.root
    variants = request.variants
    if path is not None and path.is_relative_to(root):
        own = path.relative_to(root).as_posix()
        if not is_never_shipped(own):
            pattern = escaped(own)
            variants = {
                name: replace(one, exclude=(*one.exclude, pattern))
                for name, one in variants.items()
            }
    return replace(request, variants=variants, history=path)
