# SPDX-License-Identifier: Apache-2.0
"""A blob whose bytes are counted and hashed while they are read (image-spec, descriptor.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from wheelship.errors import WheelshipError
from wheelship.oci.descriptor import Descriptor
from wheelship.source.errors import InvalidImage
from wheelship.source.model import BlobStream

__all__ = ["VerifiedStream"]


class VerifiedStream:
    """Reads ``stream`` and proves that it is the blob that ``descriptor`` names.

    The last byte is only handed out after the digest was found right, so a reader that stops there
    (a decompressor at the end of its stream) is as safe as one that reads on until nothing comes.
    ``refusal`` makes the error from what is wrong; ``where`` is for the default one.
    """

    def __init__(
        self,
        stream: BlobStream,
        descriptor: Descriptor,
        *,
        where: str = "",
        refusal: Callable[[str], WheelshipError] | None = None,
    ) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._left = descriptor.size_bytes
        self._hash = hashlib.sha256()
        self._proven = False
        self._refusal = refusal or (lambda what: InvalidImage(what, where=where or None))

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none only at the end of the blob.

        Raises:
            InvalidImage: it is shorter or longer than its descriptor says, or other than its digest
                says; or what ``refusal`` makes of that.
        """
        if size <= 0:
            return b""
        if not self._left:
            self._finish()
            return b""
        data = self._stream.read(min(size, self._left))
        if not data:
            total = self._descriptor.size_bytes
            raise self._refusal(
                f"the blob {self._descriptor.digest} ends after {total - self._left} of {total} "
                "bytes"
            )
        self._hash.update(data)
        self._left -= len(data)
        if not self._left:
            self._finish()
        return data

    def _finish(self) -> None:
        if self._proven:
            return
        if self._stream.read(1):
            raise self._refusal(
                f"the blob {self._descriptor.digest} is longer than the "
                f"{self._descriptor.size_bytes} bytes that are promised"
            )
        found = self._hash.hexdigest()
        if found != self._descriptor.digest.hex:
            raise self._refusal(
                f"the blob {self._descriptor.digest} is damaged: it hashes to sha256:{found}"
            )
        self._proven = True
