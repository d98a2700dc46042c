# SPDX-License-Identifier: Apache-2.0
"""The command group; a command's module is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import ClassVar

import click

from wheelship import __version__
from wheelship.cli.failure import render_bug, render_failure, render_usage
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import ExitStatus, WheelshipError

__all__ = ["Terminated", "command_group", "run"]


class Terminated(BaseException):
    """The system wants this process to end (SIGTERM); what is unfinished is tidied up first."""


class _Commands(click.Group):
    """Knows its commands by name and one line of help; imports only the one that is called."""

    table: ClassVar[dict[str, str]] = {
        "init": "Find out how a project is shipped, and write its table.",
        "build": "Build the images of a project.",
        "lock": "Resolve the project and write its locks.",
        "plan": "Show what a build would make, and why each package is in it.",
        "check": "Start an image as its users would, and prove that it works.",
        "push": "Push an image to a registry.",
        "inspect": "Show why an image is as big as it is, and what of it is waste.",
        "compare": "Show what changed between images, and fail when one grew too much.",
        "cache": "Show, verify or prune the store.",
        "doctor": "Find what is missing on this machine, and say how to get it.",
        "completion": "Write what a shell needs to complete commands and options.",
    }

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was called.

        A pipe that nobody reads any more ends it as if it were done. click would end the program
        with 1, which says that a gate failed.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if not _stdout_is_lost(error):  # some other pipe: a bug of ours
                raise RuntimeError(str(error)) from error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitStatus.DONE

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self.table:
            return None
        command = import_module(f"wheelship.cli.{cmd_name}_command").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own modules
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.table:
            import difflib

            close = difflib.get_close_matches(args[0], self.table, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"there is no command {args[0]!r}.{hint} See: wheelship --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 a gate failed (budget, check, compare), 2 usage, 3 input or "
    "configuration, 4 network, 5 this machine, 70 a bug, 130 interrupted, 143 terminated.",
)
@click.version_option(__version__, "-V", "--version", message="wheelship %(version)s")
@common_options
def _wheelship() -> None:
    """Small, reproducible container images for Python services, without a Docker daemon.

    Turns the locked wheels and Debian packages of a project straight into image layers.

    \b
        wheelship build                 the default variant into dist/
        wheelship check                 start it, ask it, stop it
        wheelship inspect               see what takes its space
    """  # noqa: D301 - the backspace tells click to keep the lines


def command_group() -> click.Group:
    """Return the group of all commands, for the generated reference and shell completion."""
    return _wheelship


def _stopped(end: BaseException, settings: Settings) -> int:
    if isinstance(end.__cause__, EOFError):
        # click takes it for the end of an answer that was asked for; we ask for none.
        return render_bug(end.__cause__, settings)
    ended = ExitStatus.TERMINATED if isinstance(end, Terminated) else ExitStatus.INTERRUPTED
    sys.stderr.write(f"{ended.name.lower()}\n")
    return ended


def _stdout_is_lost(error: Exception) -> bool:
    try:
        if isinstance(error, OSError) and error.filename is None:
            # Of a text that is longer than the buffer nothing is left in there to be flushed.
            sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def run(argv: Sequence[str]) -> int:
    """Parse ``argv``, run the command and return the exit status; errors are rendered here."""
    settings = Settings(environ=dict(os.environ))
    try:
        # Told not to end the process, click returns the status of an Exit where it was raised.
        status = _wheelship.main(
            args=list(argv), prog_name="wheelship", standalone_mode=False, obj=settings
        )
    except click.ClickException as error:
        return _misused(error, as_json=settings.json or "--json" in _options(argv))
    except (click.Abort, KeyboardInterrupt, Terminated) as end:
        return _stopped(end, settings)
    except WheelshipError as error:
        return render_failure(error, settings)
    except Exception as error:  # noqa: BLE001 - the outermost frame: anything here is our bug
        # A stdout that takes nothing is no bug: the end of the program says so.
        return ExitStatus.DONE if _stdout_is_lost(error) else render_bug(error, settings)
    return status if isinstance(status, int) else ExitStatus.DONE


def _options(argv: Sequence[str]) -> Sequence[str]:
    """Return what can be options; parsing may have failed before it got to ``--json``."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _misused(error: click.ClickException, *, as_json: bool) -> int:
    if not as_json:
        error.show()
        return ExitStatus.USAGE
    context = error.ctx if isinstance(error, click.UsageError) else None
    called = context.command_path if context is not None else "wheelship"
    return render_usage(error.format_message(), f"{called} --help")
