# SPDX-License-Identifier: Apache-2.0
"""What both sides of the comparison can do, and wheelship's side."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import Protocol

from registry import Registry
from subject import Project
from usage import Usage, measure

__all__ = ["Built", "Side", "Wheelship"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One build: its cost, and the seconds of its steps as the builder tells them."""

    usage: Usage
    steps: dict[str, float] = field(default_factory=dict)


class Side(Protocol):
    """One of the builders that are compared."""

    @property
    def name(self) -> str:
        """The name in results."""

    def empty(self) -> None:
        """Forget everything but wheels and Debian packages: the next build is a cold one."""

    def prepare(self) -> None:
        """Take over what changed in the project; not measured."""

    def build(self) -> Built:
        """Build the image of the project."""

    def push(self, registry: Registry) -> Usage:
        """Push the image that was built last."""


class Wheelship:
    """wheelship: builds into an OCI layout, pushes from the store."""

    name = "wheelship"

    def __init__(self, project: Project) -> None:
        self._project = project
        self._environ = project.environ | {"DOCKER_CONFIG": "/nonexistent"}

    def empty(self) -> None:
        """Leave nothing in the store but downloads."""
        for part in self._project.store.iterdir():
            if part.name != "downloads":
                shutil.rmtree(part)
        shutil.rmtree(self._project.root / "dist", ignore_errors=True)

    def prepare(self) -> None:
        """The project is built where it is."""

    def build(self) -> Built:
        """Run ``wheelship build``."""
        measured = measure(self._project.command("--offline"), environ=self._environ)
        (image,) = json.loads(measured.output)["images"]
        return Built(usage=measured.usage, steps=image.get("phases", {}))

    def push(self, registry: Registry) -> Usage:
        """Run the build again with the registry as output: nothing is left to do but to push."""
        reference = f"{registry.address}/bench/app:latest"
        command = self._project.command("--output", f"registry:{reference}")
        return measure(command, environ=self._environ).usage
