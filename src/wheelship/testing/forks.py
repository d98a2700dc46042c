# SPDX-License-Identifier: Apache-2.0
"""Runs the command line hundreds of times: each run is a fork of a process that imported it all.

A run can be struck: a signal, or an error of the disk, at its n-th progress event or before its
n-th change of the file system. Run as a module, this is the server; it reads one JSON document per
line and answers with one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

from wheelship.events import Event

__all__ = ["Ended", "ForkServer", "Job", "Strike"]

_CHANGES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "os.utime", "subprocess.Popen",
}  # fmt: skip
_IMPORTED = ("wheelship.cli.build_command", "wheelship.build.produce", "wheelship.cli.failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What happens at the ``at``-th point (from 1): ``signal``, or an ``OSError`` with ``errno``.

    A point is a progress ``event``, or a ``change`` of the file system that is about to be made.
    """

    at: int
    point: Literal["event", "change"]
    signal: int = 0
    errno: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of ``wheelship argv…``, begun after ``delay_seconds``.

    ``file_bytes`` limits the size of every file written.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str = "/"
    umask: int = 0o022
    uid: int = 0
    file_bytes: int = 0
    delay_seconds: float = 0
    strike: Strike | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended; ``status`` is negative where a signal ended it, ``points`` were passed."""

    status: int
    out: str
    err: str
    points: int = field(default=0)

    @property
    def image(self) -> dict[str, Any]:
        """The only image of a build with ``--json``."""
        (image,) = json.loads(self.out)["images"]
        assert isinstance(image, dict)
        return image

    @property
    def error(self) -> dict[str, Any]:
        """The error of a run with ``--json``."""
        error = json.loads(self.out)["error"]
        assert isinstance(error, dict)
        return error


class ForkServer:
    """A context manager; use it from one thread."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wheelship.testing.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, *jobs: Job) -> list[Ended]:
        """Run ``jobs`` at the same time and wait for all of them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self._process.stdin.flush()
        return [Ended(**one) for one in json.loads(self._process.stdout.readline())]


# --- the server ---


def main() -> None:
    """Serve until the input ends."""
    for name in _IMPORTED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "only a process without threads may fork"
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="wheelship-forks-") as directory:
            started = [
                _start(_job(document), Path(directory, str(number)))
                for number, document in enumerate(json.loads(line))
            ]
            ended = [_wait(pid, place) for pid, place in started]
            for _, place in started:
                _learn(place / "modules")
        sys.stdout.write(json.dumps([asdict(one) for one in ended]) + "\n")
        sys.stdout.flush()


def _learn(modules: Path) -> None:
    """Import what a child had to, so that the next one need not; it may be unable to."""
    for name in modules.read_text().split() if modules.exists() else ():
        with suppress(Exception):
            importlib.import_module(name)


def _job(document: dict[str, Any]) -> Job:
    strike = document.pop("strike")
    return Job(**document, strike=None if strike is None else Strike(**strike))


def _start(job: Job, place: Path) -> tuple[int, Path]:
    place.mkdir()
    place.chmod(0o777)
    pid = os.fork()
    if pid == 0:
        _child(job, place)
    return pid, place


def _wait(pid: int, place: Path) -> Ended:
    _, status = os.waitpid(pid, 0)
    points = place / "points"
    return Ended(
        status=os.waitstatus_to_exitcode(status),
        out=(place / "out").read_text(),
        err=(place / "err").read_text(),
        points=points.stat().st_size if points.exists() else 0,
    )


def _child(job: Job, place: Path) -> NoReturn:
    status = 70
    try:
        for name, number in (("out", 1), ("err", 2)):
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT, 0o666)
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # A shell starts what runs in its background with this signal ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(job.environment)
        tempfile.tempdir = None
        sys.argv = ["wheelship", *job.argv]
        if job.strike is not None:
            _arm(job.strike, os.open(place / "points", os.O_WRONLY | os.O_CREAT, 0o666))
        time.sleep(job.delay_seconds)
        os.chdir(job.cwd)
        os.umask(job.umask)
        if job.file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_bytes, job.file_bytes))
        if job.uid:
            os.setgroups([])
            os.setresgid(job.uid, job.uid, job.uid)
            os.setresuid(job.uid, job.uid, job.uid)
        from wheelship.cli.main import entry

        entry()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with suppress(OSError):
            (place / "modules").write_text(" ".join(sorted(sys.modules)))
        os._exit(status)


def _arm(strike: Strike, counter: int) -> None:
    """Count the points of this process, in a file that outlives it, and strike at one of them."""
    lock = threading.Lock()
    passed = 0

    def point() -> None:
        nonlocal passed
        with lock:
            passed += 1
            os.write(counter, b".")
            due = passed == strike.at
        if due and strike.errno:
            raise OSError(strike.errno, os.strerror(strike.errno))
        if due:
            os.kill(os.getpid(), strike.signal)
            if strike.signal == signal.SIGKILL:
                threading.Event().wait()  # another thread runs on until the signal arrives

    if strike.point == "change":

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _CHANGES or (event == "open" and _writes(arguments)):
                point()

        sys.addaudithook(audit)
        return
    from wheelship.cli.progress import ProgressView

    emit = ProgressView.emit

    def struck(self: ProgressView, event: Event) -> None:
        emit(self, event)
        point()

    ProgressView.emit = struck  # type: ignore[method-assign]


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, _, flags = arguments
    if isinstance(path, int) or str(path).startswith("/dev/"):
        return False
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if __name__ == "__main__":
    main()
