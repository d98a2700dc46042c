# SPDX-License-Identifier: Apache-2.0
"""What a forked child does until it executes a program of the image.

Through ``link`` it asks its parent for id maps (``m``), asks for leave to execute (``g``), or says
which step failed (``errno:blame:step``). A link closed without a word means that the program runs.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from wheelship.engine.sandbox import kernel
from wheelship.engine.sandbox.kernel import Failed, step
from wheelship.engine.sandbox.packet import Order
from wheelship.engine.sandbox.root import enter_root

__all__ = [
    "ASK_FOR_MAPS",
    "ASK_TO_EXECUTE",
    "NOT_STARTED",
    "ask_for_maps",
    "become",
    "become_command",
    "become_service",
]

ASK_FOR_MAPS, ASK_TO_EXECUTE = b"m", b"g"
NOT_STARTED = 127
# A program inherits what is ignored. Python ignores the first two; a shell in the background, nohup
# and traps any of the others, and then Python, for one, has no handler for SIGINT.
_NOT_IGNORED = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
)


def become(program: Callable[[socket.socket], NoReturn], link: socket.socket) -> NoReturn:
    """Call ``program`` and never return; a failed step is told through ``link``."""
    try:
        program(link)
    except BaseException as error:  # noqa: BLE001 - a silent end would pass for a program that runs
        failed = error if isinstance(error, Failed) else Failed(f"go on after {error!r}", None)
        with suppress(OSError):
            link.send(f"{failed.code}:{'image' if failed.image else ''}:{failed.what}".encode())
    os._exit(NOT_STARTED)


def become_service(order: Order, output: int, link: socket.socket) -> NoReturn:
    """Build the root file system, enter it as the image's user, and execute ``order``'s program."""
    os.setsid()
    names = order["namespaces"]
    if names is not None:
        enter_root(order)
        kernel.unshare_user()
        ask_for_maps(link)
    _drop_privileges(order)
    if not order["argv"]:
        os._exit(0)
    _execute(order, order["argv"], (output, output), link)


def become_command(
    order: Order, argv: list[str], output: tuple[int, int], link: socket.socket
) -> NoReturn:
    """Join the service's surroundings and execute ``argv``; ``output`` is for stdout and stderr."""
    os.setsid()
    names = order["namespaces"]
    if names is not None:
        kernel.enter_user_namespace("/proc/1/ns/user")
    _drop_privileges(order)
    _execute(order, argv, output, link)


def ask_for_maps(link: socket.socket) -> None:
    """Wait until the parent has written this process's id maps.

    Raises:
        Failed: the kernel refused them.
    """
    link.send(ASK_FOR_MAPS)
    answer = link.recv(1)
    if answer != b"\0":
        raise Failed("write the id maps", answer[0] if answer else errno.EPIPE)


def _drop_privileges(order: Order) -> None:
    names, user = order["namespaces"], order["user"]
    if names is not None and names["set_groups"]:
        user = names["uid"], names["gid"]
    kernel.drop_capabilities(bounding=True)  # while CAP_SETPCAP is still there
    if user is not None:
        with step("change to the image's user"):
            os.setgroups([])
            os.setresgid(user[1], user[1], user[1])
            os.setresuid(user[0], user[0], user[0])
    kernel.drop_capabilities(bounding=False)
    kernel.forbid_new_privileges()


def _execute(
    order: Order, argv: list[str], output: tuple[int, int], link: socket.socket
) -> NoReturn:
    # Late, because changed credentials make the kernel forget it; the question after it closes the
    # gap in which the parent may have died already.
    kernel.die_with_parent()
    link.send(ASK_TO_EXECUTE)
    if not link.recv(1):
        os._exit(NOT_STARTED)
    os.umask(0o022)
    for number in _NOT_IGNORED:
        signal.signal(number, signal.SIG_DFL)
    with step(f"enter the directory {order['workdir']}", image=True):
        os.chdir(order["workdir"])
    with step("open /dev/null"):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output[0], 1)
    os.dup2(output[1], 2)
    found = errno.ENOENT
    for candidate in _candidates(argv[0], order["env"]):
        try:
            os.execve(candidate, argv, order["env"])  # noqa: S606 - no shell is the point
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            found = error.errno or errno.EIO
    raise Failed(f"execute {argv[0]}", found, image=True)


def _candidates(program: str, env: dict[str, str]) -> list[str]:
    if "/" in program:
        return [program]
    return [f"{directory or '.'}/{program}" for directory in env.get("PATH", "").split(":")]
