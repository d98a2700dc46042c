# SPDX-License-Identifier: Apache-2.0
"""Platforms as image indexes and ``--platform`` spell them (image-spec, image-index.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from wheelship.errors import InputError

__all__ = ["InvalidPlatform", "Platform"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_ARCHITECTURES = {machine: name for name, machine in _MACHINES.items()}


class InvalidPlatform(InputError):
    """The text names no platform that images are built for."""

    code = "invalid-platform"


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """``linux/amd64`` or ``linux/arm64``."""

    architecture: str
    os: str = "linux"

    def __post_init__(self) -> None:
        if self.os != "linux" or self.architecture not in _MACHINES:
            raise InvalidPlatform(
                f"unknown platform {self.os}/{self.architecture}",
                hint="use linux/amd64 or linux/arm64",
            )

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/architecture``; a variant such as ``/v8`` of arm64 is accepted and dropped.

        Raises:
            InvalidPlatform: anything else.
        """
        os, _, rest = text.partition("/")
        architecture, _, variant = rest.partition("/")
        if not architecture or variant not in ("", "v8"):
            raise InvalidPlatform(
                f"unknown platform {text!r}", hint="use linux/amd64 or linux/arm64"
            )
        return cls(architecture=architecture, os=os)

    @classmethod
    def of_machine(cls, machine: str) -> Self:
        """Return the Linux platform of a processor, as ``uname -m`` or another system calls it.

        Raises:
            InvalidPlatform: images are not built for it.
        """
        name = machine.lower()
        return cls(architecture=_ARCHITECTURES.get(name, name))

    @property
    def machine(self) -> str:
        """The kernel's and the wheel tags' name for the architecture (``uname -m``)."""
        return _MACHINES[self.architecture]

    def to_json(self) -> dict[str, str]:
        """Return the wire form."""
        return {"architecture": self.architecture, "os": self.os}
