# SPDX-License-Identifier: Apache-2.0
"""Messages in OpenPGP's cleartext signature framework (RFC 9580, section 7), read strictly.

OpenPGP programs skip what stands before and after the message and read only its first one, so a
file can show one text to them and another to whoever parses it afterwards (CVE-2013-1051). Here a
file is one message from its first byte to its last, in the one form that Debian writes, and what is
returned is compared with what the signature was computed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wheelship.debian.errors import ArchiveUntrusted

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["verified_text"]

_MESSAGE = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----\n"
    rb"(?:Hash: [A-Za-z0-9, -]+\n)+"
    rb"\n"
    rb"(?P<text>(?:(?:[^-\n][^\n]*)?\n)+)"
    rb"-----BEGIN PGP SIGNATURE-----\n"
    rb"(?:(?:Version|Comment): [^\n]*\n)*"
    rb"\n"
    rb"(?:[A-Za-z0-9+/]+={0,2}\n)+"
    rb"(?:=[A-Za-z0-9+/]{4}\n)?"
    rb"-----END PGP SIGNATURE-----\n"
)
_TRAILING_BLANK = re.compile(rb"[ \t]\n")


def verified_text(data: bytes, certificates: Mapping[str, Cert], *, where: str) -> bytes:
    """Return the text of the one signed message that ``data`` is.

    ``certificates`` are the acceptable signers by fingerprint; one valid signature by any of them
    is enough, as archives sign with the keys of several releases while these overlap. Each line of
    the text ends with a line feed. ``where`` names the file in errors.

    Raises:
        ArchiveUntrusted: the file is anything else than one message, or nobody acceptable vouches
            for exactly this text.
    """
    if b"\r" in data or b"\0" in data:
        raise _refusal("contains carriage returns or zero bytes, which Debian never writes", where)
    message = _MESSAGE.fullmatch(data)
    if message is None:
        raise _refusal("is not exactly one message with a cleartext signature", where)
    text = message["text"]
    if _TRAILING_BLANK.search(text):
        # Signatures do not cover blanks at the end of a line, so anybody may have added them.
        raise _refusal("has blanks at the end of a line, which its signature does not cover", where)
    if _signed_bytes(data, certificates, where) != text[:-1]:
        raise _refusal("shows another text than the one that is signed", where)
    return text


def _signed_bytes(data: bytes, certificates: Mapping[str, Cert], where: str) -> bytes:
    from pysequoia import verify

    try:
        result = verify(bytes=data, store=lambda _: list(certificates.values()))
    except RuntimeError as error:  # pysequoia has no class of its own
        reason = str(error).partition("\n")[0]  # a Rust backtrace follows
        what = f"has no valid signature by a key of that archive: {reason}"
        raise _refusal(what, where) from error
    if not any(signature.certificate in certificates for signature in result.valid_sigs):
        raise _refusal("has no valid signature by a key of that archive", where)
    return bytes(result.bytes or b"")


def _refusal(what: str, where: str) -> ArchiveUntrusted:
    return ArchiveUntrusted(
        f"the release file {what}",
        where=where,
        hint="try again, or set another `debian-mirror`; a proxy may have replaced the file",
    )
