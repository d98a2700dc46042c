# SPDX-License-Identifier: Apache-2.0
"""What was found, each thing with the place it was found in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from wheelship.request.model import Project
from wheelship.request.start import Start

__all__ = ["Discovery", "Found", "Place", "ProposedVariant", "Runtime"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file of the project, and a line in it from 1; 0 = the file as a whole."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """A value, where it was found, and what it is there in a few words.

    ``place`` is None for what follows from something else that was found; ``why`` says from what.
    """

    value: T
    why: str
    place: Place | None = None

    def __str__(self) -> str:
        return self.why if self.place is None else f"{self.why} ({self.place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The Python to run on; ``base`` is None for the Debian that has it."""

    python: str
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedVariant:
    """A variant named like its accelerator; ``version`` is None where that has no versions."""

    name: str
    version: str | None = None
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Everything that was found out about one project.

    Attributes:
        starts: ways to start it, the likeliest first; empty when there is none.
        rivals: how many of them are equally likely; 1 when the first is clear.
        ports: where it is meant to listen, the most telling first.
        health: GET routes that look like a health check, the likeliest first.
        runtime: the Python to ask for; None where the default is right.
        extras / groups: which bring the server that the first start uses.
        variants: none = one variant for the CPU, which needs no configuration.
        system_packages: Debian packages that an existing Dockerfile installs for run time.
        dropped_packages: those it installs that the image needs not, or cannot have.
        env: variables of an existing Dockerfile, by name.
        stop_signal: of an existing Dockerfile; None where SIGTERM is right, or nothing is known.
        writable: absolute directories.
        remarks: what the user should know, one sentence each.
    """

    project: Project
    starts: tuple[Start, ...] = ()
    rivals: int = 0
    ports: tuple[Found[int], ...] = ()
    health: tuple[Found[str], ...] = ()
    runtime: Found[Runtime] | None = None
    extras: Found[tuple[str, ...]] | None = None
    groups: Found[tuple[str, ...]] | None = None
    variants: tuple[Found[ProposedVariant], ...] = ()
    system_packages: tuple[Found[str], ...] = ()
    dropped_packages: tuple[Found[str], ...] = ()
    env: tuple[tuple[str, Found[str]], ...] = ()
    stop_signal: Found[str] | None = None
    writable: tuple[Found[str], ...] = ()
    remarks: tuple[Found[str], ...] = ()

    @property
    def start(self) -> Start | None:
        """The likeliest way to start it."""
        return next(iter(self.starts), None)

    @property
    def ambiguous_port(self) -> bool:
        """Whether the project's files disagree about the port."""
        return len({one.value for one in self.ports}) > 1
