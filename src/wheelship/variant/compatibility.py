# SPDX-License-Identifier: Apache-2.0
"""What is known of packages whatever the accelerator: which fit together, and what they link."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from wheelship.variant.accelerator import shipped_data

__all__ = ["Companion", "Compatibility", "LinkedBuild", "load_compatibility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """``package`` is built against one version of ``of``: by minor version, its own specifier."""

    package: str
    of: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedBuild:
    """Builds without a label, those of the public index, that are linked to an accelerator.

    Attributes:
        package: normalised name.
        versions: a version specifier.
        machines: for which it holds (``x86_64``).
        accelerator / release: what they are linked to; ``release`` is empty where it is not known.
        omit: globs of the files without which the package works, without the accelerator.
        instead: a requirement that avoids them; empty where there is none.
    """

    package: str
    versions: str
    machines: tuple[str, ...]
    accelerator: str
    release: str = ""
    omit: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """All of it.

    ``same_files`` are groups of distributions that install the same files; in each, what comes
    first is the one to keep.
    """

    companions: tuple[Companion, ...]
    linked: tuple[LinkedBuild, ...]
    same_files: tuple[tuple[str, ...], ...]


def load_compatibility(data: Traversable | None = None) -> Compatibility:
    """Read ``compatibility.toml`` of the data directory (the shipped one by default)."""
    file = (data or shipped_data()).joinpath("compatibility.toml")
    table = tomllib.loads(file.read_text("utf-8"))
    return Compatibility(
        companions=tuple(Companion(**row) for row in table["companions"]),
        linked=tuple(
            LinkedBuild(
                package=row["package"],
                versions=row["versions"],
                machines=tuple(row["machines"]),
                accelerator=row["accelerator"],
                release=row.get("release", ""),
                omit=tuple(row.get("omit", ())),
                instead=row.get("instead", ""),
            )
            for row in table["linked"]
        ),
        same_files=tuple(tuple(group) for group in table["same-files"]),
    )
