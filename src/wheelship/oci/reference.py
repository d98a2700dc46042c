# SPDX-License-Identifier: Apache-2.0
"""Names of images in registries, read as Docker reads them (distribution-spec, "Pull").

[HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Self

from wheelship.errors import InputError
from wheelship.oci.digest import Digest, InvalidDigest

__all__ = ["InvalidReference", "Reference", "is_loopback"]

_DEFAULT_HOST = "docker.io"
_DEFAULT_API_HOST = "registry-1.docker.io"
_ALIASES = ("index.docker.io", "registry-1.docker.io")
_HOST_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST_LIKE = re.compile(r"[0-9a-f]{64}")
_NAME_CHARACTERS = 255
_PORT_MAX = 65535
_SHOWN_CHARACTERS = 120


class InvalidReference(InputError):
    """The text names no image in a registry."""

    code = "invalid-reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image in a registry; ``str()`` is the complete form, which parses to the same value.

    Attributes:
        host: with port where one was given; ``docker.io`` for Docker Hub. Lower case.
        repository: ``library/python`` where Docker Hub's users write ``python``.
        tag: None where none was given; see :attr:`identifier`.
        digest: of the manifest or index; it wins over the tag.

    Raises:
        InvalidReference: a part is malformed. A ``Reference`` in hand is therefore valid.
    """

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        name = f"{self.host}/{self.repository}"
        shown = name[:_SHOWN_CHARACTERS]
        if not _HOST.fullmatch(self.host) or self.host != self.host.lower():
            raise InvalidReference(f"not a registry's host: {self.host[:_SHOWN_CHARACTERS]!r}")
        if not _is_port(self.host):
            raise InvalidReference(f"not a port: {self.host!r}")
        if not _REPOSITORY.fullmatch(self.repository):
            lowered = self.repository.lower()
            whole = lowered if self.host == _DEFAULT_HOST else f"{self.host}/{lowered}"
            hint = f"use {whole!r}" if _REPOSITORY.fullmatch(lowered) else None
            raise InvalidReference(
                f"{shown!r} is no name of a repository: lower-case letters and digits, joined by "
                "'.', '_', '__', '-' or '/'",
                hint=hint,
            )
        if len(name) > _NAME_CHARACTERS:
            raise InvalidReference(
                f"host and repository have {len(name)} characters, "
                f"{_NAME_CHARACTERS} are allowed: {shown!r}…"
            )
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise InvalidReference(
                f"{self.tag[:_SHOWN_CHARACTERS]!r} is no tag: letters, digits, '_', '.', '-', at "
                "most 128, beginning with a letter, digit or '_'"
            )

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``text`` as ``docker pull`` does; no tag and no digest are supplied here.

        Raises:
            InvalidReference: it is malformed.
        """
        if "://" in text:
            raise InvalidReference(
                f"{text[:_SHOWN_CHARACTERS]!r} is an address, not the name of an image",
                hint=f"use {text.partition('://')[2][:_SHOWN_CHARACTERS]!r}",
            )
        name, at, digest = text.partition("@")
        name, tag = _without_tag(name)
        host, repository = _split_host(name)
        if _DIGEST_LIKE.fullmatch(name):
            # Docker takes it for the identity of a local image.
            raise InvalidReference(f"{name!r} could be a digest; name the repository")
        try:
            parsed = Digest.parse(digest) if at else None
        except InvalidDigest as error:
            raise InvalidReference(
                error.message, where=text[:_SHOWN_CHARACTERS], hint="use NAME@sha256:…"
            ) from error
        return cls(host=host, repository=repository, tag=tag, digest=parsed)

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def api_host(self) -> str:
        """The host, with port, whose API serves the image."""
        return _DEFAULT_API_HOST if self.host == _DEFAULT_HOST else self.host

    @property
    def identifier(self) -> str:
        """What to ask for: the digest, else the tag, else ``latest``."""
        return str(self.digest) if self.digest is not None else self.tag or "latest"

    @property
    def is_loopback(self) -> bool:
        """Whether the registry runs on this machine, and is spoken to without TLS."""
        return is_loopback(self.host)

    def with_tag(self, tag: str) -> Self:
        """Return the reference to ``tag`` of the same repository."""
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Self:
        """Return the reference with ``digest``; the tag stays, to be shown."""
        return replace(self, digest=digest)


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, with or without port, is this machine by its very name."""
    for name in (host.lower(), _without_port(host.lower())):
        if name == "localhost" or name.endswith(".localhost"):
            return True
        with suppress(ValueError):
            return ip_address(name.strip("[]")).is_loopback
    return False


def _without_port(host: str) -> str:
    head, colon, port = host.rpartition(":")
    return head if colon and port.isdecimal() and not host.endswith("]") else host


def _is_port(host: str) -> bool:
    port = host.removeprefix(_without_port(host)).removeprefix(":")
    return not port or 0 < int(port) <= _PORT_MAX


def _without_tag(name: str) -> tuple[str, str | None]:
    head, colon, tag = name.rpartition(":")
    # "localhost:5000/x" has a port, no tag.
    return (head, tag) if colon and "/" not in tag else (name, None)


def _split_host(name: str) -> tuple[str, str]:
    """Tell host and repository apart: only a host has a dot, a colon or a capital letter."""
    first, slash, rest = name.partition("/")
    is_host = any(one in first for one in ".:") or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        first, rest = _DEFAULT_HOST, name
    host = first.lower()
    if host in (_DEFAULT_HOST, *_ALIASES):
        return _DEFAULT_HOST, rest if "/" in rest else f"library/{rest}"
    return host, rest
