# SPDX-License-Identifier: Apache-2.0
"""``wheelship lock``: resolve, write the locks, say what changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.failure import render_failure
from wheelship.cli.options import insecure_option
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import WheelshipError

if TYPE_CHECKING:
    from wheelship.build.locks import VariantLocked

__all__ = ["command"]

_ALL = "*"


@click.command("lock", epilog="Example: wheelship lock . --upgrade fastapi")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--variant", "variants", multiple=True, metavar="NAME", help="Only this variant; repeatable."
)
@click.option(
    "--upgrade",
    "upgrades",
    is_flag=False,
    flag_value=_ALL,
    multiple=True,
    metavar="[PACKAGE]",
    help="Take the newest version of this package; repeatable. Without one: of everything, Debian "
    "packages and the base too.",
)
@click.option(
    "--upgrade-package",
    "packages",
    multiple=True,
    metavar="NAME",
    help="The same as --upgrade NAME.",
)
@click.option(
    "--check",
    "--locked",
    "check",
    is_flag=True,
    help="Resolve nothing; fail (exit status 3) where a lock is not what the project asks for.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing.")
@insecure_option
@click.option("--offline", is_flag=True, help="Never use the network.")
@common_options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - click passes one argument per option
    settings: Settings,
    path: Path,
    variants: tuple[str, ...],
    upgrades: tuple[str, ...],
    packages: tuple[str, ...],
    check: bool,  # noqa: FBT001 - click passes flags so
    dry_run: bool,  # noqa: FBT001
    insecure: tuple[str, ...],
    offline: bool,  # noqa: FBT001
) -> None:
    """Resolve the project in PATH and write its locks: pylock.VARIANT.toml and wheelship.lock.

    Versions that are locked already are kept where the requirements still allow them. Commit both
    files: a build from them needs no resolver and always gives the same image.
    """
    from wheelship.build.images import choose_variants
    from wheelship.build.locks import check_locks, lock_variants
    from wheelship.cli.place import read_project
    from wheelship.cli.services import native_platform, surroundings
    from wheelship.lock.upgrade import Upgrade
    from wheelship.report.lock import lock_document, lock_text
    from wheelship.store.store import Store

    named = frozenset(_package(one) for one in (*upgrades, *packages) if one != _ALL)
    wanted = Upgrade(everything=_ALL in upgrades, packages=named)
    changes: dict[str, VariantLocked] = {}

    if check and (upgrades or packages or dry_run):
        raise click.UsageError("--check changes nothing: it takes neither --upgrade nor --dry-run")
    try:
        with ProgressView(settings) as view:
            request = read_project(path.resolve())
            chosen = choose_variants(request, variants, every=not variants)
            store = Store(settings.store_root)
            try:
                around = surroundings(
                    settings, store, view.emit, offline=offline, insecure=insecure
                )
                if check:
                    check_locks(request, chosen, around, native=native_platform())
                else:
                    lock_variants(
                        request,
                        chosen,
                        around,
                        wanted,
                        native=native_platform(),
                        write=not dry_run,
                        done=changes.__setitem__,
                    )
            finally:
                store.close()
    except WheelshipError as error:
        if not (settings.json and changes):
            raise
        locked = lock_document(changes, written=not dry_run)
        raise click.exceptions.Exit(render_failure(error, settings, {"locked": locked})) from error
    finally:
        # What was locked before a variant failed is locked, and has to be known.
        if not settings.json:
            sys.stdout.write(lock_text(changes))
    if settings.json:
        document = lock_document(changes, written=not (check or dry_run))
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif check:
        sys.stdout.writelines(f"{variant.name}: current\n" for variant in chosen)
    elif dry_run:
        sys.stdout.write("nothing was written\n")


def _package(text: str) -> str:
    """Return the normalised name of a package.

    Raises:
        UsageError: it is none; perhaps the path came after an option that takes a name.
    """
    from wheelship.request.errors import InvalidValue
    from wheelship.request.value import canonical_name

    try:
        return canonical_name(text)
    except InvalidValue as error:
        place = f"; write the path first: wheelship lock {text} --upgrade"
        message = f"{text!r} is no name of a package{place if Path(text).is_dir() else ''}"
        raise click.UsageError(message) from error
