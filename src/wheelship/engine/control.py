# SPDX-License-Identifier: Apache-2.0
"""Our end of the control socket: starts the sandbox program and turns its packets into calls."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import wheelship
from wheelship.engine.errors import EngineLost
from wheelship.engine.sandbox.packet import PACKET_BYTES, Order, receive, send

__all__ = ["Refused", "Supervisor"]

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from wheelship.engine.sandbox.supervisor import main; sys.exit(main(int(sys.argv[2])))"
)
_ANSWER_SECONDS = 60
_END_SECONDS = 30


class Refused(Exception):
    """The sandbox could not take a step; ``image`` says that the image is to blame for it."""

    def __init__(self, text: str, code: int, *, image: bool) -> None:
        super().__init__(text)
        self.code, self.image = code, image


class Supervisor:
    """A sandbox with one service in it; a context manager.

    ``trace`` receives what the program itself has to say, which is nothing unless it is broken.

    Raises:
        Refused: the service could not be started.
        EngineLost: the sandbox program itself ended.
    """

    def __init__(self, python: Path, order: Order, output: int | None, trace: BinaryIO) -> None:
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._control.settimeout(_ANSWER_SECONDS)
        self._turn = threading.Lock()  # one question, one answer
        self._trace = trace
        with theirs:
            self._process = self._execute(python, theirs)
        try:
            packet = {"order": order}
            self.service: int = self._ask(packet, () if output is None else (output,))["pid"]
        except BaseException:
            self.close()
            raise

    def _execute(self, python: Path, theirs: socket.socket) -> subprocess.Popen[bytes]:
        packages = str(Path(wheelship.__file__).parent.parent)
        try:
            return subprocess.Popen(
                [str(python), "-I", "-S", "-B", "-c", _PROGRAM, packages, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._trace,
                stderr=self._trace,
                env={},
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; we end the sandbox in order
            )
        except OSError as error:
            self._control.close()
            raise EngineLost(
                f"cannot execute Python for the sandbox: {error.strerror}", where=str(python)
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything inside and wait until it is gone."""
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def spawn(self, argv: Sequence[str], stdout: int, stderr: int) -> int:
        """Start a command beside the service and return its number.

        Raises:
            Refused: it could not be executed.
        """
        pid: int = self._ask({"do": "spawn", "argv": list(argv)}, (stdout, stderr))["pid"]
        return pid

    def poll(self, pid: int) -> int | None:
        """Return the exit status of ``pid`` as a shell shows it; None while it runs."""
        status: int | None = self._ask({"do": "poll", "pid": pid})["status"]
        return status

    def signal(self, pid: int, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        self._ask({"do": "signal", "pid": pid, "signal": int(number)})

    def dial(self, port: int) -> socket.socket:
        """Return a connection to ``port`` made inside the sandbox's network.

        Raises:
            OSError: nothing listens there.
        """
        try:
            _, files = self._exchange({"do": "dial", "port": port})
        except Refused as error:
            raise OSError(error.code, os.strerror(error.code)) from error
        return socket.socket(fileno=files[0])

    def _ask(self, packet: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        return self._exchange(packet, files)[0]

    def _exchange(
        self, packet: dict[str, Any], files: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        try:
            with self._turn:
                send(self._control, packet, files)
                reply, received = receive(self._control)
        except TimeoutError as error:
            raise EngineLost("the sandbox does not answer any more") from error
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            what = f"pass on a command and environment of more than {PACKET_BYTES} bytes"
            raise Refused(what, error.errno, image=True) from error
        if reply is None:
            self._trace.seek(0)
            said = self._trace.read().decode(errors="replace").strip().splitlines()
            raise EngineLost(
                "the sandbox program ended unexpectedly" + (f": {said[-1]}" if said else "")
            )
        if problem := reply.get("error"):
            raise Refused(problem["text"], problem["errno"], image=problem["image"])
        return reply, received
