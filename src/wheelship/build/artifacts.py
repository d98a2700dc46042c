# SPDX-License-Identifier: Apache-2.0
"""Finds locked files: in the store, where the lock says, in local wheel directories, then afar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from wheelship.debian.lock import LockedPackage
from wheelship.errors import NetworkError
from wheelship.lock.model import LockedWheel
from wheelship.store.store import Store

__all__ = ["Download", "Offline", "StoredArtifacts"]

LockedFile = LockedWheel | LockedPackage


class Offline(NetworkError):
    """A file is needed that is not on this machine, and the network may not be used."""

    code = "offline"


class Download(Protocol):
    """Gets one file, verified and under its final name or not at all.

    Raises:
        NetworkError: none of ``urls`` gave a file with this hash.
    """

    def __call__(
        self, urls: Sequence[str], destination: Path, *, sha256: str, size_bytes: int, subject: str
    ) -> None:
        """Download to ``destination``."""
        ...


class StoredArtifacts:
    """The files of one build; each is fetched once, several at a time.

    ``locate`` gives the addresses of a Debian package. ``download`` is None when offline.
    """

    def __init__(
        self,
        store: Store,
        *,
        find_links: tuple[Path, ...],
        locate: Callable[[LockedPackage], tuple[str, ...]],
        download: Download | None,
        workers: int = 4,
    ) -> None:
        self._store = store
        self._find_links = find_links
        self._locate = locate
        self._download = download
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="download")
        self._futures: dict[str, Future[Path]] = {}

    def close(self) -> None:
        """Stop; downloads that did not begin are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def prefetch(self, files: Iterable[LockedFile]) -> None:
        """Begin to fetch ``files``."""
        for file in files:
            if file.sha256 not in self._futures:
                self._futures[file.sha256] = self._pool.submit(self._get, file)

    def path(self, file: LockedFile) -> Path:
        """Return the local file; its reader verifies its hash.

        Raises:
            NetworkError: it is nowhere to be had.
        """
        self.prefetch([file])
        return self._futures[file.sha256].result()

    def replace(self, file: LockedFile) -> Path:
        """Fetch ``file`` anew after its reader found it damaged.

        Raises:
            NetworkError: it is nowhere to be had.
        """
        self._store.download(file.sha256).unlink(missing_ok=True)
        self._futures.pop(file.sha256, None)
        return self.path(file)

    def _get(self, file: LockedFile) -> Path:
        stored = self._store.download(file.sha256)
        if stored.is_file() and stored.stat().st_size == file.size_bytes:
            return stored
        if isinstance(file, LockedWheel):
            for path in self._local(file):
                if path.is_file() and path.stat().st_size == file.size_bytes:
                    return path
            urls: tuple[str, ...] = (file.url,) if file.url else ()
        else:
            urls = self._locate(file)
        name = Path(file.filename).name
        if not urls:
            raise Offline(
                "is locked as a local file, which is not there any more",
                where=name,
                hint="put it back, name its directory in `find-links`, or run `wheelship lock`",
            )
        if self._download is None:
            raise Offline(
                "is not on this machine, and --offline forbids the network",
                where=name,
                hint="build once without --offline",
            )
        self._download(
            urls, stored, sha256=file.sha256, size_bytes=file.size_bytes, subject=name
        )
        return stored

    def _local(self, wheel: LockedWheel) -> Iterable[Path]:
        if wheel.path is not None:
            yield wheel.path
        for directory in self._find_links:
            yield directory / wheel.filename
