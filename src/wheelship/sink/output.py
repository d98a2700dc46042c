# SPDX-License-Identifier: Apache-2.0
"""What ``--output`` can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from wheelship.errors import InputError
from wheelship.oci.reference import InvalidReference, Reference

if TYPE_CHECKING:
    from wheelship.engine.client import Program

__all__ = [
    "FORMS",
    "ArchiveKind",
    "ArchiveOutput",
    "EngineOutput",
    "InvalidOutput",
    "LayoutOutput",
    "Output",
    "RegistryOutput",
    "parse_output",
    "refuse_collisions",
]

ArchiveKind: TypeAlias = Literal["oci-archive", "docker-archive"]

FORMS = (
    "oci:DIR[:TAG]",
    "oci-archive:FILE",
    "docker-archive:FILE",
    "docker",
    "podman",
    "registry:REF",
)
"""All forms, as the help and the errors show them."""


class InvalidOutput(InputError):
    """The output is none that can be written."""

    code = "invalid-output"


@dataclass(frozen=True, slots=True)
class LayoutOutput:
    """An OCI image layout; ``tag`` is the image's name in it, None = the tag of its reference."""

    directory: Path
    tag: str | None = None

    def __str__(self) -> str:
        return f"oci:{self.directory}" + (f":{self.tag}" if self.tag else "")


@dataclass(frozen=True, slots=True)
class ArchiveOutput:
    """A single file."""

    kind: ArchiveKind
    path: Path

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}"


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """An engine's own store; the image's reference names it there."""

    engine: Program

    def __str__(self) -> str:
        return self.engine


@dataclass(frozen=True, slots=True)
class RegistryOutput:
    """A repository in a registry; ``tags`` are to name the image, none = the tag of its name.

    ``reference`` has neither tag nor digest.
    """

    reference: Reference
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"registry:{self.reference}" + (f":{self.tags[0]}" if len(self.tags) == 1 else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; its tag, if it has one, is the only one.

        Raises:
            InvalidOutput: it is none, or names a digest.
        """
        try:
            found = Reference.parse(text)
        except InvalidReference as error:
            raise InvalidOutput(
                error.message, where=text, hint=error.hint or "write HOST/NAME[:TAG]"
            ) from error
        if found.digest is not None:
            raise InvalidOutput(
                "a digest comes of the image's content and cannot be chosen",
                where=text,
                hint=f"write {found.name}:TAG",
            )
        plain = Reference(host=found.host, repository=found.repository)
        return cls(plain, () if found.tag is None else (found.tag,))


Output: TypeAlias = LayoutOutput | ArchiveOutput | EngineOutput | RegistryOutput


def parse_output(text: str, directory: Path) -> Output:
    """Read one ``--output``; paths in it are relative to ``directory``.

    Raises:
        InvalidOutput: it is none of :data:`FORMS`.
    """
    kind, colon, rest = text.partition(":")
    match kind:
        case "oci" if rest:
            path, _, tag = rest.rpartition(":") if ":" in rest else (rest, "", "")
            return LayoutOutput(directory / path, tag or None)
        case "oci-archive" | "docker-archive" if rest:
            return ArchiveOutput(kind, directory / rest)
        case "docker" | "podman" if not colon:
            return EngineOutput(kind)
        case "registry" if rest:
            return RegistryOutput.parse(rest)
        case "docker" | "podman":
            raise InvalidOutput(
                f"cannot write {text!r}: the image is named by its tag",
                hint=f"--output {kind} --tag {rest or 'NAME:TAG'}",
            )
        case _:
            raise InvalidOutput(f"cannot write {text!r}", hint="use one of: " + ", ".join(FORMS))


def refuse_collisions(outputs: Sequence[Output], variants: int) -> None:
    """Refuse outputs in which one of several variants would take the place of another.

    The platforms of one variant are one image wherever they go.

    Raises:
        InvalidOutput: a file, or an explicit tag, for more than one variant.
    """
    for output in outputs if variants > 1 else ():
        if isinstance(output, RegistryOutput) and output.tags:
            raise InvalidOutput(
                f"is one tag, and {variants} variants are built",
                where=str(output),
                hint=f"leave the tag out, and each gets its own: registry:{output.reference}",
            )
        single = isinstance(output, ArchiveOutput) or (
            isinstance(output, LayoutOutput) and output.tag
        )
        if single:
            raise InvalidOutput(
                f"has room for one image, and {variants} variants are built",
                where=str(output),
                hint="build them one at a time with --variant, or use oci:DIR",
            )
