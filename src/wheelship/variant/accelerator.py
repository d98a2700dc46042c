# SPDX-License-Identifier: Apache-2.0
"""Reads the data files. They ship with the package, so what is malformed in them is a bug."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from wheelship.variant.errors import UnknownAcceleratorVersion
from wheelship.variant.model import AcceleratorRow, Family

__all__ = ["accelerator_row", "accelerator_versions"]


def accelerator_row(accelerator: str, version: str | None = None) -> AcceleratorRow:
    """Return the data of one release; without ``version``, of the accelerator's default one.

    Raises:
        UnknownAcceleratorVersion: there is no such release.
    """
    data = _load(accelerator)
    row = _find_version(accelerator, data, version)
    environment = {
        **_load("common")["environment"],
        **data.get("environment", {}),
        **row.get("environment", {}),
    }
    return AcceleratorRow(
        accelerator=accelerator,
        version=row.get("version"),
        machines=tuple(data["machines"]),
        environment=dict(sorted(environment.items())),
        families=tuple(
            _family(name, family, row.get("families", {}).get(name, {}))
            for name, family in sorted(data["families"].items())
        ),
        forbidden=tuple(data["forbidden"]),
        allowed=frozenset(data["allowed"]),
        foreign_labels=tuple(data["foreign-labels"]),
    )


def accelerator_versions(accelerator: str) -> tuple[str, ...]:
    """Return the known releases, the default one first; none where there are no releases."""
    rows = _load(accelerator)["versions"]
    return tuple(row["version"] for row in rows if "version" in row)


def _load(name: str) -> dict[str, Any]:
    file = resources.files("wheelship.variant").joinpath("data", f"{name}.toml")
    return tomllib.loads(file.read_text("utf-8"))


def _find_version(
    accelerator: str, data: Mapping[str, Any], version: str | None
) -> Mapping[str, Any]:
    rows: list[Mapping[str, Any]] = data["versions"]
    if version is None:
        return rows[0]
    for row in rows:
        if row.get("version") == version:
            return row
    known = [row["version"] for row in rows if "version" in row]
    if not known:
        raise UnknownAcceleratorVersion(
            f"{accelerator} has no versions, but {version} is asked for",
            hint='remove "version" from the variant',
        )
    raise UnknownAcceleratorVersion(
        f"{accelerator} {version} is not known; known are {', '.join(known)}",
        hint=f'version = "{known[0]}"',
    )


def _family(name: str, family: Mapping[str, Any], row: Mapping[str, Any]) -> Family:
    return Family(
        name=name,
        packages=frozenset(family["packages"]),
        labels=tuple(row.get("labels", ())),
        index=row.get("index"),
        unlabelled=row.get("unlabelled", {}),
        gpu_targets=tuple(row.get("gpu-targets", ())),
    )
