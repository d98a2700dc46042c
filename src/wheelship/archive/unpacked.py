# SPDX-License-Identifier: Apache-2.0
"""A layer's archive as a stream: unpacked in a second thread, hashed and counted as it passes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from wheelship.archive.blob import ByteStream
from wheelship.archive.decompress import Batch, batches
from wheelship.oci.digest import Digest

__all__ = ["UnpackedStream"]

_AHEAD = 6


class UnpackedStream:
    """Takes apart what ``stream`` holds; a context manager that does not close ``stream``.

    Unpacking releases the interpreter's lock, and so does hashing: each has a processor of its own.
    ``data`` is the present piece, ``begin`` where in the archive it starts, and ``blob_offset`` how
    many bytes of the blob it took to get to its end.

    Raises:
        Undecodable: from :meth:`advance`, when the compressed data is damaged.
        UnknownPacking: likewise, when it is compressed in a way that is not read here.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.data = b""
        self.begin = 0
        self.blob_offset = 0
        self._hash = hashlib.sha256()
        self._marks: deque[tuple[int, int]] = deque()
        self._low = (0, 0)
        self._source = batches(stream)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="unpack")
        self._ahead: deque[Future[Batch | None]] = deque()
        self._order(_AHEAD)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop unpacking; what was begun is waited for."""
        self._pool.shutdown(cancel_futures=True)

    @property
    def end(self) -> int:
        """Where in the archive the present piece ends."""
        return self.begin + len(self.data)

    def advance(self) -> bool:
        """Go on to the next piece with data; False at the end, where ``data`` is empty."""
        self.begin += len(self.data)
        self.data = b""
        while not self.data and self._ahead:
            batch = self._ahead.popleft().result()
            if batch is None:
                self._ahead.clear()
                return False
            self._order(1)
            self.data = batch.data
            self._marks.extend(batch.marks)
            self.blob_offset = batch.marks[-1][1]
            self._hash.update(self.data)
        return bool(self.data)

    def blob_offset_of(self, offset: int) -> int:
        """Return what belongs to ``offset`` of the archive in the blob.

        That is exact where a gzip member or zstd frame ends, and in proportion between two points
        where it is known. To be asked in ascending order, up to :attr:`end`.
        """
        marks = self._marks
        while marks and marks[0][0] < offset:
            self._low = marks.popleft()
        begin, blob = self._low
        if not marks or offset <= begin:
            return blob
        until, blob_until = marks[0]
        return blob + (blob_until - blob) * (offset - begin) // (until - begin)

    def digest(self) -> Digest:
        """Return the digest of all data so far, the present piece included."""
        return Digest(self._hash.hexdigest())

    def _order(self, count: int) -> None:
        # One thread takes the orders one after another, so the generator never runs twice at once.
        for _ in range(count):
            self._ahead.append(self._pool.submit(_next, self._source))


def _next(source: Iterator[Batch]) -> Batch | None:
    return next(source, None)
