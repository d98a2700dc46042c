# SPDX-License-Identifier: Apache-2.0
"""Names for the users that processes run as; nobody can log in."""

from __future__ import annotations

from wheelship.archive.entry import File, InMemory

__all__ = ["DEFAULT_USER", "identity_files"]

DEFAULT_USER = (65532, 65532)
"""The user and group of every base image; distroless has the same numbers."""

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
