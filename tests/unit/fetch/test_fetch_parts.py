# SPDX-License-Identifier: Apache-2.0
"""Credentials, addresses, certificates and local files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wheelship.fetch.connection import _is_direct
from wheelship.fetch.credentials import Credentials
from wheelship.fetch.errors import FileMismatch, InsecureRedirect, InvalidNetrc, MissingFile
from wheelship.fetch.file import file_sha256, verify_file
from wheelship.fetch.retry import Policy, Retrier
from wheelship.fetch.tls import system_context
from wheelship.fetch.transport import _redirected
from wheelship.fetch.url import display_url, url_filename, without_credentials


def test_credentials_come_from_the_most_similar_address() -> None:
    find = Credentials(
        urls=[
            "https://example.org/simple",
            "https://one:p%40ss@example.org/team-one/simple",
            "https://two:pw@example.org/team-two/simple",
        ]
    )
    assert find("https://example.org/team-two/files/x.whl") == ("two", "pw")
    assert find("https://example.org/team-one/files/x.whl") == ("one", "p@ss")
    assert find("https://example.org:443/team-one/") == ("one", "p@ss")
    assert find("https://other.example.org/team-one/") is None
    assert find("http://example.org/team-one/") is None


def test_netrc_is_asked_for_other_hosts(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.org login me password word\n")
    find = Credentials(urls=["https://a:b@index.example.org/"], netrc=netrc)
    assert find("https://example.org/x") == ("me", "word")
    assert find("https://index.example.org/x") == ("a", "b")
    assert find("https://elsewhere.example.org/x") is None
    netrc.write_text("default login any password body\n")
    assert Credentials(netrc=netrc)("https://elsewhere.example.org/") == ("any", "body")
    assert Credentials(netrc=tmp_path / "none")("https://example.org/") is None


def test_malformed_netrc_is_named_with_its_line(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.org login me password word\nnonsense here\n")
    with pytest.raises(InvalidNetrc) as caught:
        Credentials(netrc=netrc)
    assert caught.value.where == f"{netrc}:2"
    netrc.write_bytes(b"machine \xff\xfe")
    with pytest.raises(InvalidNetrc):
        Credentials(netrc=netrc)


def test_shown_address_holds_nothing_private() -> None:
    shown = display_url("https://me:word@example.org:8443/a/b%2Bc.whl?X-Signature=abc#sha256=1")
    assert shown == "https://example.org:8443/a/b%2Bc.whl?…"
    assert display_url("http://[/") == "<malformed address>"
    assert (
        without_credentials("https://me:word@example.org/a?b=c#d") == "https://example.org/a?b=c#d"
    )
    assert (
        url_filename("https://example.org/a/torch-2.13.0%2Bcpu.whl?x=1") == "torch-2.13.0+cpu.whl"
    )


def test_redirect_must_not_lose_the_protection() -> None:
    with pytest.raises(InsecureRedirect, match=r"http://example\.org/b, which is not protected"):
        _redirected("https://example.org/a", 302, "http://example.org/b")
    assert _redirected("https://example.org/a/b", 302, "../c") == "https://example.org/c"
    assert _redirected("http://example.org/a", 302, "https://example.org/a") == (
        "https://example.org/a"
    )


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("", False),
        ("*", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("index.example.org:8443", True),
        ("index.example.org:8444", False),
        ("ample.org", False),
        ("a.example.net, Example.ORG", True),
    ],
)
def test_hosts_without_a_proxy(no_proxy: str, *, direct: bool) -> None:
    assert _is_direct("index.example.org", 8443, no_proxy) is direct


def test_certificates_of_the_system_or_the_user(tmp_path: Path) -> None:
    assert system_context().check_hostname
    with pytest.raises(MissingFile) as caught:
        system_context(cert_file=str(tmp_path / "none.pem"))
    assert caught.value.where == str(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(MissingFile):
        system_context(cert_file=str(tmp_path / "empty.pem"))


def test_waits_grow_and_are_spread() -> None:
    waits = [
        Retrier(Policy(), chance=lambda value=value: value)._delay(failures, _failure())
        for value in (0.0, 1.0)
        for failures in (1, 2, 3, 9)
    ]
    assert waits == [0.25, 0.5, 1.0, 5.0, 0.5, 1.0, 2.0, 10.0]


def _failure() -> object:
    from wheelship.fetch.errors import Transient

    return Transient("no answer")


def test_file_is_held_against_its_promise(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"right")
    right = hashlib.sha256(b"right").hexdigest()
    verify_file(path, sha256=right, size_bytes=5)
    verify_file(path, sha256=right)
    assert file_sha256(path) == right
    with pytest.raises(FileMismatch, match="has 5 bytes, promised were 6"):
        verify_file(path, sha256=right, size_bytes=6)
    path.write_bytes(b"wrong")
    with pytest.raises(FileMismatch, match=right):
        verify_file(path, sha256=right, size_bytes=5)
    path.unlink()
    with pytest.raises(MissingFile):
        verify_file(path, sha256=right)
    with pytest.raises(MissingFile):
        file_sha256(tmp_path)
