# SPDX-License-Identifier: Apache-2.0
"""The system calls that Python 3.11 does not offer; an error names the step it belongs to."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BIND",
    "NEW_USER",
    "NODEV",
    "NOEXEC",
    "NOSUID",
    "PRIVATE",
    "RDONLY",
    "RECURSIVE",
    "REMOUNT",
    "Failed",
    "adopt_orphans",
    "detach",
    "die_with_parent",
    "drop_capabilities",
    "enter_user_namespace",
    "forbid_new_privileges",
    "locked_flags",
    "loopback_up",
    "mount",
    "pivot_root",
    "step",
    "unshare_everything",
    "unshare_user",
]

NEW_USER = 0x10000000
_EVERYTHING = NEW_USER | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
"""User, mount, PID, network, IPC and UTS namespaces (linux/sched.h)."""

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_LOCKED = (  # as statvfs shows them, as mount takes them
    (os.ST_NOSUID, NOSUID),
    (os.ST_NODEV, NODEV),
    (os.ST_NOEXEC, NOEXEC),
    (os.ST_NOATIME, 1024),
    (os.ST_NODIRATIME, 2048),
    (os.ST_RELATIME, 1 << 21),
)
_SET_PDEATHSIG, _CAPBSET_DROP, _SET_CHILD_SUBREAPER = 1, 24, 36
_SET_NO_NEW_PRIVS, _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITIES_MAX = 64
_CAPABILITY_VERSION_3 = 0x20080522
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SET_INTERFACE_FLAGS, _INTERFACE_UP = 0x8914, 0x41

_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A step did not work; ``code`` is its errno, ``image`` says that the image is to blame."""

    def __init__(self, what: str, code: int | None, *, image: bool = False) -> None:
        super().__init__(what)
        self.what, self.code, self.image = what, code or errno.EIO, image


@contextmanager
def step(what: str, *, image: bool = False) -> Iterator[None]:
    """Blame an OSError on a step of the way, which ``image`` may have made impossible.

    Raises:
        Failed: instead of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise Failed(what, error.errno or errno.ETIMEDOUT, image=image) from error


def unshare_everything() -> None:
    """Enter new namespaces of all six kinds; the PID namespace is for the children only."""
    _call("unshare", _libc.unshare(_EVERYTHING))


def unshare_user() -> None:
    """Enter a new user namespace below the current one."""
    _call("unshare the inner user namespace", _libc.unshare(NEW_USER))


def enter_user_namespace(path: str) -> None:
    """Enter an existing user namespace."""
    with step("enter the service's user namespace"):
        namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    _call("enter the service's user namespace", _libc.setns(namespace, NEW_USER))
    os.close(namespace)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount ``source`` on ``target`` (mount(2))."""
    arguments = (source.encode(), target.encode(), kind.encode())
    _call(f"mount {target}", _libc.mount(*arguments, ctypes.c_ulong(flags), data.encode()))


def locked_flags(path: str) -> int:
    """Return the mount flags at ``path`` that a remount in a user namespace may not clear."""
    shown = os.statvfs(path).f_flag
    return sum(flag for bit, flag in _LOCKED if shown & bit)


def pivot_root() -> None:
    """Make the current directory, a mount point, the root; the old root lies on top of it."""
    number = _PIVOT_ROOT.get(os.uname().machine, -1)
    _call("pivot_root", _libc.syscall(number, b".", b"."))


def detach() -> None:
    """Take away the old root that :func:`pivot_root` left in the current directory."""
    _call("leave the old root", _libc.umount2(b".", _DETACH))


def loopback_up() -> None:
    """Bring up ``lo`` of the current network namespace; it gets its addresses by itself."""
    with (
        step("bring up the loopback interface"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket,
    ):
        request = struct.pack("16sh22x", b"lo", _INTERFACE_UP)
        fcntl.ioctl(any_socket, _SET_INTERFACE_FLAGS, request)


def die_with_parent() -> None:
    """Have the kernel kill this process with its parent; forgotten when credentials change."""
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants."""
    _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def drop_capabilities(*, bounding: bool) -> None:
    """Give up all capabilities; with ``bounding`` also the right to gain any by exec."""
    if bounding:
        _libc.prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        for capability in range(_CAPABILITIES_MAX):  # EINVAL beyond the kernel's last one
            _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
        return
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _call("drop capabilities", _libc.capset(header, bytes(24)))


def forbid_new_privileges() -> None:
    """Set no_new_privs: no exec gives more rights than there are."""
    _call("forbid new privileges", _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _call(what: str, result: int) -> None:
    if result != 0:
        raise Failed(what, ctypes.get_errno())
