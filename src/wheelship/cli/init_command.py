# SPDX-License-Identifier: Apache-2.0
"""``wheelship init``: find out how a project is shipped, and write its table."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.discover.model import Discovery
    from wheelship.discover.propose import Choice, Proposal, Setting
    from wheelship.discover.text import Target
    from wheelship.request.start import Start

__all__ = ["command"]

_MOST_SHOWN = 12


@click.command("init", epilog="Example: wheelship init . --dry-run")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the table, write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; take what is likeliest.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    path: Path,
    dry_run: bool,  # noqa: FBT001 - click passes flags so
    yes: bool,  # noqa: FBT001
) -> None:
    """Find out how the project in PATH is shipped, and write its wheelship table.

    Looks for the web framework and the object or script to start, port, health route, the extra
    with the server, Python version, accelerators, and what an existing Dockerfile installs, sets
    and declares. Each line of the table says where it was found. The project's code is not run.

    The table is added to the end of pyproject.toml; without one, wheelship.toml is made. On a
    terminal, what was not found or is not clear is asked for.
    """
    from wheelship.discover.find import discover
    from wheelship.discover.propose import propose
    from wheelship.discover.text import render, target_of, write
    from wheelship.store.errors import disk_errors

    root = path.resolve()
    discovery = discover(root)
    target = target_of(root, again=dry_run)
    asks = not (yes or settings.json) and sys.stdin.isatty() and sys.stderr.isatty()
    choice = _asked(discovery) if asks else _likeliest(discovery)
    proposal = propose(discovery, choice)
    table = render(proposal, target.prefix)
    if not dry_run:
        with disk_errors(target.path.parent, "wheelship init --dry-run > FILE"):
            write(root, target, table)
    if settings.json:
        document = _document(discovery, proposal, target, table, written=not dry_run)
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif dry_run:
        sys.stdout.write(table)
    else:
        _show(discovery, proposal, target, path)


def _likeliest(discovery: Discovery) -> Choice:
    """Return the choice without asking.

    Raises:
        NoCommand: nothing was found that could be started.
    """
    from wheelship.discover.propose import settle
    from wheelship.request.start import default_start

    # Without any start this raises, and says what to write by hand.
    start = discovery.start or default_start(discovery.project, None)
    return settle(discovery, start)


def _asked(discovery: Discovery) -> Choice:
    """Ask for what was not found, or is not clear; everything has a default where there is one."""
    from wheelship.discover.model import Found
    from wheelship.discover.propose import settle

    start = _which(discovery)
    port: int | None = None
    if discovery.ambiguous_port and start.port is not None:
        _say("the files name several ports:", [f"{one.value}: {one}" for one in discovery.ports])
        usual = discovery.ports[0].value
        port = click.prompt("port", default=usual, type=click.IntRange(1, 65535), err=True)
    choice = settle(discovery, start, port=port)
    if choice.port is not None and choice.health is None:
        path = click.prompt(
            "path of a health check, such as /healthz (empty: none)",
            default="",
            show_default=False,
            value_proc=_url_path,
            err=True,
        )
        if path:
            choice = replace(choice, health=Found(value=path, why="as you said"))
    return choice


def _which(discovery: Discovery) -> Start:
    from wheelship.request.start import Start

    if not discovery.starts:
        line = click.prompt("nothing to start was found; command", value_proc=_words, err=True)
        port = click.prompt(
            "port it listens on (0: none)", default=0, type=click.IntRange(0, 65535), err=True
        )
        return Start(command=tuple(line), server=line[0], port=port or None)
    if discovery.rivals == 1:
        return discovery.starts[0]
    rivals = discovery.starts[: discovery.rivals]
    names = [str(one.application or f"console script {one.server}") for one in rivals]
    _say("several things could be started:", [f"{at}: {one}" for at, one in enumerate(names, 1)])
    chosen = click.prompt("which", default=1, type=click.IntRange(1, len(rivals)), err=True)
    return rivals[int(chosen) - 1]


def _say(headline: str, lines: list[str]) -> None:
    click.echo(headline, err=True)
    for line in lines[:_MOST_SHOWN]:
        click.echo(f"  {line}", err=True)


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not words:
        raise click.BadParameter("must not be empty")
    return words


def _url_path(text: str) -> str:
    if text and (not text.startswith("/") or not text.isascii() or " " in text):
        raise click.BadParameter("must begin with a slash and have no blanks")
    return text


def _show(discovery: Discovery, proposal: Proposal, target: Target, path: Path) -> None:
    verb = "made" if target.before is None else "added the wheelship table to"
    sys.stdout.write(f"{verb} {target.name}\n")
    for setting in proposal.settings:
        name = ".".join((*setting.table, setting.key))
        sys.stdout.write(f"  {name:<18} {_short(setting)}\n")
    for remark in discovery.remarks:
        sys.stderr.write(f"note: {remark}\n")
    if discovery.rivals > 1:
        others = ", ".join(
            str(one.application or one.server) for one in discovery.starts[1 : discovery.rivals]
        )
        sys.stderr.write(f"note: just as likely to be started: {others}\n")
    where = "" if str(path) == "." else f" {shlex.quote(str(path))}"
    sys.stdout.write(f"next: wheelship build{where} && wheelship check{where}\n")


def _short(setting: Setting) -> str:
    from wheelship.discover.propose import EACH

    value = _plain_value(setting)
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{text}  ({setting.found})" if setting.found.why != EACH else text


def _plain_value(setting: Setting) -> str | int | list[str]:
    if isinstance(setting.value, tuple):
        return [one if isinstance(one, str) else one.value for one in setting.value]
    return setting.value


def _document(
    discovery: Discovery, proposal: Proposal, target: Target, table: str, *, written: bool
) -> dict[str, Any]:
    return {
        "schema": "wheelship.init/1",
        "file": target.name,
        "written": written,
        "table": table,
        "settings": [
            {
                "key": ".".join((*setting.table, setting.key)),
                "value": _plain_value(setting),
                "found": _sources(setting),
            }
            for setting in proposal.settings
        ],
        "alternatives": [
            str(one.application or one.server) for one in discovery.starts[1:][:_MOST_SHOWN]
        ],
        "remarks": [
            {"message": one.why, "where": str(one.place) if one.place else None}
            for one in discovery.remarks
        ],
    }


def _sources(setting: Setting) -> list[dict[str, str | None]]:
    from wheelship.discover.model import Found

    each = [one for one in setting.value if isinstance(one, Found)] if isinstance(
        setting.value, tuple
    ) else []  # fmt: skip
    return [
        {"why": one.why, "where": str(one.place) if one.place else None}
        for one in each or [setting.found]
    ]
