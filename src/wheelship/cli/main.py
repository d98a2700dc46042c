# SPDX-License-Identifier: Apache-2.0
"""Entry point: the group of commands, loaded one by one, and the way errors end the program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from wheelship import __version__

__all__ = ["entry", "main"]


def entry() -> None:
    """Run the command line of this process and exit with its status."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # the caller closed it
            setattr(sys, stream, Path(os.devnull).open("w"))  # noqa: SIM115 - until the end
    sys.exit(_settled(main(sys.argv[1:])))


def _settled(status: int) -> int:
    """Write what is buffered; Python itself would hide a failure behind the status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                from wheelship.cli.failure import render_lost_output

                status = render_lost_output(error)
    return status


def _terminate(number: int, frame: FrameType | None) -> None:
    """End as on Ctrl-C: work is given up, nothing unfinished stays. Asked again, end at once."""
    del frame
    from wheelship.cli.group import Terminated

    signal.signal(number, signal.SIG_DFL)
    raise Terminated


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit status (DESIGN §5)."""
    if list(argv) in (["--version"], ["-V"]):
        # Asked by scripts before every call: not worth importing a parser for.
        sys.stdout.write(f"wheelship {__version__}\n")
        return 0
    from wheelship.cli.group import run

    return run(argv)


if __name__ == "__main__":
    entry()
