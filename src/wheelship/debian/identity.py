# SPDX-License-Identifier: Apache-2.0
"""Names for the users that processes run as; nobody can log in."""

from __future__ import annotations

from wheelship.archive.entry import File, InMemory

__all__ = ["DEFAULT_USER", "IDENTITY_FILES", "added_identity", "identity_files"]

DEFAULT_USER = (65532, 65532)
"""The user and group of every base image; distroless has the same numbers."""

IDENTITY_FILES = ("etc/passwd", "etc/group")

_NAME = "app"
_USERS = {0: "root:x:0:0:root:/root", 65534: "nobody:x:65534:65534:nobody:/nonexistent"}
_GROUPS = {0: "root", 65534: "nogroup"}


def identity_files(user: tuple[int, int] = DEFAULT_USER) -> tuple[File, File]:
    """Return ``/etc/passwd`` and ``/etc/group`` for an image that runs as ``user``.

    The base holds those of the default user. Home is ``/tmp``: the one place that can be written
    to under any user id and on a read-only root.
    """
    uid, gid = user
    users = _USERS | ({} if uid in _USERS else {uid: f"{_NAME}:x:{uid}:{gid}:{_NAME}:/tmp"})
    groups = _GROUPS | ({} if gid in _GROUPS else {gid: _NAME})
    passwd = "".join(f"{row}:/sbin/nologin\n" for row in users.values())
    group = "".join(f"{name}:x:{number}:\n" for number, name in groups.items())
    return (
        File(path="etc/passwd", content=InMemory(passwd.encode())),
        File(path="etc/group", content=InMemory(group.encode())),
    )


def added_identity(
    user: tuple[int, int], passwd: str | None, group: str | None
) -> tuple[File, ...]:
    """Return the files that must change so that ``user`` has a name besides all who have one.

    ``passwd`` and ``group`` are those of a base of other origin; what has the number already stays
    as it is, and so does a file that needs nothing.
    """
    uid, gid = user
    fresh = dict(zip(IDENTITY_FILES, identity_files(user), strict=True))
    rows = {
        "etc/passwd": (passwd, uid, f"{{name}}:x:{uid}:{gid}:{{name}}:/tmp:/sbin/nologin"),
        "etc/group": (group, gid, f"{{name}}:x:{gid}:"),
    }
    files: list[File] = []
    for path, (text, number, row) in rows.items():
        if text is None:
            files.append(fresh[path])
            continue
        fields = [line.split(":") for line in text.splitlines()]
        if any(one[2:3] == [str(number)] for one in fields):
            continue
        taken = {one[0] for one in fields}
        name = _NAME if _NAME not in taken else f"{_NAME}{number}"
        start = text if not text or text.endswith("\n") else f"{text}\n"
        data = f"{start}{row.format(name=name)}\n".encode("utf-8", "surrogateescape")
        files.append(File(path=path, content=InMemory(data)))
    return tuple(files)
