# SPDX-License-Identifier: Apache-2.0
"""Which mirror is used: what the user says, what apt says, the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.debian.distribution import distribution
from wheelship.debian.errors import InvalidMirror
from wheelship.debian.lock import DebianLock, LockedSuite
from wheelship.debian.mirror import Mirrors, choose_mirrors, package_urls, without_credentials
from wheelship.testing.deb import make_deb

BOOKWORM = distribution("bookworm")
DEFAULT = Mirrors(
    main="http://ftp.debian.org/debian", security="http://ftp.debian.org/debian-security"
)


@pytest.mark.parametrize(
    ("text", "main", "security"),
    [
        (
            "http://example.org/debian/",
            "http://example.org/debian",
            "http://example.org/debian-security",
        ),
        ("https://m.example/", "https://m.example/debian", "https://m.example/debian-security"),
        (
            "https://m.example/apt",
            "https://m.example/apt/debian",
            "https://m.example/apt/debian-security",
        ),
        ("https://a.example/x https://b.example/y/", "https://a.example/x", "https://b.example/y"),
    ],
)
def test_an_explicit_mirror_wins(text: str, main: str, security: str, tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://apt.example/debian bookworm main\n")
    expected = Mirrors(main=main, security=security)
    assert choose_mirrors(BOOKWORM, explicit=text, apt=tmp_path) == expected


@pytest.mark.parametrize(
    "text", ["", "ftp://x/debian", "/srv/debian", "x", "a b c", "http://", "http://["]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidMirror):
        choose_mirrors(BOOKWORM, explicit=text, apt=None)


def test_without_apt_the_default_is_used(tmp_path: Path) -> None:
    assert choose_mirrors(BOOKWORM, explicit=None, apt=None) == DEFAULT
    assert choose_mirrors(BOOKWORM, explicit=None, apt=tmp_path / "missing") == DEFAULT
    assert choose_mirrors(BOOKWORM, explicit=None, apt=tmp_path) == DEFAULT


def _from_apt(directory: Path, **files: str) -> Mirrors:
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return choose_mirrors(BOOKWORM, explicit=None, apt=directory)


DEB822 = """\
# comment: with a colon
Types: deb deb-src
URIs: http://one.example/debian/ http://two.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://sec.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def test_deb822_sources_are_read(tmp_path: Path) -> None:
    found = _from_apt(tmp_path, sources_list_d__debian_sources=DEB822)
    assert found == Mirrors(
        main="http://one.example/debian", security="http://sec.example/debian-security"
    )


def test_one_line_sources_are_read(tmp_path: Path) -> None:
    text = """\
# deb http://commented.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/x/debian-archive-keyring.gpg] http://one.example/debian/ bookworm main
deb http://sec.example/debian-security/ bookworm-security main
"""
    assert _from_apt(tmp_path, sources_list=text) == Mirrors(
        main="http://one.example/debian", security="http://sec.example/debian-security"
    )


@pytest.mark.parametrize(
    "text",
    [
        "deb http://x.example/debian stable main\n",
        "deb http://x.example/debian bookworm contrib\n",
        "deb http://x.example/debian bookworm-backports main\n",
        "deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://x.example/debian bookworm main\n",
        "deb [trusted=yes] file:/srv/debian bookworm main\n",
        "deb mirror+http://x.example/list bookworm main\n",
        "deb http://x.example/debian\n",
        "deb http://[x/debian bookworm main\n",
        "\x00\xff\n",
    ],
)
def test_other_sources_do_not_count(text: str, tmp_path: Path) -> None:
    assert _from_apt(tmp_path, sources_list=text) == DEFAULT


def test_other_vendors_that_use_debians_names_lose(tmp_path: Path) -> None:
    text = """\
deb http://aaa.example/vendor bookworm main
deb http://good.example/debian bookworm main
"""
    assert _from_apt(tmp_path, sources_list=text).main == "http://good.example/debian"
    signed = "deb [signed-by=/x/debian-archive-keyring.gpg] http://own.example/x bookworm main #\n"
    found = _from_apt(tmp_path, sources_list=text + signed)
    assert found.main == "http://own.example/x"


def test_a_mirror_of_another_release_serves_where_there_is_none_of_its_own(tmp_path: Path) -> None:
    other = "deb http://other.example/debian trixie main\n"
    assert _from_apt(tmp_path, sources_list=other) == Mirrors(
        main="http://other.example/debian", security="http://other.example/debian-security"
    )
    own = "deb http://own.example/debian bookworm main\n"
    assert _from_apt(tmp_path, sources_list=other + own).main == "http://own.example/debian"


def test_disabled_sources_do_not_count(tmp_path: Path) -> None:
    disabled = DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n")
    found = _from_apt(tmp_path, sources_list_d__debian_sources=disabled)
    assert found.main == "http://one.example/debian"
    assert found.security == "http://one.example/debian-security", "the sibling of main"


def test_a_missing_half_is_filled_in(tmp_path: Path) -> None:
    only = "deb http://sec.example/debian-security bookworm-security main\n"
    found = _from_apt(tmp_path, sources_list=only)
    assert found == Mirrors(main=DEFAULT.main, security="http://sec.example/debian-security")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sources_list_d__x_sources": DEB822}, True),
        ({"sources_list_d__x_sources": DEB822 + "Check-Valid-Until: no\n"}, False),
        (
            {"sources_list": "deb [check-valid-until=no] http://x.example/debian bookworm main\n"},
            False,
        ),
        (
            {
                "sources_list_d__x_sources": DEB822,
                "apt_conf_d__99x": 'Acquire::Check-Valid-Until "false";\n',
            },
            False,
        ),
        (
            {
                "sources_list_d__x_sources": DEB822,
                "apt_conf_d__99x": '// Acquire::Check-Valid-Until "false";\n',
            },
            True,
        ),
    ],
)
def test_apts_own_word_on_old_archives_is_kept(
    files: dict[str, str], expected: object, tmp_path: Path
) -> None:
    assert _from_apt(tmp_path, **files).dated is expected


def test_files_that_cannot_be_read_are_apts_business(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d" / "directory.list").mkdir(parents=True)
    assert _from_apt(tmp_path, sources_list_d__z_sources=DEB822).main == "http://one.example/debian"


def test_a_package_is_looked_for_at_the_mirror_then_in_the_past() -> None:
    package = make_deb("libc6", "1:2.36-9").locked()
    lock = DebianLock(
        release="bookworm",
        architecture="amd64",
        suites=(
            LockedSuite(name="bookworm", archive="main", date="2026-07-11T10:16:37Z"),
            LockedSuite(name="bookworm-updates", archive="main", date="2026-11-22T02:09:05Z"),
            LockedSuite(name="bookworm-security", archive="security", date="2026-11-23T00:00:00Z"),
        ),
        packages=(package,),
    )
    assert package_urls(package, lock, DEFAULT) == (
        "http://ftp.debian.org/debian/pool/main/libc6_1%3a2.36-9_amd64.deb",
        "http://snapshot.debian.org/archive/debian/20261122T020905Z/" + package.filename,
    )


def test_credentials_are_taken_out() -> None:
    assert without_credentials("https://user:secret@x.example:8080/debian") == (
        "https://x.example:8080/debian"
    )
