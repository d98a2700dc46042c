# SPDX-License-Identifier: Apache-2.0
"""Release files: one signed message, for what was asked, not out of date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from wheelship.debian.clearsign import verified_text
from wheelship.debian.errors import ArchiveUntrusted, ReleaseExpired, ReleaseMismatch
from wheelship.debian.release import check_dates, read_release
from wheelship.testing.deb import DATE, DebArchive, make_deb

BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n"


@pytest.fixture(scope="module")
def archive() -> DebArchive:
    return DebArchive(suites={"bookworm": [make_deb()], "bookworm-security": []})


@pytest.fixture(scope="module")
def signed(archive: DebArchive) -> bytes:
    return archive.sign(archive.release_text("bookworm", {"a": b"1", "b": b"22"}))


def test_the_signed_text_is_returned_whole(archive: DebArchive, signed: bytes) -> None:
    text = verified_text(signed, archive.certificates, where="InRelease")
    assert text.startswith(b"Origin: Debian\n")
    assert text.rstrip(b"\n").endswith(b"        2 b")
    assert b"PGP" not in text


def _insert(at: bytes, what: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(at, what + at, 1)


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "unsigned": lambda data: data.split(b"\n\n", 1)[1].partition(SIGNATURE)[0],
    "junk before": lambda data: b"Origin: Evil\n" + data,
    "blank line before": lambda data: b"\n" + data,
    "junk after": lambda data: data + b"Origin: Evil\n",
    "blank line after": lambda data: data + b"\n",
    "no newline at the end": lambda data: data[:-1],
    "second message": lambda data: data + data,
    "changed body": lambda data: data.replace(b"Codename: bookworm", b"Codename: bullseye"),
    "added line": _insert(b"Suite:", b"Extra: yes\n"),
    "carriage returns": lambda data: data.replace(b"\n", b"\r\n"),
    "one carriage return": lambda data: data.replace(b"Suite:", b"\rSuite:"),
    "one line with a carriage return": lambda data: data.replace(b"Debian\n", b"Debian\r\n", 1),
    "zero byte": lambda data: data.replace(b"Suite:", b"Suite:\0"),
    "blank at the end of a line": lambda data: data.replace(b"Debian\n", b"Debian \n", 1),
    "tab at the end of a line": lambda data: data.replace(b"Debian\n", b"Debian\t\n", 1),
    "dash-escaped line": lambda data: data.replace(b"Suite:", b"- Suite:"),
    "dash-escaped boundary": _insert(b"Suite:", b"- " + SIGNATURE),
    "boundary in the body": _insert(b"Suite:", SIGNATURE),
    "unknown armour header": _insert(b"Hash: ", b"Comment: x\n"),
    "text as armour header": _insert(b"Hash: ", b"Origin: Evil\n"),
    "no blank line": lambda data: data.replace(b"\n\n", b"\n", 1),
    "two blank lines": lambda data: data.replace(b"\n\n", b"\n\n\n", 1),
    "truncated in the body": lambda data: data[:150],
    "truncated in the signature": lambda data: data[:-80],
    "signature of nothing": lambda data: (
        data.partition(SIGNATURE)[0] + SIGNATURE + b"\nAAAA\n-----END PGP SIGNATURE-----\n"
    ),
    "text between signature and end": lambda data: data.replace(
        b"-----END PGP", b"Origin: Evil\n-----END PGP"
    ),
    "other kind of message": lambda data: data.replace(BEGIN, b"-----BEGIN PGP MESSAGE-----\n"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_file_is_refused(case: str, archive: DebArchive, signed: bytes) -> None:
    tampered = TAMPERED[case](signed)
    assert tampered != signed
    with pytest.raises(ArchiveUntrusted) as caught:
        verified_text(tampered, archive.certificates, where="http://example.org/InRelease")
    assert caught.value.where == "http://example.org/InRelease"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("carriage returns", "carriage returns"),
        ("one line with a carriage return", "carriage returns"),
        ("zero byte", "zero bytes"),
        ("blank at the end of a line", "blanks at the end of a line"),
        ("tab at the end of a line", "blanks at the end of a line"),
        ("dash-escaped line", "not exactly one message"),
        ("junk before", "not exactly one message"),
        ("second message", "not exactly one message"),
        ("changed body", "no valid signature"),
    ],
)
def test_the_refusal_says_why(case: str, message: str, archive: DebArchive, signed: bytes) -> None:
    with pytest.raises(ArchiveUntrusted, match=message):
        verified_text(TAMPERED[case](signed), archive.certificates, where="InRelease")


def test_another_archives_signature_does_not_count(signed: bytes) -> None:
    with pytest.raises(ArchiveUntrusted, match="no valid signature"):
        verified_text(signed, DebArchive().certificates, where="InRelease")


def test_no_key_vouches_for_nothing(signed: bytes) -> None:
    with pytest.raises(ArchiveUntrusted, match="no valid signature"):
        verified_text(signed, {}, where="InRelease")


def test_one_valid_signature_of_several_is_enough(archive: DebArchive, signed: bytes) -> None:
    both = DebArchive().certificates | archive.certificates
    assert verified_text(signed, both, where="InRelease")


def _read(archive: DebArchive, suite: str = "bookworm", **fields: str):  # noqa: ANN202
    changed = DebArchive(suites=archive.suites, key=archive.key, fields=fields)
    table = archive.distribution(["demo"])
    wanted = next(one for one in table.suites if one.name == suite)
    data = changed.sign(changed.release_text(suite, {"main/binary-amd64/Packages": b"x"}))
    return read_release(data, wanted, table, archive.certificates, where="InRelease")


def test_files_and_dates_are_read(archive: DebArchive) -> None:
    release = _read(
        archive, "bookworm-security", **{"Valid-Until": "Wed, 08 Jul 2026 12:00:00 UTC"}
    )
    assert release.date == DATE
    assert release.valid_until == datetime(2026, 7, 8, 12, tzinfo=UTC)
    assert release.by_hash
    assert release.files["main/binary-amd64/Packages"].size_bytes == 1


@pytest.mark.parametrize("suite", ["stable", "oldstable", "oldoldstable", "bookworm"])
def test_a_release_keeps_its_codename_while_it_ages(archive: DebArchive, suite: str) -> None:
    assert _read(archive, Suite=suite).suite.name == "bookworm"


@pytest.mark.parametrize(
    "field",
    [
        {"Origin": "Ubuntu"},
        {"Label": "Debian-Security"},
        {"Codename": "trixie"},
        {"Codename": "bookworm-security"},
        {"Suite": "testing"},
        {"Suite": "oldstable-security"},
        {"Date": "yesterday"},
    ],
)
def test_a_signed_file_for_something_else_is_refused(
    archive: DebArchive, field: dict[str, str]
) -> None:
    with pytest.raises(ReleaseMismatch, match=next(iter(field))):
        _read(archive, **field)


def test_rows_that_cannot_be_read_are_refused(archive: DebArchive) -> None:
    table = archive.distribution(["demo"])
    text = archive.release_text("bookworm", {"a": b"1"})
    for row in (" 00 1 a\n", f" {'0' * 64} -1 b\n", f" {'0' * 64} 1 a\n"):
        data = archive.sign(text + row)
        with pytest.raises(ReleaseMismatch, match="bad row"):
            read_release(data, table.suites[0], table, archive.certificates, where="InRelease")


def test_weak_hashes_count_for_nothing(archive: DebArchive) -> None:
    table = archive.distribution(["demo"])
    text = archive.release_text("bookworm", {}).replace("SHA256:", "MD5Sum:\n " + "0" * 32 + " 1 a")
    data = archive.sign(text)
    release = read_release(data, table.suites[0], table, archive.certificates, where="InRelease")
    assert release.files == {}


def test_age_is_checked_against_the_given_time(archive: DebArchive) -> None:
    release = _read(archive, **{"Valid-Until": "Wed, 08 Jul 2026 12:00:00 UTC"})
    check_dates(release, DATE, where="InRelease")
    check_dates(release, datetime(2026, 7, 8, 12, tzinfo=UTC), where="InRelease")
    with pytest.raises(ReleaseExpired, match="valid until 2026-07-08 12:00 UTC only"):
        check_dates(release, datetime(2026, 7, 8, 12, 1, tzinfo=UTC), where="InRelease")
    with pytest.raises(ReleaseExpired, match="in the future"):
        check_dates(release, DATE - timedelta(minutes=11), where="InRelease")


def test_without_an_end_nothing_expires(archive: DebArchive) -> None:
    release = _read(archive)
    assert release.valid_until is None
    check_dates(release, DATE + timedelta(days=3650), where="InRelease")


@pytest.mark.parametrize(
    ("text", "signer", "message"),
    [
        (b"another text", None, "another text than the one that is signed"),
        (None, "0" * 40, "no valid signature"),
    ],
)
def test_the_verifiers_answer_is_not_taken_on_trust(
    text: bytes | None,
    signer: str | None,
    message: str,
    archive: DebArchive,
    signed: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No known file makes sequoia answer like this; should one come up, it must not pass."""
    right = verified_text(signed, archive.certificates, where="InRelease")
    signature = SimpleNamespace(certificate=signer or next(iter(archive.certificates)))
    answer = SimpleNamespace(bytes=text or right[:-1], valid_sigs=[signature])
    monkeypatch.setattr("pysequoia.verify", lambda **_: answer)
    with pytest.raises(ArchiveUntrusted, match=message):
        verified_text(signed, archive.certificates, where="InRelease")
