# SPDX-License-Identifier: Apache-2.0
"""The door to registries: one session per repository, opened when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Event, Lock

from wheelship.events import Emit, discard
from wheelship.fetch.connection import Connections
from wheelship.fetch.retry import Policy, Retrier
from wheelship.fetch.retry import wait as wait_for
from wheelship.oci.descriptor import Descriptor
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.oci.reference import Reference
from wheelship.registry import pull
from wheelship.registry.keychain import Keychain
from wheelship.registry.push import Pushed, PushImage, push_images
from wheelship.registry.session import Session
from wheelship.registry.stream import RemoteStream, stream_blob

__all__ = ["RegistryClient"]


class RegistryClient:
    """Reads and writes images in registries. Safe for several threads.

    ``connections`` decide which servers are trusted; ``keychain`` knows who we are. Registries on
    loopback and those in ``insecure`` (``HOST[:PORT]``) are spoken to without TLS. ``sleep`` waits
    between tries.
    """

    def __init__(
        self,
        *,
        connections: Connections,
        keychain: Keychain,
        policy: Policy | None = None,
        sleep: Callable[[float, Event], None] = wait_for,
        insecure: frozenset[str] = frozenset(),
    ) -> None:
        self._policy = policy or Policy()
        self._keychain = keychain
        self._insecure = insecure
        self._retrier = Retrier(self._policy, sleep=sleep)
        self._connections = connections
        self._lock = Lock()
        self._sessions: dict[str, Session] = {}

    def digest(self, reference: Reference) -> Digest:
        """Return the digest that ``reference`` stands for now: of a manifest or an index.

        Raises:
            ImageNotFound, RegistryDenied, NetworkError: the registry does not tell.
        """
        return pull.find_digest(self.session(reference), reference)

    def manifest(self, reference: Reference) -> pull.Manifest:
        """Return the manifest or index that ``reference`` names, verified.

        Raises:
            ImageNotFound, RegistryDenied, DigestMismatch, NetworkError: there is none for us.
        """
        return pull.fetch_manifest(self.session(reference), reference)

    def image(self, reference: Reference, platform: Platform) -> pull.RemoteImage:
        """Return the image of ``platform``, without its layers.

        Raises:
            PlatformMissing: it is for other platforms only.
            ImageNotFound, RegistryDenied, DigestMismatch, NetworkError: there is none for us.
        """
        return pull.fetch_image(self.session(reference), reference, platform)

    def blob(
        self,
        reference: Reference,
        blob: Descriptor,
        destination: Path,
        *,
        emit: Emit = discard,
        cancelled: Event | None = None,
    ) -> None:
        """Fetch a blob to ``destination``, verified; a file that is there is trusted.

        Raises:
            NetworkError, MachineError: nothing has the final name then.
        """
        session = self.session(reference)
        pull.fetch_blob(session, reference, blob, destination, emit=emit, cancelled=cancelled)

    @contextmanager
    def stream(self, reference: Reference, blob: Descriptor) -> Iterator[RemoteStream]:
        """Yield the bytes of a blob as they come, unverified, and without a file.

        Raises:
            NetworkError: while they are read.
        """
        with stream_blob(self.session(reference), reference, blob) as stream:
            yield stream

    def push(
        self,
        repository: Reference,
        images: Sequence[PushImage],
        *,
        tags: Sequence[str],
        index: bytes | None = None,
        emit: Emit = discard,
    ) -> Pushed:
        """Push ``images``, the ``index`` that lists them if there is one, and move ``tags`` to it.

        Raises:
            DamagedStore: a file is not what its digest says; no tag was moved.
            RegistryDenied, RegistryRefused, NetworkError: the registry does not take it.
        """
        session = self.session(repository)
        return push_images(session, repository, images, tags=tags, index=index, emit=emit)

    def session(self, reference: Reference) -> Session:
        """Return the session for ``reference``'s repository.

        Raises:
            InvalidDockerConfig: the files of credentials cannot be understood.
        """
        with self._lock:
            if reference.name not in self._sessions:
                self._sessions[reference.name] = self._open(reference)
            return self._sessions[reference.name]

    def _open(self, reference: Reference) -> Session:
        login = self._keychain.find(reference.host, reference.repository)
        return Session(
            reference.host,
            f"{self._scheme(reference)}://{reference.api_host}",
            self._connections,
            policy=self._policy,
            retrier=self._retrier,
            login=login,
            complaint=self._keychain.complaints(reference.host),
        )

    def _scheme(self, reference: Reference) -> str:
        if reference.host in self._insecure:
            return "http"
        if reference.is_loopback and not self._speaks_tls(reference.api_host):
            return "http"
        return "https"

    def _speaks_tls(self, host: str) -> bool:
        """Tell whether a registry on loopback makes no sense of plain requests."""
        from urllib3.exceptions import HTTPError

        try:
            response = self._connections.send("GET", f"http://{host}/v2/", {})
        except HTTPError:
            return False
        response.close()
        return response.status == HTTPStatus.BAD_REQUEST
