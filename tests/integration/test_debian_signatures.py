# SPDX-License-Identifier: Apache-2.0
"""Signatures made by gpg that nobody should believe: what gpgv and this package say of them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysequoia import Cert

from wheelship.debian.clearsign import verified_text
from wheelship.debian.errors import ArchiveUntrusted
from wheelship.debian.keyring import unexpired

pytestmark = pytest.mark.integration

TEXT = b"Origin: Debian\nSuite: bookworm\n"
YEARS_AGO = "20240101T000000"
SOON_AFTER = "20240101T010000"
FUTURE = "20340101T010000"


@dataclass(frozen=True, kw_only=True)
class Gnupg:
    """A home of its own for gpg; it is short, as its agent's socket lies in it."""

    gpg: str
    gpgv: str
    home: Path

    def run(self, *arguments: str, data: bytes = b"", time: str | None = None) -> bytes:
        """Run gpg, at another time if one is given."""
        command = [
            self.gpg,
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]
        if time is not None:
            command += ["--faked-system-time", time]
        environment = {**os.environ, "GNUPGHOME": str(self.home)}
        ran = subprocess.run(
            [*command, *arguments], input=data, capture_output=True, check=True, env=environment
        )
        return ran.stdout

    def key(
        self, name: str, *, kind: str = "rsa2048", ends: str = "never", time: str | None
    ) -> str:
        """Make a key that can sign and return its user."""
        user = f"{name}@example.org"
        self.run("--quick-generate-key", user, kind, "sign", ends, time=time)
        return user

    def says(self, user: str, message: bytes) -> tuple[int, set[str]]:
        """Return gpgv's exit status and what it notes about the signature."""
        ring, file = self.home / "ring.gpg", self.home / "message"
        ring.write_bytes(self.run("--export", user))
        file.write_bytes(message)
        command = [self.gpgv, "--status-fd", "1", "--keyring", str(ring), str(file)]
        ran = subprocess.run(command, capture_output=True, check=False)
        return ran.returncode, {line.split()[1] for line in ran.stdout.decode().splitlines()}

    def certificates(self, user: str) -> dict[str, Cert]:
        certificate = Cert.from_bytes(self.run("--export", user))
        return {certificate.fingerprint: certificate}


@pytest.fixture(scope="module")
def gnupg(tool: Callable[[str], str]) -> Iterator[Gnupg]:
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        made = Gnupg(gpg=tool("gpg"), gpgv=tool("gpgv"), home=Path(home))
        yield made
        stop = [tool("gpgconf"), "--homedir", home, "--kill", "gpg-agent"]
        subprocess.run(stop, check=True)


def good(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("good", time=None)
    return user, gnupg.run("-u", user, "--clearsign", data=TEXT)


def sha1(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("sha1", time=None)
    return user, gnupg.run("-u", user, "--digest-algo", "SHA1", "--clearsign", data=TEXT)


def md5(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("md5", time=None)
    weak = ("--digest-algo", "MD5", "--allow-weak-digest-algos")
    return user, gnupg.run("-u", user, *weak, "--clearsign", data=TEXT)


def short_key(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("short", kind="rsa1024", time=None)
    return user, gnupg.run("-u", user, "--clearsign", data=TEXT)


def revoked(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("revoked", time=None)
    message = gnupg.run("-u", user, "--clearsign", data=TEXT)
    rows = gnupg.run("--with-colons", "--list-keys", user).decode().splitlines()
    fingerprint = next(row.split(":")[9] for row in rows if row.startswith("fpr"))
    text = (gnupg.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
    # gpg puts a colon in front, so that nobody imports it by accident.
    gnupg.run("--import", data=text.replace(":-----BEGIN", "-----BEGIN").encode())
    return user, message


def expired_signature(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("passed", time=YEARS_AGO)
    ends = ("--default-sig-expire", "1d")
    return user, gnupg.run("-u", user, *ends, "--clearsign", data=TEXT, time=SOON_AFTER)


def future_signature(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("future", time=YEARS_AGO)
    return user, gnupg.run("-u", user, "--clearsign", data=TEXT, time=FUTURE)


def inline(gnupg: Gnupg) -> tuple[str, bytes]:
    user = gnupg.key("inline", time=None)
    return user, gnupg.run("-u", user, "--textmode", "--armor", "--sign", data=TEXT)


def detached(gnupg: Gnupg) -> tuple[str, bytes]:
    """A signature of a binary file, put below its text."""
    user = gnupg.key("detached", time=None)
    signature = gnupg.run("-u", user, "--armor", "--detach-sign", data=TEXT)
    return user, b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + TEXT + signature


# what gpgv notes, and whether it ends with status 0, which says little
MADE: dict[str, tuple[Callable[[Gnupg], tuple[str, bytes]], str, bool]] = {
    "sha1": (sha1, "GOODSIG", True),
    "md5": (md5, "ERRSIG", False),
    "short key": (short_key, "GOODSIG", True),
    "revoked key": (revoked, "REVKEYSIG", True),
    "expired signature": (expired_signature, "EXPSIG", False),
    "signature from the future": (future_signature, "GOODSIG", True),
    "no cleartext signature": (inline, "GOODSIG", True),
    "signature of a binary file": (detached, "BADSIG", False),
}


def test_a_good_signature_is_believed_by_both(gnupg: Gnupg) -> None:
    user, message = good(gnupg)
    status, notes = gnupg.says(user, message)
    assert status == 0
    assert {"GOODSIG", "VALIDSIG"} <= notes
    assert verified_text(message, gnupg.certificates(user), where="x") == TEXT


@pytest.mark.parametrize("case", MADE)
def test_a_signature_that_proves_nothing_is_refused(case: str, gnupg: Gnupg) -> None:
    """Gpgv lets five of these pass with status 0; apt looks at its notes, and so must others."""
    make, note, passes_gpgv = MADE[case]
    user, message = make(gnupg)
    status, notes = gnupg.says(user, message)
    assert (note in notes, status == 0) == (True, passes_gpgv)
    with pytest.raises(ArchiveUntrusted):
        verified_text(message, gnupg.certificates(user), where="x")


def test_a_key_that_has_expired_is_not_believed_any_more(gnupg: Gnupg) -> None:
    """Its signature verifies, as it was made in time: or was dated so by who found the key."""
    user = gnupg.key("ended", ends="1d", time=YEARS_AGO)
    message = gnupg.run("-u", user, "--clearsign", data=TEXT, time=SOON_AFTER)
    status, notes = gnupg.says(user, message)
    assert status == 0
    assert "EXPKEYSIG" in notes
    ended = gnupg.certificates(user)
    made = datetime(2024, 1, 1, tzinfo=UTC)
    assert unexpired(ended, made + timedelta(hours=23), where="x") == ended
    with pytest.raises(ArchiveUntrusted, match="have expired") as caught:
        unexpired(ended, datetime.now(UTC), where="http://example.org/InRelease")
    assert caught.value.hint
    others = gnupg.certificates(gnupg.key("lasting", time=None))
    assert unexpired(ended | others, datetime.now(UTC), where="x") == others
