# SPDX-License-Identifier: Apache-2.0
"""The launcher and the supervisor: make the namespaces, answer requests, end everything."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from wheelship.engine.sandbox import kernel
from wheelship.engine.sandbox.child import (
    ASK_FOR_MAPS,
    ASK_TO_EXECUTE,
    NOT_STARTED,
    ask_for_maps,
    become,
    become_command,
    become_service,
)
from wheelship.engine.sandbox.kernel import Failed, step
from wheelship.engine.sandbox.packet import Namespaces, Order, receive, send

__all__ = ["main"]

_CONNECT_SECONDS = 1
_STEP_BYTES = 1024


def main(descriptor: int) -> int:
    """Serve the control socket ``descriptor`` until its other end closes; the exit status."""
    os.set_inheritable(descriptor, False)
    control = socket.socket(fileno=descriptor)
    packet, files = receive(control)
    if packet is None:
        return NOT_STARTED
    order: Order = packet["order"]
    output = files[0] if files else -1
    if order["namespaces"] is None:
        kernel.adopt_orphans()
        return _supervise(control, order, output)
    return _launch(control, order, order["namespaces"], output)


def _launch(control: socket.socket, order: Order, names: Namespaces, output: int) -> int:
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()
        os._exit(_enter_namespaces(control, order, output, there))
    control.close()  # whoever holds the other end must see it when the supervisor dies
    there.close()
    if here.recv(1) == ASK_FOR_MAPS:
        maps = (names["outer_uids"], names["outer_gids"])
        here.send(_write_maps(f"/proc/{child}", maps, set_groups=names["set_groups"]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _enter_namespaces(
    control: socket.socket, order: Order, output: int, launcher: socket.socket
) -> int:
    try:
        kernel.unshare_everything()
        ask_for_maps(launcher)
        kernel.die_with_parent()
        kernel.loopback_up()
        with step("set the host name"):
            socket.sethostname(order["hostname"])
    except Failed as error:
        send(control, _described(error))
        return NOT_STARTED
    return _supervise(control, order, output)


def _write_maps(process: str, maps: tuple[str, str], *, set_groups: bool) -> bytes:
    """Write the uid and gid map of ``process``; one byte, the errno of a failure or 0."""
    try:
        if not set_groups:
            Path(process, "setgroups").write_text("deny", "utf-8")
        Path(process, "gid_map").write_text(maps[1], "utf-8")
        Path(process, "uid_map").write_text(maps[0], "utf-8")
    except OSError as error:
        return bytes([error.errno or errno.EIO])
    return b"\0"


def _supervise(control: socket.socket, order: Order, output: int) -> int:
    init = 0
    ended: dict[int, int] = {}
    try:
        init = _start(order, lambda link: become_service(order, output, link))
        send(control, {"pid": init})
        if order["argv"]:
            _serve(control, order, ended)
    except Failed as error:
        send(control, _described(error))
    finally:
        if order["namespaces"] is None:
            _end_descendants()
        else:
            _end_namespace(None if init in ended else init)
    return 0


def _serve(control: socket.socket, order: Order, ended: dict[int, int]) -> None:
    while True:
        packet, files = receive(control)
        if packet is None:
            return
        _reap(ended)
        try:
            _answer(control, packet, files, order, ended)
        except Failed as error:
            send(control, _described(error))
        finally:
            for file in files:
                os.close(file)


def _answer(
    control: socket.socket,
    packet: dict[str, Any],
    files: list[int],
    order: Order,
    ended: dict[int, int],
) -> None:
    operation = packet["do"]
    if operation == "spawn":
        argv: list[str] = packet["argv"]
        output = (files[0], files[1])
        child = _start(order, lambda link: become_command(order, argv, output, link))
        ended.pop(child, None)  # a number used again
        send(control, {"pid": child})
    elif operation == "poll":
        send(control, {"status": ended.get(packet["pid"])})
    elif operation == "signal":
        if packet["pid"] not in ended:
            with suppress(ProcessLookupError):
                os.kill(packet["pid"], packet["signal"])
        send(control, {})
    elif operation == "dial":
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            # A socket stays in the network namespace it was made in, whoever holds it.
            connection.settimeout(_CONNECT_SECONDS)
            with step("connect"):
                connection.connect(("127.0.0.1", packet["port"]))
            connection.settimeout(None)
            send(control, {}, [connection.fileno()])


def _start(order: Order, program: Callable[[socket.socket], NoReturn]) -> int:
    """Fork a child that becomes ``program`` and see it through to its exec.

    Raises:
        Failed: a step of the child's failed; the child is gone.
    """
    link, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with link:
        with step("fork"):  # ENOMEM: process 1 of the PID namespace is gone
            child = os.fork()
        if child == 0:
            link.close()
            become(program, theirs)
        theirs.close()
        while (asked := link.recv(_STEP_BYTES)) in (ASK_FOR_MAPS, ASK_TO_EXECUTE):
            names = order["namespaces"]
            if asked == ASK_TO_EXECUTE or names is None:
                link.send(ASK_TO_EXECUTE)
                continue
            maps = (names["inner_uids"], names["inner_gids"])
            # /proc is the new one by now, and the service the first process in it.
            link.send(_write_maps("/proc/1", maps, set_groups=names["set_groups"]))
    if asked:
        code, blame, what = asked.decode().split(":", 2)
        raise Failed(what, int(code), image=bool(blame))
    return child


def _reap(ended: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(found[1])
            ended[found[0]] = code if code >= 0 else 128 - code


def _end_namespace(init: int | None) -> None:
    """Kill process 1 of the PID namespace, if it was not reaped yet, and with it all the others.

    The kernel does the killing, but it waits for us to reap those whom we put there.
    """
    if init:
        os.kill(init, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _end_descendants() -> None:
    """Kill our children until there are none: orphans become our children and come round again."""
    with suppress(ChildProcessError):
        while True:
            for child in _children():
                os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    own = str(os.getpid())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may be gone by now
            fields = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if fields[1] == own:
                found.append(int(process.name))
    return found


def _described(error: Failed) -> dict[str, Any]:
    text = f"{error.what}: {os.strerror(error.code)}"
    return {"error": {"text": text, "errno": error.code, "image": error.image}}
