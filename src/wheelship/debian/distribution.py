# SPDX-License-Identifier: Apache-2.0
"""The Debian releases that a base image can be made of, one data file each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, TypeAlias

from wheelship.debian.errors import UnknownRelease

__all__ = [
    "RELEASES",
    "Archive",
    "Cut",
    "Distribution",
    "Seed",
    "Suite",
    "distribution",
    "release_with_python",
]

Archive: TypeAlias = Literal["main", "security"]
"""Which archive a suite belongs to: the security suite lives under an address of its own."""

RELEASES = ("bookworm", "trixie")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite of a release; ``keys`` are the fingerprints of the keys that may vouch for it.

    A key counts by its primary fingerprint, in lower case; its signing subkeys count with it.
    """

    name: str
    archive: Archive
    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seed:
    """A package that every base image holds, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A dependency that is not followed: of ``package``, or of every package when None."""

    package: str | None
    dependency: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One Debian release; ``python`` is the version of its own Python."""

    codename: str
    version: str
    python: str
    suites: tuple[Suite, ...]
    seeds: tuple[Seed, ...]
    debug: tuple[Seed, ...]
    cuts: tuple[Cut, ...]


def distribution(codename: str) -> Distribution:
    """Load the table of a release.

    Raises:
        UnknownRelease: there is none of that name.
    """
    if codename not in RELEASES:
        raise UnknownRelease(
            f"no table for the Debian release {codename!r}", hint=f"use {' or '.join(RELEASES)}"
        )
    text = resources.files(__package__).joinpath(f"data/{codename}.toml").read_text("utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    return Distribution(
        codename=table["codename"],
        version=table["version"],
        python=table["python"],
        suites=tuple(_suite(one) for one in table["suites"]),
        seeds=_seeds(table["seeds"]),
        debug=_seeds(table["debug"]),
        cuts=tuple(
            Cut(one.get("package"), one["dependency"], one["reason"]) for one in table["cuts"]
        ),
    )


def release_with_python(python: str) -> str:
    """Return the codename of the release whose own Python is ``python`` (``"3.11"``).

    Raises:
        UnknownRelease: no release has it.
    """
    tables = [distribution(codename) for codename in RELEASES]
    for table in tables:
        if table.python == python:
            return table.codename
    offered = " and ".join(f"{table.python} ({table.codename})" for table in tables)
    raise UnknownRelease(
        f"no Debian release has Python {python}; there are {offered}",
        hint="set `python` to one of these, or `base` to an image that has it",
    )


def _suite(table: dict[str, Any]) -> Suite:
    return Suite(
        name=table["name"],
        archive=table["archive"],
        label=table["label"],
        keys=tuple(key.lower() for key in table["keys"]),
    )


def _seeds(table: dict[str, str]) -> tuple[Seed, ...]:
    return tuple(Seed(name, reason) for name, reason in table.items())
