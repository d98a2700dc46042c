# SPDX-License-Identifier: Apache-2.0
"""A base image as ``wheelship.lock`` holds it: all that a plan needs without opening a layer.

Imports nothing heavy: a build with nothing to do reads it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from wheelship.base.errors import InvalidBaseLock
from wheelship.oci.config import canonical_json
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["AbsentImage", "BaseImage", "BaseLayer", "BasePython", "files_key"]

_VERSION = re.compile(r"3\.\d{1,2}\.\d{1,3}(?:(?:a|b|rc)\d{1,2})?")
_GLIBC = re.compile(r"2\.\d{1,3}")
_MEDIA_TYPE = re.compile(r"application/[a-z0-9.+-]{1,120}")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLayer:
    """A layer of the base, unchanged in every image that is built on it.

    Attributes:
        media_type: as the base's manifest has it.
        unpacked_bytes: size of its tar archive.
        created, created_by: the row of the base's history; both may be empty.
    """

    digest: Digest
    diff_id: Digest
    media_type: str
    size_bytes: int
    unpacked_bytes: int
    created: str = ""
    created_by: str = ""

    @property
    def key(self) -> Digest:
        """What the store remembers the layer under."""
        return Digest.of(canonical_json(["base layer", self.digest.hex, self.diff_id.hex]))

    @property
    def descriptor(self) -> Descriptor:
        """Names the blob, in its own repository and in every image."""
        return Descriptor(
            media_type=self.media_type, digest=self.digest, size_bytes=self.size_bytes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePython:
    """The interpreter of the base; paths are absolute and free of links.

    Attributes:
        path: of the program.
        version: exact, ``3.11.9``.
        build: identifies the program and Python's shared library: equal builds compile alike.
        library: the directory of the standard library.
        loader: the dynamic loader that the program names.
        glibc: version of the C library, ``2.36``.
    """

    path: str
    version: str
    build: Digest
    library: str
    loader: str
    glibc: str

    @property
    def minor(self) -> str:
        """The version as ``python`` in the configuration gives it, ``3.11``."""
        return self.version.rpartition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """One base image for one platform.

    Attributes:
        reference: as the configuration writes it.
        name: fully qualified, for the annotation of images; empty for a layout.
        digest: of its manifest.
        config: digest of its configuration.
        passwd, group: its ``/etc/passwd`` and ``/etc/group``; None where it has no such file.
        links: symbolic links close to the root that lead to directories, and where they lead.

    Raises:
        InvalidBaseLock: a value cannot be right. One in hand is therefore safe to use in paths.
    """

    reference: str
    name: str
    platform: Platform
    digest: Digest
    config: Digest
    layers: tuple[BaseLayer, ...]
    python: BasePython
    env: Pairs
    labels: Pairs
    passwd: str | None
    group: str | None
    links: Pairs

    def __post_init__(self) -> None:
        python = self.python
        paths = [python.path, python.library, python.loader]
        paths += [f"/{path}" for row in self.links for path in row]
        for path in paths:
            plain = path.startswith("/") and not {"", ".", ".."} & set(path[1:].split("/"))
            _require(plain and path.isprintable(), "path", path)
        _require(_VERSION.fullmatch(python.version), "version", python.version)
        _require(_GLIBC.fullmatch(python.glibc), "glibc", python.glibc)
        _require(self.layers, "layers", "none")
        for layer in self.layers:
            _require(_MEDIA_TYPE.fullmatch(layer.media_type), "media-type", layer.media_type)
            _require(layer.size_bytes > 0, "size", layer.size_bytes)
            _require(layer.unpacked_bytes >= 0, "unpacked", layer.unpacked_bytes)
        for name, _ in self.env:
            _require(name and "=" not in name, "env", name)

    @property
    def files(self) -> Digest:
        """Identifies all files of the base: what its layers unpack to."""
        return Digest.of(canonical_json([layer.diff_id.hex for layer in self.layers]))

    def to_json(self) -> dict[str, Any]:
        """Return the plain form, which :meth:`from_json` reads."""
        return {
            "reference": self.reference,
            "name": self.name,
            "platform": str(self.platform),
            "digest": str(self.digest),
            "config": str(self.config),
            "layers": [
                {
                    "digest": str(layer.digest),
                    "diff_id": str(layer.diff_id),
                    "media_type": layer.media_type,
                    "size_bytes": layer.size_bytes,
                    "unpacked_bytes": layer.unpacked_bytes,
                    "created": layer.created,
                    "created_by": layer.created_by,
                }
                for layer in self.layers
            ],
            "python": {
                "path": self.python.path,
                "version": self.python.version,
                "build": str(self.python.build),
                "library": self.python.library,
                "loader": self.python.loader,
                "glibc": self.python.glibc,
            },
            "env": dict(self.env),
            "labels": dict(self.labels),
            "passwd": self.passwd,
            "group": self.group,
            "links": dict(self.links),
        }

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Read :meth:`to_json`'s result.

        Raises:
            InvalidBaseLock: it is anything else.
        """
        table = _Table(document)
        python = _Table(table.value("python", dict))
        return cls(
            reference=table.text("reference"),
            name=table.text("name"),
            platform=table.platform("platform"),
            digest=table.digest("digest"),
            config=table.digest("config"),
            layers=tuple(_layer(_Table(one)) for one in table.value("layers", list)),
            python=BasePython(
                path=python.text("path"),
                version=python.text("version"),
                build=python.digest("build"),
                library=python.text("library"),
                loader=python.text("loader"),
                glibc=python.text("glibc"),
            ),
            env=table.pairs("env"),
            labels=table.pairs("labels"),
            passwd=table.text_or_none("passwd"),
            group=table.text_or_none("group"),
            links=table.pairs("links"),
        )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AbsentImage:
    """What was looked for and does not exist: an image of ``reference`` for ``platform``.

    ``python`` is the version that it should have had, ``3.11``.
    """

    reference: str
    platform: Platform
    python: str

    def to_json(self) -> dict[str, str]:
        """Return the plain form, which :meth:`from_json` reads."""
        return {
            "reference": self.reference,
            "platform": str(self.platform),
            "python": self.python,
        }

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Read :meth:`to_json`'s result.

        Raises:
            InvalidBaseLock: it is anything else.
        """
        table = _Table(document)
        return cls(
            reference=table.text("reference"),
            platform=table.platform("platform"),
            python=table.text("python"),
        )


def files_key(image: BaseImage) -> Digest:
    """Return what the store remembers the list of the image's files under."""
    return Digest.of(canonical_json(["base files", 1, image.files.hex]))


def _layer(table: _Table) -> BaseLayer:
    return BaseLayer(
        digest=table.digest("digest"),
        diff_id=table.digest("diff_id"),
        media_type=table.text("media_type"),
        size_bytes=table.value("size_bytes", int),
        unpacked_bytes=table.value("unpacked_bytes", int),
        created=table.text("created"),
        created_by=table.text("created_by"),
    )


class _Table:
    """Reads values of one table strictly."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, Mapping):
            raise _invalid("an entry must be a table")
        self._data = document

    def value(self, key: str, kind: type[Any]) -> Any:  # noqa: ANN401 - the caller names the type
        found = self._data.get(key)
        if type(found) is not kind:
            raise _invalid(f"{key} must be of type {kind.__name__}")
        return found

    def text(self, key: str) -> str:
        return str(self.value(key, str))

    def text_or_none(self, key: str) -> str | None:
        return None if self._data.get(key) is None else self.text(key)

    def digest(self, key: str) -> Digest:
        text = self.text(key)
        _require(re.fullmatch(r"sha256:[0-9a-f]{64}", text), key, text)
        return Digest.parse(text)

    def platform(self, key: str) -> Platform:
        text = self.text(key)
        _require(text in ("linux/amd64", "linux/arm64"), key, text)
        return Platform.parse(text)

    def pairs(self, key: str) -> Pairs:
        found = self.value(key, dict)
        if not all(isinstance(value, str) for value in found.values()):
            raise _invalid(f"{key} must hold texts")
        return tuple(sorted(found.items()))


def _require(condition: object, name: str, value: object) -> None:
    if not condition:
        raise _invalid(f"{name}: {str(value)[:80]!r} is not possible")


def _invalid(message: str) -> InvalidBaseLock:
    return InvalidBaseLock(message, hint="make the lock anew: wheelship lock")
