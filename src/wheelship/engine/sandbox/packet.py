# SPDX-License-Identifier: Apache-2.0
"""What travels over the control socket: JSON packets, with open files beside them (SCM_RIGHTS)."""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypedDict

__all__ = ["PACKET_BYTES", "Namespaces", "Order", "receive", "send"]

PACKET_BYTES = 192 * 1024
"""A ``SOCK_SEQPACKET`` packet must fit into the socket's buffer, 208 KiB by default."""

_FILES_MAX = 4


class Namespaces(TypedDict):
    """Who the service is; the maps are in the form of ``/proc/PID/uid_map``.

    ``set_groups`` is false where the kernel allows a map, of one id only, on condition that nobody
    calls setgroups.
    """

    outer_uids: str
    outer_gids: str
    inner_uids: str
    inner_gids: str
    set_groups: bool
    uid: int
    gid: int


class Order(TypedDict):
    """The first packet: what to start, and in what surroundings.

    Without ``argv`` it is a rehearsal: everything is set up and nothing started. Without
    ``namespaces`` the service is an ordinary child, ``root`` is not entered, and ``user`` is the
    uid and gid to change to, if that is possible.
    """

    namespaces: Namespaces | None
    user: tuple[int, int] | None
    root: str
    writable: list[str]
    hostname: str
    argv: list[str]
    env: dict[str, str]
    workdir: str


def send(control: socket.socket, packet: dict[str, Any], files: Iterable[int] = ()) -> None:
    """Send ``packet`` and duplicates of ``files``; a closed other end shows at the next receive."""
    rights = array.array("i", files)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
    with suppress(BrokenPipeError, ConnectionResetError):
        control.sendmsg([json.dumps(packet).encode()], ancillary)


def receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the next packet and the files that came with it; None when the other end is closed."""
    rights = array.array("i")
    space = socket.CMSG_SPACE(_FILES_MAX * rights.itemsize)
    try:
        text, ancillary, _, _ = control.recvmsg(PACKET_BYTES, space)
    except ConnectionResetError:
        return None, []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            rights.frombytes(data[: len(data) - len(data) % rights.itemsize])
    for file in rights:
        os.set_inheritable(file, False)
    return (json.loads(text) if text else None), list(rights)
