# SPDX-License-Identifier: Apache-2.0
"""What an engine has to execute, read from an image's configuration the way Docker reads it."""

from __future__ import annotations

import os
import posixpath
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from wheelship.engine.errors import ImageNotRunnable
from wheelship.engine.model import ImageFiles, Options
from wheelship.oci.config import ImageConfig

__all__ = ["Program", "home_of", "numeric_user", "program_of", "stop_signal_of"]

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSWD_BYTES = 1024 * 1024
_ID_MAX = 2**32 - 2
_REAL_TIME = re.compile(r"(RTMIN|RTMAX)([+-]\d{1,2})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The service as a process; ``writable`` has parents before their children."""

    argv: tuple[str, ...]
    env: dict[str, str]
    workdir: str
    uid: int
    gid: int
    writable: tuple[str, ...]
    stop_signal: int


def program_of(image: ImageFiles, options: Options) -> Program:
    """Combine the image's configuration with ``options``.

    Raises:
        ImageNotRunnable: there is no command, or a field makes no sense.
    """
    config = image.config
    command = config.command if options.arguments is None else options.arguments
    argv = (*config.entrypoint, *command)
    if not argv:
        raise ImageNotRunnable(
            "the image has neither a command nor an entry point",
            where=image.reference,
            hint='set command = ["…"] under [tool.wheelship], or pass one after --',
        )
    uid, gid = numeric_user(config)
    return Program(
        argv=argv,
        env={"PATH": _DEFAULT_PATH, **dict(config.env), **options.env},
        workdir=_absolute(config.workdir or "/", "working directory"),
        uid=uid,
        gid=gid,
        writable=_writable((*config.volumes, *options.writable)),
        stop_signal=stop_signal_of(config),
    )


def numeric_user(config: ImageConfig) -> tuple[int, int]:
    """Return the uid and gid of the image's user; a lone uid has gid 0, none at all is root.

    Raises:
        ImageNotRunnable: it is a name, which needs the image's passwd (and which Kubernetes'
            ``runAsNonRoot`` refuses as well).
    """
    uid, _, gid = config.user.partition(":")
    try:
        found = int(uid or 0), int(gid or 0)
    except ValueError:
        found = -1, -1
    if not all(0 <= one <= _ID_MAX for one in found):
        raise ImageNotRunnable(
            f"the image's user {config.user!r} is not numeric",
            hint='write it as numbers: user = "65532:65532"',
        )
    return found


def home_of(uid: int, root: Path) -> str:
    """Return the home directory that the image's passwd gives ``uid``; ``/`` when it gives none."""
    from wheelship.archive.beneath import Beneath  # which Windows could not even import

    with Beneath(root) as tree:
        etc = tree.find(("etc",))
        if etc is None:
            return "/"
        try:
            passwd = os.open("passwd", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=etc)
        except OSError:
            return "/"
        with open(passwd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            rows = file.read(_PASSWD_BYTES).decode(errors="replace").splitlines()
    for row in rows:
        fields = row.split(":")
        if len(fields) == 7 and fields[2] == str(uid):  # noqa: PLR2004 - passwd(5)
            return fields[5] or "/"
    return "/"


def _absolute(path: str, what: str) -> str:
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ImageNotRunnable(f"the image's {what} {path!r} is not an absolute path")
    return posixpath.normpath("/" + path.lstrip("/"))


def _writable(paths: tuple[str, ...]) -> tuple[str, ...]:
    found = {_absolute(path, "writable directory") for path in paths} - {"/tmp"}  # noqa: S108 - always writable
    if "/" in found:
        raise ImageNotRunnable("the whole root file system is declared writable")
    return tuple(sorted(found))


def stop_signal_of(config: ImageConfig) -> int:
    """Return the number of the signal that engines end the image's service with.

    Read as Docker does: a name with or without ``SIG`` in any case, a real-time signal counted from
    either end (``RTMIN+3``), or a number.

    Raises:
        ImageNotRunnable: there is no such signal.
    """
    name = config.stop_signal.upper().removeprefix("SIG") or "TERM"
    real_time = _REAL_TIME.fullmatch(name)
    if real_time is not None:
        number = int(signal.Signals["SIG" + real_time[1]]) + int(real_time[2])
        known = signal.SIGRTMIN <= number <= signal.SIGRTMAX
    elif name.isdecimal():
        number = int(name)
        known = number in signal.valid_signals()
    else:
        number = signal.Signals.__members__.get(f"SIG{name}", 0)
        known = number != 0
    if not known:
        raise ImageNotRunnable(f"the image's stop signal {config.stop_signal!r} does not exist")
    return number
