# SPDX-License-Identifier: Apache-2.0
"""Finds locked files: in the store, where the lock says, in local wheel directories, then afar."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from wheelship.debian.lock import LockedPackage
from wheelship.errors import InputError, NetworkError
from wheelship.events import Emit
from wheelship.files.digest import file_digest
from wheelship.lock.model import LockedSource, LockedWheel
from wheelship.store.store import Store, discard

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from wheelship.fetch.fetcher import Fetcher

__all__ = ["LockedFileMissing", "StoredArtifacts"]

LockedFile = LockedWheel | LockedSource | LockedPackage


class LockedFileMissing(InputError):
    """A file was locked from a local directory and is not there any more."""

    code = "locked-file-missing"


class StoredArtifacts:
    """The files of one build; each is fetched once, several at a time.

    ``find_links`` gives the local directories of wheels; ``locate`` the addresses of a Debian
    package, to be tried in their order; ``fetcher`` is called when the first file has to come
    from elsewhere.
    """

    def __init__(
        self,
        store: Store,
        *,
        find_links: Callable[[], tuple[Path, ...]],
        locate: Callable[[LockedPackage], tuple[str, ...]],
        fetcher: Callable[[], Fetcher],
        emit: Emit,
        workers: int = 4,
    ) -> None:
        self._store = store
        self._find_links = find_links
        self._locate = locate
        self._fetcher = cache(fetcher)
        self._emit = emit
        self._cancelled = Event()
        self._lock = Lock()
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._futures: dict[str, Future[Path]] = {}

    def close(self) -> None:
        """Stop; what was begun is kept beside its place and goes on there next time."""
        self._cancelled.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def abandon(self) -> None:
        """Give up what is being fetched: whoever waits for it gets an error at once."""
        self._cancelled.set()

    def prefetch(self, files: Iterable[LockedFile]) -> None:
        """Begin to fetch ``files``."""
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="download")
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
        discard(self._store.download(file.sha256))
        self._futures.pop(file.sha256, None)
        return self.path(file)

    def _get(self, file: LockedFile) -> Path:
        stored = self._store.download(file.sha256)
        if os.path.lexists(stored):
            # A wheel's reader checks its hash; that of a package could not ask for another one.
            is_wheel = isinstance(file, LockedWheel)
            if _is_there(stored, file) and (is_wheel or file_digest(stored).hex == file.sha256):
                return stored
            discard(stored)  # a download would trust it
        if not isinstance(file, LockedPackage):
            for path in self._local(file):
                if _is_there(path, file):
                    return path
            urls: tuple[str, ...] = (file.url,) if file.url else ()
        else:
            urls = self._locate(file)
        self._fetch(file, urls, stored)
        return stored

    def _fetch(self, file: LockedFile, urls: Sequence[str], destination: Path) -> None:
        from wheelship.fetch.download import Download
        from wheelship.fetch.errors import Cancelled, Offline

        name = Path(file.filename).name
        if not urls:
            raise LockedFileMissing(
                "is locked as a local file, which is not there any more",
                where=name,
                hint="put it back, name its directory in `find-links`, or run `wheelship lock`",
            )
        failures: list[NetworkError] = []
        for url in urls:
            job = Download(
                url=url,
                destination=destination,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                subject=name,
            )
            try:
                self._fetcher().download(job, emit=self._emit, cancelled=self._cancelled)
            except (Cancelled, Offline):
                raise
            except NetworkError as error:
                failures.append(error)
            else:
                return
        raise _telling(failures, file)

    def _local(self, wheel: LockedWheel | LockedSource) -> Iterable[Path]:
        if wheel.path is not None:
            yield wheel.path
        for directory in self._find_links():
            yield directory / wheel.filename


def _telling(failures: Sequence[NetworkError], file: LockedFile) -> NetworkError:
    """Return the failure that says most: a wrong file, else what the first address answered."""
    from wheelship.fetch.errors import HashMismatch, SizeMismatch

    wrong = [error for error in failures if isinstance(error, HashMismatch | SizeMismatch)]
    error = (wrong or failures)[0]
    again = "wheelship lock --upgrade" if isinstance(file, LockedPackage) else "wheelship lock"
    error.hint = error.hint or f"if that version is gone for good, lock another one: {again}"
    return error


def _is_there(path: Path, file: LockedFile) -> bool:
    """Tell whether the file has the locked size; its reader checks the hash."""
    return path.is_file() and file.size_bytes in (0, path.stat().st_size)
