# SPDX-License-Identifier: Apache-2.0
"""Reads the data files. They ship with the package, so what is malformed in them is a bug."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from wheelship.variant.errors import UnknownAcceleratorVersion
from wheelship.variant.model import AcceleratorRow, DevicePackages, Driver, Family

__all__ = ["accelerator_row", "accelerator_versions", "data_digest", "shipped_data"]


def shipped_data() -> Traversable:
    """Return the directory of the data files that come with the package."""
    return resources.files("wheelship.variant").joinpath("data")


def accelerator_row(
    accelerator: str, version: str | None = None, *, data: Traversable | None = None
) -> AcceleratorRow:
    """Return the data of one release; without ``version``, of the accelerator's default one.

    ``data`` is a directory of data files in the place of the shipped ones.

    Raises:
        UnknownAcceleratorVersion: there is no such release.
    """
    place = data or shipped_data()
    table = _load(place, accelerator)
    row = _find_version(accelerator, table, version)
    environment = {
        **_load(place, "common")["environment"],
        **table.get("environment", {}),
        **row.get("environment", {}),
    }
    libraries = _load(place, "libraries")
    majors = table.get("majors", {})
    return AcceleratorRow(
        accelerator=accelerator,
        version=row.get("version"),
        machines=tuple(table["machines"]),
        environment=dict(sorted(environment.items())),
        driver=Driver(**row["driver"]) if "driver" in row else None,
        families=tuple(
            _family(name, table["families"].get(name, {}), row.get("families", {}).get(name, {}))
            for name in sorted({*table["families"], *row.get("families", {})})
        ),
        forbidden=tuple(table["forbidden"]),
        allowed=frozenset(table["allowed"]),
        idle=table.get("idle", {}),
        foreign_labels=tuple(table["foreign-labels"]),
        foreign_libraries={
            name: tuple(patterns) for name, patterns in libraries.items() if name != accelerator
        },
        majors_in_names=tuple(majors.get("in-names", ())),
        majors_in_versions=frozenset(majors.get("in-versions", ())),
    )


def accelerator_versions(accelerator: str, *, data: Traversable | None = None) -> tuple[str, ...]:
    """Return the known releases, the default one first; none where there are no releases."""
    rows = _load(data or shipped_data(), accelerator)["versions"]
    return tuple(row["version"] for row in rows if "version" in row)


def data_digest() -> str:
    """Return the SHA-256 of all shipped data files, hexadecimal.

    What was judged by them is judged anew when it changes.
    """
    found = hashlib.sha256()
    for file in sorted(shipped_data().iterdir(), key=lambda one: one.name):
        found.update(file.read_bytes())
    return found.hexdigest()


def _load(place: Traversable, name: str) -> dict[str, Any]:
    return tomllib.loads(place.joinpath(f"{name}.toml").read_text("utf-8"))


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
    devices = row.get("devices")
    libraries = {**family.get("libraries", {}), **row.get("libraries", {})}
    return Family(
        name=name,
        packages=(*family.get("packages", ()), *row.get("packages", ())),
        labels=tuple(row.get("labels", ())),
        index=row.get("index"),
        unlabelled=row.get("unlabelled", {}),
        plain={**family.get("plain", {}), **row.get("plain", {})},
        gpu_targets=tuple(row.get("gpu-targets", ())),
        devices=None
        if devices is None
        else DevicePackages(
            extra=devices["extra"],
            packages=tuple(devices["packages"]),
            distribution=devices["distribution"],
            targets=tuple(devices["targets"]),
        ),
        instead={**family.get("instead", {}), **row.get("instead", {})},
        libraries={package: tuple(names) for package, names in libraries.items()},
    )
