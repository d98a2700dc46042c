# SPDX-License-Identifier: Apache-2.0
"""What comes out of a registry: manifests, images of one platform, blobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from wheelship.events import Emit, Finished, Started, discard
from wheelship.fetch.download import Download, transfer, unfinished
from wheelship.fetch.errors import HashMismatch, ResponseTooLarge, SizeMismatch
from wheelship.oci.descriptor import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
)
from wheelship.oci.digest import Digest, InvalidDigest
from wheelship.oci.platform import Platform
from wheelship.oci.reference import Reference
from wheelship.registry.errors import DigestMismatch, PlatformMissing, RegistryAnswer
from wheelship.registry.session import Session, read_body
from wheelship.store.errors import disk_errors

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = [
    "Manifest",
    "RemoteImage",
    "fetch_blob",
    "fetch_image",
    "fetch_manifest",
    "find_digest",
    "find_digest_once",
]

MANIFEST_BYTES = 4 * 1024 * 1024  # what registries and other clients accept (traps §1.2)
_ACCEPT = f"{INDEX}, {MANIFEST}, {DOCKER_INDEX}, {DOCKER_MANIFEST}"
_INDEXES = (INDEX, DOCKER_INDEX)
_MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
_WRONG_BLOBS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or an index: ``body`` is exactly what the registry has, ``document`` its view."""

    media_type: str
    body: bytes
    document: dict[str, Any]

    @property
    def digest(self) -> Digest:
        """Digest of ``body``."""
        return Digest.of(self.body)

    @property
    def is_index(self) -> bool:
        """Whether it lists images instead of layers."""
        return self.media_type in _INDEXES


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """An image of one platform in a registry; its layers have not been fetched.

    ``reference`` names it by the digest of its manifest. The layers' media types are the
    registry's: Docker's own ones occur.
    """

    reference: Reference
    manifest: Manifest
    config: bytes
    layers: tuple[Descriptor, ...]


def pull_scope(reference: Reference) -> frozenset[str]:
    """Return the token scope that reading ``reference`` needs."""
    return frozenset({f"repository:{reference.repository}:pull"})


def _manifest_path(reference: Reference) -> str:
    return f"/v2/{reference.repository}/manifests/{reference.identifier}"


def find_digest(session: Session, reference: Reference) -> Digest:
    """Return the digest that ``reference`` stands for now.

    Raises:
        ImageNotFound: nothing.
        NetworkError: the registry did not answer usefully.
    """
    return session.repeat(lambda: find_digest_once(session, reference))


def find_digest_once(session: Session, reference: Reference) -> Digest:
    """As :func:`find_digest`, for callers that repeat it themselves."""
    path = _manifest_path(reference)
    answer = session.ask("HEAD", path, pull_scope(reference), headers={"Accept": _ACCEPT})
    try:
        found = Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
    except InvalidDigest:  # optional in the protocol; its content tells
        return _manifest(session, reference).digest
    if reference.digest is not None and found != reference.digest:
        raise DigestMismatch(f"the registry names another digest, {found}", where=str(reference))
    return found


def fetch_manifest(session: Session, reference: Reference) -> Manifest:
    """Return the manifest or index that ``reference`` names, verified.

    Raises:
        ImageNotFound: the registry has none.
        DigestMismatch: it sent another one than was asked for, again and again.
        RegistryAnswer: it is no manifest.
    """
    return session.repeat(lambda: _manifest(session, reference))


def _manifest(session: Session, reference: Reference) -> Manifest:
    path = _manifest_path(reference)
    with session.open("GET", path, pull_scope(reference), headers={"Accept": _ACCEPT}) as response:
        body = read_body(response, MANIFEST_BYTES, session.base + path)
        told = response.headers.get("Docker-Content-Digest", "")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) != len(body):
        raise DigestMismatch(
            f"the manifest broke off after {len(body)} of {length} bytes", where=str(reference)
        )
    actual = Digest.of(body)
    wanted = str(reference.digest or told)
    # A tag's digest is the registry's word; another algorithm than ours proves nothing either way.
    if wanted.startswith("sha256:") and wanted != str(actual):
        raise DigestMismatch(
            f"the registry sent a manifest with digest {actual} as {wanted[:80]}",
            where=str(reference),
            hint="try again; a proxy between here and the registry may change what it sends",
        )
    return _parsed(body, kind, str(reference))


def _parsed(body: bytes, content_type: str, where: str) -> Manifest:
    try:
        document = json.loads(body)
        media_type = document.get("mediaType") or content_type
        if document.get("schemaVersion") != 2:  # noqa: PLR2004 - the only version of OCI's schema
            raise RegistryAnswer("is a manifest of a version that is no longer used", where=where)
        if "manifests" in document and ("layers" in document or "config" in document):
            # CVE-2021-41190: what it is would depend on who reads it.
            raise RegistryAnswer("is both a manifest and an index", where=where)
        needed = ("manifests",) if media_type in _INDEXES else ("config", "layers")
        if media_type not in (*_INDEXES, *_MANIFESTS) or any(one not in document for one in needed):
            raise RegistryAnswer(f"is no image, but {str(media_type)[:80]!r}", where=where)
    except (ValueError, AttributeError, RecursionError) as error:
        raise RegistryAnswer("is no manifest", where=where) from error
    return Manifest(media_type=media_type, body=body, document=document)


def fetch_image(session: Session, reference: Reference, platform: Platform) -> RemoteImage:
    """Return the image of ``platform`` that ``reference`` names, directly or through an index.

    Raises:
        PlatformMissing: it is for other platforms only.
        ImageNotFound, DigestMismatch, RegistryAnswer: see :func:`fetch_manifest`.
    """
    manifest = fetch_manifest(session, reference)
    if manifest.is_index:
        chosen = _choose(manifest.document["manifests"], platform, str(reference))
        manifest = fetch_manifest(session, reference.with_digest(chosen))
        if manifest.is_index:
            raise RegistryAnswer("is an index of indexes", where=str(reference))
    where = str(reference)
    try:
        config = _descriptor(manifest.document["config"])
        layers = tuple(_descriptor(one) for one in manifest.document["layers"])
    except (InvalidDigest, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegistryAnswer(f"has a malformed manifest: {error!r}", where=where) from error
    body = session.repeat(lambda: _small_blob(session, reference, config))
    _check_platform(body, platform, where)
    return RemoteImage(
        reference=reference.with_digest(manifest.digest),
        manifest=manifest,
        config=body,
        layers=layers,
    )


def _choose(entries: object, platform: Platform, where: str) -> Digest:
    found: list[str] = []
    try:
        for entry in entries if isinstance(entries, list) else ():
            one = entry.get("platform") or {}
            name = "/".join(
                str(one[key]) for key in ("os", "architecture", "variant") if one.get(key)
            )
            if name in (str(platform), f"{platform}/v8"):
                return Digest.parse(entry["digest"])
            if not name.startswith("unknown"):  # BuildKit's attestations are no platform
                found.append(name)
    except (InvalidDigest, KeyError, AttributeError, TypeError) as error:
        raise RegistryAnswer(f"has a malformed index: {error!r}", where=where) from error
    raise _missing(platform, found, where)


def _check_platform(config: bytes, platform: Platform, where: str) -> None:
    try:
        document = json.loads(config)
        found = f"{document['os']}/{document['architecture']}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryAnswer("has a malformed configuration", where=where) from error
    if found != str(platform):
        raise _missing(platform, [found], where)


def _missing(platform: Platform, found: list[str], where: str) -> PlatformMissing:
    return PlatformMissing(
        f"is not for {platform}, but for {', '.join(sorted(set(found))[:20]) or 'nothing'}",
        where=where,
        hint="choose another image or tag, or leave the platform out",
    )


def _descriptor(document: Mapping[str, Any]) -> Descriptor:
    size = document["size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"size {size!r}")
    return Descriptor(
        media_type=str(document["mediaType"]),
        digest=Digest.parse(document["digest"]),
        size_bytes=size,
    )


def _small_blob(session: Session, reference: Reference, blob: Descriptor) -> bytes:
    path = f"/v2/{reference.repository}/blobs/{blob.digest}"
    with session.open("GET", path, pull_scope(reference)) as response:
        body = read_body(response, MANIFEST_BYTES, session.base + path)
    if Digest.of(body) != blob.digest:
        raise DigestMismatch(f"the registry sent another blob than {blob.digest}", where=path)
    return body


class _Blobs:
    """Opens blobs by path, in the form that :func:`~wheelship.fetch.download.transfer` wants."""

    def __init__(self, session: Session, scopes: frozenset[str]) -> None:
        self._session = session
        self._scopes = scopes

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[BaseHTTPResponse]:
        ranged = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        expected = (HTTPStatus.OK, *(ranged if headers and "Range" in headers else ()))
        with self._session.open(
            "GET", url, self._scopes, headers=headers, expected=expected
        ) as response:
            yield response


def fetch_blob(
    session: Session,
    reference: Reference,
    blob: Descriptor,
    destination: Path,
    *,
    emit: Emit = discard,
    cancelled: Event | None = None,
) -> None:
    """Fetch a blob of ``reference``'s repository to ``destination``; a file there is trusted.

    It streams to disk and is hashed on the way; what breaks off is kept beside the destination and
    goes on there, in this process or the next. The file has its name only when size and digest are
    right.

    Raises:
        HashMismatch, ResponseTooLarge, SizeMismatch: the registry sent something else, twice.
        NetworkError: it did not answer usefully.
        DiskFull, NotWritable: the disk refuses.
    """
    if destination.exists():
        return
    cancelled = cancelled or Event()
    job = Download(
        url=f"{session.base}/v2/{reference.repository}/blobs/{blob.digest}",
        destination=destination,
        sha256=blob.digest.hex,
        size_bytes=blob.size_bytes,
        subject=f"{reference.repository}@{blob.digest.hex[:12]}",
        step="pull",
        hint="try again; a proxy between here and the registry may change what it sends",
    )
    transport = _Blobs(session, pull_scope(reference))
    wrong = 0
    emit(Started("pull", job.subject, job.size_bytes))
    try:
        with disk_errors(destination.parent), unfinished(job, emit, cancelled) as partial:
            if partial is not None:

                def attempt() -> None:
                    nonlocal wrong
                    try:
                        transfer(job, partial, transport, cancelled)
                    except (HashMismatch, ResponseTooLarge, SizeMismatch) as error:
                        # A cache on the way may hold a damaged copy, and the next try meet another.
                        wrong += 1
                        if wrong == _WRONG_BLOBS:
                            raise
                        partial.restart()
                        raise DigestMismatch(error.message, where=error.where) from error

                session.repeat(attempt, cancelled=cancelled, progress=lambda: partial.furthest)
    except BaseException:
        emit(Finished("pull", job.subject, "failed"))
        raise
    emit(Finished("pull", job.subject, "done" if partial is not None else "reused"))
