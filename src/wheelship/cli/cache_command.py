# SPDX-License-Identifier: Apache-2.0
"""``wheelship cache``: the store."""

from __future__ import annotations

import json
import sys

import click

from wheelship.cli.settings import Settings, common_options
from wheelship.report.size import format_bytes
from wheelship.store.maintain import prune, usage, verify
from wheelship.store.store import Store

__all__ = ["command"]


@click.group("cache")
@common_options
def command() -> None:
    """Show, verify or prune the store of layers, downloads and interpreters."""


@command.command("info")
@common_options
@click.pass_obj
def info(settings: Settings) -> None:
    """Show where the store is and what takes its space."""
    store = Store(settings.store_root)
    parts = usage(store)
    if settings.json:
        document = {
            "schema": "wheelship.cache/1",
            "path": str(store.root),
            "parts": {one.part: {"files": one.files, "bytes": one.bytes} for one in parts},
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    sys.stdout.write(f"{store.root}\n")
    for one in parts:
        sys.stdout.write(f"  {one.part:<13} {one.files:>7} files  {format_bytes(one.bytes):>10}\n")


@command.command("verify")
@common_options
@click.pass_obj
def verify_store(settings: Settings) -> None:
    """Hash everything in the store; what is damaged is removed and built again when needed."""
    damaged = verify(Store(settings.store_root))
    if settings.json:
        document = {
            "schema": "wheelship.cache-verify/1",
            "damaged": [{"path": str(one.path), "bytes": one.bytes} for one in damaged],
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    for one in damaged:
        sys.stdout.write(f"removed {one.path}: damaged\n")
    sys.stdout.write(f"{len(damaged)} damaged\n")


@command.command("prune")
@click.option("--keep", metavar="SIZE", help="How much may stay, as in '5 GB'.")
@common_options
@click.pass_obj
def prune_store(settings: Settings, keep: str | None) -> None:
    """Remove what was not used for longest; without --keep, everything."""
    from wheelship.request.value import parse_size

    def waiting() -> None:
        sys.stderr.write("waiting for the builds that use the store\n")

    freed = prune(Store(settings.store_root), parse_size(keep) if keep else 0, waiting)
    if settings.json:
        sys.stdout.write(
            json.dumps({"schema": "wheelship.cache-prune/1", "freed_bytes": freed}) + "\n"
        )
        return
    sys.stdout.write(f"freed {format_bytes(freed)}\n")
