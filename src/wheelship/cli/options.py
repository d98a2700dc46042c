# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wheelship.oci.platform import Platform

if TYPE_CHECKING:
    from wheelship.build.model import LockMode

__all__ = [
    "engine_options",
    "image_options",
    "insecure_option",
    "lock_mode",
    "lock_options",
    "platform_option",
    "refuse_variants_beside_all",
]

_F = TypeVar("_F", bound=Callable[..., Any])


def image_options(variant: str, platform: str) -> Callable[[_F], _F]:
    """Return what adds ``--variant``, ``--platform`` and ``--all``; the texts begin their help."""

    def add(function: _F) -> _F:
        options = [
            click.option(
                "--variant",
                "variants",
                multiple=True,
                metavar="NAME",
                help=f"{variant}; repeatable.",
            ),
            click.option(
                "--platform",
                "platforms",
                multiple=True,
                metavar="OS/ARCH",
                callback=_platforms,
                help=f"{platform}, as linux/amd64; repeatable.  [default: all of the variant]",
            ),
            click.option(
                "--all", "every", is_flag=True, help="All variants, on all their platforms."
            ),
        ]
        for option in reversed(options):
            function = option(function)
        return function

    return add


def refuse_variants_beside_all(variants: tuple[str, ...], *, every: bool) -> None:
    """Refuse ``--all`` together with ``--variant``, of which one would count for nothing.

    Raises:
        UsageError: both were given.
    """
    if every and variants:
        raise click.UsageError("--all and --variant exclude each other")


def _platforms(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[Platform, ...]:
    return tuple(dict.fromkeys(map(Platform.parse, values)))


def lock_options(function: _F) -> _F:
    """Add ``--locked`` and ``--frozen``; :func:`lock_mode` says what they mean."""
    frozen = click.option("--frozen", is_flag=True, help="Use the locks without comparing them.")
    locked = click.option(
        "--locked", is_flag=True, help="Fail when a lock is missing or out of date."
    )
    return locked(frozen(function))


def lock_mode(*, locked: bool, frozen: bool) -> LockMode:
    """Return what is done about locks.

    Raises:
        UsageError: both were given.
    """
    if locked and frozen:
        raise click.UsageError("--locked and --frozen exclude each other")
    return "locked" if locked else "frozen" if frozen else "update"


def platform_option(text: str) -> Callable[[_F], _F]:
    """Return what adds ``--platform``, for an image of several; ``text`` ends its help."""
    return click.option(
        "--platform",
        metavar="OS/ARCH",
        callback=lambda _context, _option, value: None if value is None else Platform.parse(value),
        help=f"Of an image for several platforms, this one.  {text}",
    )


def engine_options(what: str) -> Callable[[_F], _F]:
    """Return what adds ``--docker`` and ``--podman``; ``what`` has ``{}`` for either name."""

    def add(function: _F) -> _F:
        for name in ("podman", "docker"):
            option = click.option(
                f"--{name}",
                type=click.Path(dir_okay=False),
                metavar="FILE",
                help=f"Client for {what.format(name)}.  [env: WHEELSHIP_{name.upper()}; "
                f"default: {name} on PATH]",
            )
            function = option(function)
        return function

    return add


def insecure_option(function: _F) -> _F:
    """Add ``--insecure-registry``."""
    option = click.option(
        "--insecure-registry",
        "insecure",
        multiple=True,
        metavar="HOST[:PORT]",
        help="Registry without TLS; repeatable. Loopback needs none.  "
        "[env: WHEELSHIP_INSECURE_REGISTRIES]",
    )
    return option(function)
