# SPDX-License-Identifier: Apache-2.0
"""The root file system of a service: its image read-only, with what engines mount over it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from wheelship.engine.sandbox import kernel
from wheelship.engine.sandbox.kernel import (
    BIND,
    NODEV,
    NOEXEC,
    NOSUID,
    RDONLY,
    REMOUNT,
    mount,
    step,
)
from wheelship.engine.sandbox.packet import Order

__all__ = ["enter_root"]

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_NEW_DIRECTORIES = ("/tmp", "/etc")  # noqa: S108 - the image's own


def enter_root(order: Order) -> None:
    """Make ``order``'s root the root of this mount namespace, as ``docker run --read-only`` has it.

    ``/tmp`` and ``/dev/shm`` are fresh and writable, the declared directories are writable and keep
    the content, owner and permissions that the image gives them.

    Raises:
        Failed: a step is forbidden on this machine or impossible with this image.
    """
    root = order["root"]
    with step("open the devices"):
        devices = [(name, os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC)) for name in _DEVICES]
        kept = kernel.locked_flags(root)
    mount("none", "/", "", kernel.PRIVATE | kernel.RECURSIVE)
    mount(root, root, "", BIND)
    with step("enter the root file system", image=True):
        os.chdir(root)
        for name in ("proc", "sys", "dev"):
            _make_directory(Path(name), order)
            if Path(name).is_symlink():  # the old root is still within reach of a link
                raise kernel.Failed(f"mount over the link /{name}", errno.ELOOP, image=True)
    kernel.pivot_root()
    # The kernel lets a user namespace mount a new /proc or /sys only while it sees an old one that
    # nothing covers. A service can do without /sys, and on some machines must.
    mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    with suppress(kernel.Failed):
        mount("sysfs", "/sys", "sysfs", RDONLY | NOSUID | NODEV | NOEXEC)
    _fill_dev(devices)
    kernel.detach()
    with step("prepare the root file system", image=True):
        os.chdir("/")
        for path in (*_NEW_DIRECTORIES, order["workdir"], *order["writable"]):
            _make_directory(Path(path), order)
        _write_network_files(order["hostname"])
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV | NOEXEC, "mode=1777")  # noqa: S108 - the image's own
    with suppress(OSError):  # as Docker sets it: ports below 1024 need no privilege
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0", "utf-8")
    for path in order["writable"]:
        mount(path, path, "", BIND)
        mount("none", path, "", REMOUNT | BIND | NOSUID | NODEV | kept)
    mount("none", "/", "", REMOUNT | BIND | RDONLY | NOSUID | NODEV | kept)


def _make_directory(path: Path, order: Order) -> None:
    # Engines make what an image lacks as root. Where one id stands for all owners, the owner's
    # permissions are those that the service would have as somebody else.
    names = order["namespaces"]
    path.mkdir(0o755 if names and names["set_groups"] else 0o555, parents=True, exist_ok=True)


def _fill_dev(devices: list[tuple[str, int]]) -> None:
    mount("tmpfs", "/dev", "tmpfs", NOSUID | NOEXEC, "mode=755,size=64k")
    with step("fill /dev"):
        for name, descriptor in devices:
            Path("/dev", name).touch()
            mount(f"/proc/self/fd/{descriptor}", f"/dev/{name}", "", BIND)
            os.close(descriptor)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            Path("/dev", name).symlink_to(f"/proc/self/fd/{number}")
        Path("/dev/fd").symlink_to("/proc/self/fd")
        Path("/dev/shm").mkdir()  # noqa: S108 - the image's own
    # 64 MiB is Docker's default, which torch's data loaders know too well.
    flags = NOSUID | NODEV | NOEXEC
    mount("tmpfs", "/dev/shm", "tmpfs", flags, "mode=1777,size=64m")  # noqa: S108 - the image's own


def _write_network_files(hostname: str) -> None:
    # Engines put these over the image's own. No resolver can be reached, so none is named.
    for name, text in (
        ("hosts", f"127.0.0.1 localhost {hostname}\n::1 localhost\n"),
        ("hostname", f"{hostname}\n"),
        ("resolv.conf", ""),
    ):
        path = Path("/etc", name)
        path.unlink(missing_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)
