# SPDX-License-Identifier: Apache-2.0
"""``wheelship lock``: resolve, write the locks, say what changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelship.cli.place import insecure_option
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.build.prepare import Surroundings
    from wheelship.lock.model import LockChange
    from wheelship.request.model import Request, Variant

__all__ = ["command"]


@click.command("lock", epilog="Example: wheelship lock . --upgrade-package fastapi")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--variant", "variants", multiple=True, metavar="NAME", help="Only this variant; repeatable."
)
@click.option(
    "--upgrade",
    is_flag=True,
    help="Take the newest versions, of Debian packages and of the base too.",
)
@click.option(
    "--upgrade-package",
    "packages",
    multiple=True,
    metavar="NAME",
    help="Take the newest version of this package; repeatable.",
)
@insecure_option
@click.option("--offline", is_flag=True, help="Never use the network.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    path: Path,
    variants: tuple[str, ...],
    upgrade: bool,  # noqa: FBT001 - click passes flags so
    packages: tuple[str, ...],
    insecure: tuple[str, ...],
    offline: bool,  # noqa: FBT001
) -> None:
    """Resolve the project in PATH and write its locks: pylock.VARIANT.toml and wheelship.lock.

    Versions that are locked already are kept where the requirements still allow them. Commit both
    files: a build from them needs no resolver and always gives the same image.
    """
    from wheelship.build.lockfile import LOCK_NAME, all_or_nothing
    from wheelship.build.prepare import choose_variants
    from wheelship.cli.services import native_platform, surroundings
    from wheelship.lock.document import lock_path
    from wheelship.request.read import read_request
    from wheelship.store.store import Store

    with ProgressView(settings) as view:
        request = read_request(path.resolve(), native=native_platform())
        chosen = choose_variants(request, variants, every=not variants)
        store = Store(settings.store_root)
        try:
            around = surroundings(settings, store, view.emit, offline=offline, insecure=insecure)
            root = request.project.root
            names = [LOCK_NAME, *(lock_path(root, variant.name).name for variant in chosen)]
            with all_or_nothing(root / name for name in names):
                changes = {
                    one.name: _lock(request, one, around, upgrade=upgrade, packages=packages)
                    for one in chosen
                }
        finally:
            store.close()
    _show(changes, settings)


def _lock(
    request: Request,
    variant: Variant,
    around: Surroundings,
    *,
    upgrade: bool,
    packages: tuple[str, ...],
) -> LockChange:
    from wheelship.build.foundation import base_targets, debian_lock
    from wheelship.build.maker import lock_makers
    from wheelship.build.prepare import lock_wheels
    from wheelship.cli.services import native_platform
    from wheelship.lock.resolve import Upgrade
    from wheelship.request.value import canonical_name

    names = frozenset(canonical_name(name) for name in packages)
    wanted = Upgrade(everything=upgrade, packages=names)
    targets, _ = base_targets(request, variant, around, mode="update", upgrade=upgrade)
    change = lock_wheels(request, variant, around, wanted, targets=targets)
    for platform in () if targets else variant.platforms:
        debian_lock(request, variant, platform, around, mode="update", upgrade=upgrade)
    lock_makers(request, variant, native_platform(), around, upgrade=upgrade)
    return change


def _show(changes: dict[str, LockChange], settings: Settings) -> None:
    if settings.json:
        document: dict[str, Any] = {
            "schema": "wheelship.lock/1",
            "variants": {
                name: {
                    "added": [list(one) for one in change.added],
                    "removed": [list(one) for one in change.removed],
                    "changed": [list(one) for one in change.changed],
                }
                for name, change in changes.items()
            },
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    for name, change in changes.items():
        sys.stdout.write(f"{name}: {'' if change else 'nothing changed'}\n")
        sys.stdout.writelines(f"  + {package} {version}\n" for package, version in change.added)
        sys.stdout.writelines(f"  - {package} {version}\n" for package, version in change.removed)
        sys.stdout.writelines(f"  ~ {one} {old} → {new}\n" for one, old, new in change.changed)
