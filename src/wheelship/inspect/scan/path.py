# SPDX-License-Identifier: Apache-2.0
"""Where an entry stands, and what its name does (image-spec, layer.md, "Representing Changes")."""

from __future__ import annotations

from wheelship.inspect.model import EntryKind

__all__ = ["InvalidPath", "placed", "plain_path"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_PATH_MAX, _NAME_MAX = 4096, 255  # as Linux


class InvalidPath(ValueError):
    """No file in an image can have the name; the text goes on a sentence about the layer."""


def plain_path(name: str) -> str:
    """Return the path that ``name`` means, without slashes around it; the root is empty.

    Raises:
        InvalidPath: it climbs, or is longer than any path.
    """
    parts = [part for part in name.split("/") if part and part != "."]
    if ".." in parts:
        raise InvalidPath(f"names the path {name[:200]!r}, which does not stay inside the image")
    if len(name) > _PATH_MAX or (len(name) > _NAME_MAX and max(map(len, parts)) > _NAME_MAX):
        raise InvalidPath(f"has a name that no file system takes: {name[:80]!r}…")
    return "/".join(parts)


def placed(path: str, kind: EntryKind) -> tuple[EntryKind, str]:
    """Return what the entry is, whiteouts told apart, and what it is about.

    What AUFS noted for itself is no file of the image: engines pass over it.

    Raises:
        InvalidPath: it is a whiteout of nothing, or the root is no directory.
    """
    directory, _, name = path.rpartition("/")
    if _AUFS in path and (name != _OPAQUE or _AUFS in directory):
        if any(part.startswith(_AUFS) for part in path.split("/")):
            return "framing", path
    elif name == _OPAQUE:
        return "opaque", directory
    elif name.startswith(_WHITEOUT):
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise InvalidPath(f"has {path!r}, a whiteout of nothing")
        return "whiteout", f"{directory}/{hidden}" if directory else hidden
    if not path and kind != "directory":
        raise InvalidPath("has a root that is no directory")
    return kind, path
