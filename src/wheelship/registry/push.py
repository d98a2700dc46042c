# SPDX-License-Identifier: Apache-2.0
"""Images into a registry: layers, configuration, manifest, index; tags last of all.

A tag never names something incomplete: it moves when everything it leads to was accepted.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event

from wheelship.errors import WheelshipError
from wheelship.events import Emit, Finished, Started, discard
from wheelship.fetch.errors import Cancelled
from wheelship.oci.descriptor import CONFIG, INDEX, MANIFEST, Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.reference import Reference
from wheelship.registry.errors import DigestMismatch, ImageNotFound, RegistryRefused
from wheelship.registry.pull import find_digest_once
from wheelship.registry.session import Session
from wheelship.registry.upload import BlobSource, Placed, Uploader, push_scope

__all__ = ["PushImage", "Pushed", "push_images"]

WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PushImage:
    """An image of one platform to push: documents as they are, layers by source."""

    manifest: bytes
    config: bytes
    layers: tuple[BlobSource, ...]
    media_type: str = MANIFEST
    config_type: str = CONFIG

    @property
    def digest(self) -> Digest:
        """Digest of the manifest."""
        return Digest.of(self.manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push did; ``digest`` is what the tags name now."""

    repository: Reference
    tags: tuple[str, ...]
    digest: Digest
    blobs: tuple[Placed, ...]

    @property
    def references(self) -> tuple[str, ...]:
        """What the image is called now; its digest alone when it got no tag."""
        name = Reference(host=self.repository.host, repository=self.repository.repository)
        tagged = tuple(str(name.with_tag(tag)) for tag in self.tags)
        return tagged or (str(name.with_digest(self.digest)),)

    @property
    def sent_bytes(self) -> int:
        """Bytes of blobs that were sent, tries that failed included."""
        return sum(one.sent_bytes for one in self.blobs)

    def count(self, how: str) -> int:
        """Return how many blobs were ``sent``, ``existing`` or ``mounted``."""
        return sum(one.how == how for one in self.blobs)


def push_images(
    session: Session,
    repository: Reference,
    images: Sequence[PushImage],
    *,
    tags: Sequence[str],
    index: bytes | None = None,
    emit: Emit = discard,
) -> Pushed:
    """Push ``images`` and, if there is one, the ``index`` that lists them; then move ``tags``.

    Without an index there is exactly one image. Several blobs are sent at once; the first failure
    ends all of them.

    Raises:
        DamagedStore: a file is not what its digest says.
        NetworkError: the registry does not take something. No tag was moved, unless moving a tag is
            what failed: then the tags before it name the new image, which is complete.
    """
    cancelled = Event()
    uploader = Uploader(session, repository.repository, emit, cancelled)
    layers = _unique(layer for image in images for layer in image.layers)
    configs = _unique(_config(image) for image in images)
    placed = _all(uploader, layers, cancelled) + _all(uploader, configs, cancelled)
    documents = [(image.manifest, image.media_type) for image in images]
    if index is not None:
        documents.append((index, INDEX))
    for body, media_type in documents:
        _put(session, repository.with_digest(Digest.of(body)), body, media_type, emit)
    body, media_type = documents[-1]
    for tag in dict.fromkeys(tags):
        _put(session, repository.with_tag(tag), body, media_type, emit)
    return Pushed(
        repository=repository,
        tags=tuple(dict.fromkeys(tags)),
        digest=Digest.of(body),
        blobs=tuple(placed),
    )


def _config(image: PushImage) -> BlobSource:
    return BlobSource(
        descriptor=Descriptor(
            media_type=image.config_type,
            digest=Digest.of(image.config),
            size_bytes=len(image.config),
        ),
        open=lambda: io.BytesIO(image.config),
        title="configuration",
    )


def _unique(blobs: Iterable[BlobSource]) -> list[BlobSource]:
    """Return one source per digest, the largest first."""
    by_digest = {blob.descriptor.digest: blob for blob in blobs}
    return sorted(by_digest.values(), key=lambda blob: -blob.descriptor.size_bytes)


def _all(uploader: Uploader, blobs: list[BlobSource], cancelled: Event) -> list[Placed]:
    if not blobs:
        return []
    pool = ThreadPoolExecutor(min(WORKERS, len(blobs)), thread_name_prefix="push")
    try:
        futures = [pool.submit(uploader.place, blob) for blob in blobs]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failures = [error for one in done if (error := one.exception()) is not None]
        for error in sorted(failures, key=lambda error: isinstance(error, Cancelled)):
            raise error
        return [one.result() for one in futures]
    except BaseException:
        cancelled.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _put(session: Session, reference: Reference, body: bytes, media_type: str, emit: Emit) -> None:
    subject = f"{reference.repository}:{reference.identifier[:19]}"
    digest = Digest.of(body)
    emit(Started("push", subject, len(body)))
    try:
        session.repeat(lambda: _put_once(session, reference, body, media_type, digest))
    except WheelshipError:
        emit(Finished("push", subject, "failed"))
        raise
    emit(Finished("push", subject, "done"))


def _put_once(
    session: Session, reference: Reference, body: bytes, media_type: str, digest: Digest
) -> None:
    try:
        answer = session.ask(
            "PUT",
            f"/v2/{reference.repository}/manifests/{reference.identifier}",
            push_scope(reference.repository),
            headers={"Content-Type": media_type, "Content-Length": str(len(body))},
            body=lambda: [body],
            expected=(HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED),
        )
    except ImageNotFound as error:
        raise RegistryRefused(
            f"the registry does not take the manifest: {error.message}",
            status=HTTPStatus.NOT_FOUND,
            where=str(reference),
        ) from error
    told = answer.headers.get("Docker-Content-Digest", "")
    found = told if told.startswith("sha256:") else str(find_digest_once(session, reference))
    if found != str(digest):
        raise DigestMismatch(
            f"the registry stored the manifest as {found[:80]} instead of {digest}",
            where=str(reference),
        )
