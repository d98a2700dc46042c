# SPDX-License-Identifier: Apache-2.0
"""What the word IMAGE of a command names (DESIGN §5); nothing is opened to find out.

A path that is there comes first, then the prefixes; a name that is neither is a registry's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wheelship.oci.reference import InvalidReference, Reference
from wheelship.request.place import is_project
from wheelship.source.errors import NoImage, shown

if TYPE_CHECKING:
    from wheelship.engine.client import Program

__all__ = [
    "FORMS",
    "ArchiveFile",
    "DockerArchive",
    "EngineImage",
    "LayoutAt",
    "Location",
    "OciArchive",
    "Project",
    "RegistryImage",
    "parse_location",
]

FORMS = (
    "oci:DIR[:TAG]",
    "oci-archive:FILE[:TAG]",
    "docker-archive:FILE[:REF]",
    "docker:REF",
    "podman:REF",
    "registry:REF",
)
"""All prefixes, as the help and the errors show them."""

# image-spec, annotations.md, "org.opencontainers.image.ref.name"
_TAG = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+]|--|/)[A-Za-z0-9]+)*")
_NAME_CHARACTERS = 512
_SKOPEO = {"docker-daemon": "docker", "containers-storage": "podman"}
_PATH_LIKE = ("/", "./", "../", "~")
_FILE_LIKE = (".tar", ".tgz", ".tar.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutAt:
    """An OCI layout; ``text`` is what the user called it, without the tag."""

    path: Path
    tag: str | None
    text: str

    def __str__(self) -> str:
        return f"oci:{self.text}" + (f":{self.tag}" if self.tag else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OciArchive:
    """An OCI layout in a file."""

    path: Path
    name: str | None
    text: str

    def __str__(self) -> str:
        return f"oci-archive:{self.text}" + (f":{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerArchive:
    """What ``docker save`` writes; ``name`` is one of its ``RepoTags``, or ``@N``."""

    path: Path
    name: str | None
    text: str

    def __str__(self) -> str:
        return f"docker-archive:{self.text}" + (f":{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """A file without a prefix: which archive it is, its content tells."""

    path: Path
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image that an engine of this machine has."""

    program: Program
    name: str

    def __str__(self) -> str:
        return f"{self.program}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryImage:
    """An image in a registry."""

    reference: Reference

    def __str__(self) -> str:
        return f"registry:{self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The last build of a project."""

    path: Path
    variant: str | None
    text: str

    def __str__(self) -> str:
        return self.text


Location: TypeAlias = (
    LayoutAt | OciArchive | DockerArchive | ArchiveFile | EngineImage | RegistryImage | Project
)


def parse_location(text: str, *, directory: Path, variant: str | None = None) -> Location:
    """Return what ``text`` names; paths are relative to ``directory``, which ``""`` stands for.

    ``variant`` picks among the builds of a project, and is the tag in a layout that none was given
    for.

    Raises:
        NoImage: it names nothing, or a place that has no image.
    """
    if "\0" in text:
        raise NoImage("is no path and no name", where=shown(text))
    path = directory / text
    if _exists(path):
        return _at(path, text or ".", variant)
    kind, colon, rest = text.partition(":")
    if colon and kind in ("oci", "oci-archive", "docker-archive"):
        if not rest:
            raise NoImage(f"{kind}: alone names no path", hint=f"write {_form(kind)}")
        return _with_prefix(kind, rest, directory, variant)
    if kind in ("docker", "podman") and colon and not rest.startswith("//"):
        return _in_engine("docker" if kind == "docker" else "podman", rest)
    if colon and kind == "registry":
        return RegistryImage(reference=_reference(rest, text))
    if any(text.startswith(one) for one in _PATH_LIKE) or text.endswith(_FILE_LIKE):
        raise NoImage(
            "is not there", where=shown(text), hint="name a project, or one of " + ", ".join(FORMS)
        )
    if colon and rest.startswith("//"):
        raise NoImage(
            "is an address, not the name of an image",
            where=shown(text),
            hint=f"write registry:{shown(rest[2:])}",
        )
    if kind in _SKOPEO and colon:
        hint = f"write {_SKOPEO[kind]}:{shown(rest)}"
        raise NoImage(f"{kind}: is skopeo's word", where=shown(text), hint=hint)
    return RegistryImage(reference=_reference(text, text))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, say
        return False


def _at(path: Path, text: str, variant: str | None) -> Location:
    if (path / "index.json").exists():
        return LayoutAt(path=path.resolve(), tag=variant, text=text)
    if not path.is_dir():
        return ArchiveFile(path=path.resolve(), text=text)
    if is_project(path):
        return Project(path=path.resolve(), variant=variant, text=text)
    raise NoImage(
        "is neither a project nor an OCI layout or archive",
        where=shown(text),
        hint="name a project, or oci:DIR[:TAG] as `wheelship build` wrote it",
    )


def _with_prefix(kind: str, rest: str, directory: Path, variant: str | None) -> Location:
    path_text, name = _split(rest, directory)
    path = (directory / path_text).resolve()
    if name is not None and kind != "docker-archive" and not _is_tag(name):
        raise NoImage(f"{shown(name)} is no tag", where=shown(f"{kind}:{rest}"), hint=_TAG_HINT)
    if kind == "oci":
        return LayoutAt(path=path, tag=name or variant, text=path_text)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is no file"
        hint = f"wheelship build --output {kind}:{path_text}"
        raise NoImage(what, where=shown(f"{kind}:{path_text}"), hint=hint)
    if kind == "oci-archive":
        return OciArchive(path=path, name=name, text=path_text)
    if name is not None and not _is_name(name):
        raise NoImage(f"{shown(name)} is no name", where=shown(f"{kind}:{rest}"))
    return DockerArchive(path=path, name=name, text=path_text)


_TAG_HINT = "tags are letters and digits, joined by one of -._:@+/"


def _split(rest: str, directory: Path) -> tuple[str, str | None]:
    """Tell path and name apart: the longest path that is there, else all before the last colon."""
    end = len(rest)
    while end > 0:
        if _exists(directory / rest[:end]):
            return rest[:end], rest[end + 1 :] if end < len(rest) else None
        end = rest.rfind(":", 0, end)
    path, colon, name = rest.rpartition(":")
    return (path, name) if colon and "/" not in name else (rest, None)


def _is_tag(name: str) -> bool:
    return len(name) <= _NAME_CHARACTERS and _TAG.fullmatch(name) is not None


def _is_name(name: str) -> bool:
    usual = name.isprintable() and name.isascii() and " " not in name
    return 0 < len(name) <= _NAME_CHARACTERS and usual


def _form(kind: str) -> str:
    return next(one for one in FORMS if one.startswith(f"{kind}:"))


def _in_engine(program: Program, name: str) -> EngineImage:
    # What begins with a dash would be an option of the engine's client.
    if not _is_name(name) or name.startswith("-"):
        raise NoImage(
            f"{shown(name) or 'nothing'} is no name of an image",
            where=shown(f"{program}:{name}"),
            hint=f"write {program}:NAME:TAG",
        )
    return EngineImage(program=program, name=name)


def _reference(name: str, text: str) -> Reference:
    try:
        found = Reference.parse(name)
    except InvalidReference as error:
        raise NoImage(
            f"is no path that is there, and no name of an image: {shown(error.message)}",
            where=shown(text),
            hint=error.hint or "name a project, or one of " + ", ".join(FORMS),
        ) from error
    return found if found.tag or found.digest else replace(found, tag="latest")
