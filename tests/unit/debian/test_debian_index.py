# SPDX-License-Identifier: Apache-2.0
"""Package indexes: verified before they are unpacked, read by name."""

from __future__ import annotations

import hashlib
import lzma

import pytest

from wheelship.debian.distribution import Suite
from wheelship.debian.errors import IndexMismatch
from wheelship.debian.index import INDEX_LIMIT_BYTES, PackageIndex, SuiteIndex, read_index
from wheelship.debian.release import IndexFile
from wheelship.testing.deb import MadeDeb, make_deb

SUITE = Suite(name="bookworm", archive="main", label="Debian", keys=())
SECURITY = Suite(name="bookworm-security", archive="security", label="Debian-Security", keys=())


def _text(*packages: MadeDeb) -> bytes:
    return "\n".join(one.paragraph for one in packages).encode()


def _read(sent: bytes, *, promised: bytes | None = None, size: int | None = None) -> SuiteIndex:
    promised = sent if promised is None else promised
    packed = IndexFile(hashlib.sha256(promised).hexdigest(), len(promised))
    unpacked = IndexFile("0" * 64, len(TEXT) if size is None else size)
    return read_index(sent, SUITE, packed, unpacked, where="Packages.xz")


TEXT = _text(
    make_deb("alpha", "1.0", fields={"Provides": "virtual (= 2), other"}),
    make_deb(
        "beta", "1:2.0-3", fields={"Depends": "alpha (>= 1) | gamma:any", "Source": "b (2.0)"}
    ),
    make_deb("beta", "1:2.0-4"),
)


def test_packages_are_found_by_name() -> None:
    index = _read(lzma.compress(TEXT))
    assert "alpha" in index
    assert "gamma" not in index
    assert list(index.names()) == ["alpha", "beta"]
    first, second = index.named("beta")
    assert (first.version, second.version) == ("1:2.0-3", "1:2.0-4")
    assert (first.source, first.source_version) == ("b", "2.0")
    assert (second.source, second.source_version) == ("beta", "1:2.0-4")
    assert [[str(one) for one in group] for group in first.depends] == [["alpha (>= 1)", "gamma"]]
    assert first.archive == "main"
    assert index.named("gamma") == []


def test_providers_are_found_by_whole_names() -> None:
    index = _read(lzma.compress(TEXT))
    assert index.providers("virtual") == {"alpha"}
    assert index.providers("other") == {"alpha"}
    assert index.providers("virt") == set()
    assert index.providers("alpha") == set()


def test_of_several_suites_the_highest_version_wins() -> None:
    old = SuiteIndex(SUITE, _text(make_deb("alpha", "1.10-1")), where="main")
    new = SuiteIndex(
        SECURITY, _text(make_deb("alpha", "1.9-1"), make_deb("alpha", "1.10-1+b1")), where="s"
    )
    index = PackageIndex([old, new])
    assert [one.version for one in index.named("alpha")] == ["1.10-1+b1", "1.10-1", "1.9-1"]
    assert index.named("alpha")[0].archive == "security"
    assert index.named("nothing") == ()


def test_an_empty_suite_is_fine() -> None:
    index = _read(lzma.compress(b""), size=0)
    assert list(index.names()) == []
    assert index.providers("x") == set()


def test_names_like_a_typing_error_are_offered() -> None:
    index = PackageIndex(
        [SuiteIndex(SUITE, _text(make_deb("libgomp1"), make_deb("zlib1g")), where="x")]
    )
    assert index.similar("libgomp") == ["libgomp1"]


@pytest.mark.parametrize(
    "data",
    [lzma.compress(TEXT)[:-4], lzma.compress(TEXT.replace(b"alpha", b"aleph")), b""],
    ids=["truncated", "changed", "empty"],
)
def test_another_file_than_promised_is_refused(data: bytes) -> None:
    with pytest.raises(IndexMismatch, match="not the one"):
        _read(data, promised=lzma.compress(TEXT))


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        (lzma.compress(TEXT), len(TEXT) - 1, "larger than promised"),
        (lzma.compress(TEXT), len(TEXT) + 1, "smaller than promised"),
        (lzma.compress(TEXT)[:-20], len(TEXT), "ends early"),
        (b"no xz at all", len(TEXT), "cannot be unpacked"),
        (lzma.compress(TEXT), INDEX_LIMIT_BYTES + 1, "bytes"),
    ],
)
def test_a_promised_file_that_lies_about_itself_is_refused(
    data: bytes, size: int, message: str
) -> None:
    with pytest.raises(IndexMismatch, match=message):
        _read(data, size=size)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = lzma.compress(bytes(64 * 1024 * 1024))
    with pytest.raises(IndexMismatch, match="larger than promised"):
        _read(bomb, size=1000)


@pytest.mark.parametrize(
    "change",
    [
        (b"SHA256: ", b"SHA1: "),
        (b"SHA256: ", b"SHA256: x"),
        (b"Size: ", b"Size: -"),
        (b"Depends: alpha", b"Depends: alpha ("),
        (b"Provides: virtual (= 2)", b"Provides: virtual <= 2>"),
        (b"Filename: ", b"Path: "),
    ],
)
def test_a_paragraph_that_cannot_be_read_is_refused(change: tuple[bytes, bytes]) -> None:
    text = TEXT.replace(*change)
    assert text != TEXT
    index = SuiteIndex(SUITE, text, where="Packages.xz")
    with pytest.raises(IndexMismatch):
        _ = [index.named(name) for name in index.names()]


def test_a_paragraph_must_begin_with_its_name() -> None:
    with pytest.raises(IndexMismatch, match="does not begin"):
        SuiteIndex(SUITE, b"Version: 1\nPackage: x\n", where="Packages.xz")


def test_two_files_of_one_version_are_refused() -> None:
    """Which one is meant would depend on their order."""
    first, second = make_deb("alpha", "1.0"), make_deb("alpha", "1.0", files={"usr/x": b"x"})
    text = _text(first, second)
    index = _read(lzma.compress(text), size=len(text))
    with pytest.raises(IndexMismatch, match=r"two different files are alpha 1\.0"):
        index.named("alpha")
    text = _text(first, first)
    assert len(_read(lzma.compress(text), size=len(text)).named("alpha")) == 1
