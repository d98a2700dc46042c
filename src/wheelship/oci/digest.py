# SPDX-License-Identifier: Apache-2.0
"""Content digests (image-spec, descriptor.md, "Digests"); sha256 is the only algorithm we write."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from wheelship.errors import InputError

__all__ = ["Digest", "InvalidDigest"]

_HEX = re.compile(r"[0-9a-f]{64}")


class InvalidDigest(InputError):
    """The text is not a sha256 digest in its wire form."""

    code = "invalid-digest"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest; ``hex`` is 64 lower-case digits, ``str()`` the wire form ``sha256:…``.

    Raises:
        InvalidDigest: ``hex`` is anything else. A ``Digest`` in hand is therefore valid.
    """

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InvalidDigest(f"not a sha256 digest: {self.hex[:80]!r}")

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the wire form ``sha256:<hex>``.

        Raises:
            InvalidDigest: another algorithm or malformed text.
        """
        algorithm, _, encoded = text.partition(":")
        if algorithm != "sha256":
            raise InvalidDigest(f"unsupported digest algorithm in {text[:80]!r}")
        return cls(encoded)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Digest ``data``."""
        return cls(hashlib.sha256(data).hexdigest())
