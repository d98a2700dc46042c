# SPDX-License-Identifier: Apache-2.0
"""Options of every command, accepted before and after its name, and the process's environment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

__all__ = ["Settings", "common_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(slots=True)
class Settings:
    """What the command line and the environment say about how to talk and where to store.

    The only mutable value of the program: options may stand before or after the command, so it is
    filled while click parses, and read afterwards.
    """

    environ: Mapping[str, str]
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    store: Path | None = None
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def store_root(self) -> Path:
        """Directory of the store: ``--store``, ``WHEELSHIP_STORE``, else the XDG cache."""
        if self.store is not None:
            return self.store.resolve()
        if named := self.environ.get("WHEELSHIP_STORE"):
            return Path(named).resolve()
        cache = self.environ.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else Path.home() / ".cache") / "wheelship"

    @property
    def colored(self) -> bool:
        """Whether stderr gets colour."""
        return self.colors(sys.stderr)

    def colors(self, stream: TextIO) -> bool:
        """Tell whether ``stream`` gets colour (https://no-color.org): a terminal, unless told."""
        if self.color != "auto":
            return self.color == "always"
        return stream.isatty() and not self.environ.get("NO_COLOR")


def _set(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: object) -> None:
        del param
        if value not in (None, False):
            setattr(ctx.find_object(Settings), name, value)

    return callback


def common_options(function: _F) -> _F:
    """Add ``--json``, ``--quiet``, ``--verbose``, ``--color`` and ``--store`` to a command.

    They are read before all others, which may find their values wrong and have to say so in JSON.
    """
    options = [
        click.option(
            "--json",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_set("json"),
            help="Write the result as JSON to stdout.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_set("quiet"),
            help="No progress on stderr.",
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_set("verbose"),
            help="Say more, with tracebacks on errors.",
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            is_eager=True,
            expose_value=False,
            callback=_set("color"),
            help="Colour: auto means on a terminal.  [default: auto]",
        ),
        click.option(
            "--store",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            is_eager=True,
            expose_value=False,
            callback=_set("store"),
            help="Where layers and downloads are kept.  [env: WHEELSHIP_STORE; default: "
            "$XDG_CACHE_HOME/wheelship]",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function
