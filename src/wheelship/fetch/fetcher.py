# SPDX-License-Identifier: Apache-2.0
"""The door to the network: small documents, sizes, files, many files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from wheelship.events import Emit, Finished, Started, discard
from wheelship.fetch.download import Download, transfer, unfinished
from wheelship.fetch.errors import Cancelled, MissingFile, ResponseTooLarge
from wheelship.fetch.retry import Policy, Retrier
from wheelship.fetch.retry import wait as wait_for
from wheelship.fetch.transport import CredentialsFor, Transport
from wheelship.fetch.url import display_url, file_path
from wheelship.store.errors import disk_errors

if TYPE_CHECKING:
    import ssl

__all__ = ["Fetcher"]

_PIECE_BYTES = 64 * 1024


def _nobody(url: str) -> None:
    del url


class Fetcher:
    """Fetches ``http``, ``https`` and ``file`` addresses. Safe for several threads.

    ``credentials`` is asked for each address; ``context`` decides which servers are trusted (see
    :func:`~wheelship.fetch.tls.system_context`); ``sleep`` waits between tries.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        context: ssl.SSLContext | None = None,
        credentials: CredentialsFor = _nobody,
        proxies: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        sleep: Callable[[float, Event], None] = wait_for,
        offline: bool = False,
    ) -> None:
        policy = policy or Policy()
        self._retrier = Retrier(policy, sleep=sleep)
        self._transport = Transport(
            user_agent=user_agent,
            policy=policy,
            context=context,
            credentials=credentials,
            proxies=proxies or {},
            offline=offline,
        )

    def fetch_bytes(self, url: str, *, limit_bytes: int) -> bytes:
        """Return the whole body of ``url``, exactly as sent.

        Raises:
            ResponseTooLarge: it has more than ``limit_bytes``.
            HttpStatus: the server has no such document, or does not give it to us.
            NetworkError: the server did not answer usefully.
            MissingFile: the address is one of a local file that is not there.
        """
        local = file_path(url)
        if local is not None:
            return _read(local, limit_bytes, url)
        return self._retrier.run(lambda: self._body(url, limit_bytes), cancelled=Event())

    def size(self, url: str) -> int | None:
        """Return how many bytes the server says ``url`` has, None if it does not say.

        Raises:
            NetworkError: the server did not answer usefully.
        """
        return self._retrier.run(lambda: self._length(url), cancelled=Event())

    def download(
        self, job: Download, *, emit: Emit = discard, cancelled: Event | None = None
    ) -> None:
        """Fetch a file to its destination; a destination that exists is trusted.

        Another process that fetches the same file is waited for. What breaks off is kept beside
        the destination as ``….partial`` and goes on there next time.

        Raises:
            NetworkError: ``download-hash-mismatch``, ``download-size-mismatch``, ``unreachable``
                and the like; nothing has the final name then.
            InputError, MachineError: a local source or the disk is at fault.
        """
        if job.destination.exists():
            return
        cancelled = cancelled or Event()
        emit(Started("download", job.subject, job.size_bytes))
        try:
            with (
                disk_errors(job.destination.parent),
                unfinished(job, emit, cancelled) as partial,
            ):
                if partial is not None:
                    self._retrier.run(
                        lambda: transfer(job, partial, self._transport, cancelled),
                        cancelled=cancelled,
                        progress=lambda: partial.furthest,
                    )
        except BaseException:
            emit(Finished("download", job.subject, "failed"))
            raise
        emit(Finished("download", job.subject, "done" if partial is not None else "reused"))

    def download_all(
        self, jobs: Iterable[Download], *, workers: int = 4, emit: Emit = discard
    ) -> None:
        """Fetch files in parallel, largest first; the first failure cancels the rest.

        Raises:
            WheelshipError: the first failure.
        """
        unique = {job.destination: job for job in jobs}
        ordered = sorted(unique.values(), key=lambda job: -(job.size_bytes or 0))
        if not ordered:
            return
        cancelled = Event()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="download")
        try:
            futures = [
                pool.submit(self.download, job, emit=emit, cancelled=cancelled) for job in ordered
            ]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failures = [error for one in done if (error := one.exception()) is not None]
            for error in sorted(failures, key=lambda error: isinstance(error, Cancelled)):
                raise error
        finally:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _body(self, url: str, limit_bytes: int) -> bytes:
        with self._transport.open(url) as response:
            body = bytearray()
            while piece := response.read(_PIECE_BYTES, decode_content=False):
                body += piece
                if len(body) > limit_bytes:
                    raise _too_large(url, limit_bytes)
            return bytes(body)

    def _length(self, url: str) -> int | None:
        with self._transport.open(url, method="HEAD") as response:
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None


def _read(path: Path, limit_bytes: int, url: str) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(limit_bytes + 1)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(body) > limit_bytes:
        raise _too_large(url, limit_bytes)
    return body


def _too_large(url: str, limit_bytes: int) -> ResponseTooLarge:
    return ResponseTooLarge(f"longer than {limit_bytes} bytes: {display_url(url)}")
