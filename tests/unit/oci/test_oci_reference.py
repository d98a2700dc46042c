# SPDX-License-Identifier: Apache-2.0
"""Names of images, read as Docker reads them."""

from __future__ import annotations

import pytest

from wheelship.oci.digest import Digest
from wheelship.oci.reference import InvalidReference, Reference, is_loopback

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("python", "docker.io", "library/python", None, None),
        ("python:3.11-slim", "docker.io", "library/python", "3.11-slim", None),
        ("team/app", "docker.io", "team/app", None, None),
        ("docker.io/python", "docker.io", "library/python", None, None),
        ("index.docker.io/team/app:1", "docker.io", "team/app", "1", None),
        ("registry-1.docker.io/team/app", "docker.io", "team/app", None, None),
        ("ghcr.io/Team/app".lower(), "ghcr.io", "team/app", None, None),
        ("GHCR.io/team/app", "ghcr.io", "team/app", None, None),
        ("localhost/app", "localhost", "app", None, None),
        ("localhost:5000/a/b/c:T_1.x", "localhost:5000", "a/b/c", "T_1.x", None),
        ("registry:5000/app", "registry:5000", "app", None, None),
        ("[::1]:5000/app:1", "[::1]:5000", "app", "1", None),
        (f"example.org/app@sha256:{HEX}", "example.org", "app", None, HEX),
        (f"example.org/app:1@sha256:{HEX}", "example.org", "app", "1", HEX),
        ("example.org/a__b/c--d/e.f", "example.org", "a__b/c--d/e.f", None, None),
        ("foo/bar:" + "t" * 128, "docker.io", "foo/bar", "t" * 128, None),
    ],
)
def test_names_are_read_as_docker_reads_them(
    text: str, host: str, repository: str, tag: str | None, digest: str | None
) -> None:
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)
    assert found.digest == (None if digest is None else Digest(digest))
    assert Reference.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no name of a repository"),
        ("Python", "no name of a repository"),
        ("example.org/Team/app", "no name of a repository"),
        ("example.org/", "no name of a repository"),
        ("example.org//app", "no name of a repository"),
        ("example.org/app/", "no name of a repository"),
        ("example.org/../app", "no name of a repository"),
        ("example.org/a___b", "no name of a repository"),
        ("example.org/-a", "no name of a repository"),
        ("example.org/app name", "no name of a repository"),
        ("example.org/app:", "is no tag"),
        ("example.org/app:.x", "is no tag"),
        ("example.org/app:a b", "is no tag"),
        ("example.org/app:" + "t" * 129, "is no tag"),
        ("example.org/app@sha256:12", "not a sha256 digest"),
        (f"example.org/app@sha512:{HEX}", "unsupported digest algorithm"),
        ("example.org/app@", "unsupported digest algorithm"),
        ("https://example.org/app", "is an address"),
        (HEX, "could be a digest"),
        ("example.org:99999/app", "not a port"),
        ("example.org:0/app", "not a port"),
        ("-x.example.org/app", "not a registry's host"),
        ("user@example.org/app", "unsupported digest algorithm"),
        ("example.org/" + "a/" * 125 + "a", "255 are allowed"),
        ("example.org\n/app", "not a registry's host"),
    ],
)
def test_what_is_no_name_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidReference, match=problem):
        Reference.parse(text)


def test_the_hint_can_be_pasted() -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse("example.org/Team/App:1")
    assert caught.value.hint == "use 'example.org/team/app'"
    with pytest.raises(InvalidReference) as caught:
        Reference.parse("https://example.org/app:1")
    assert caught.value.hint == "use 'example.org/app:1'"


def test_what_is_asked_for() -> None:
    plain = Reference.parse("python")
    assert plain.identifier == "latest"
    assert plain.api_host == "registry-1.docker.io"
    pinned = Reference.parse(f"example.org/app:1@sha256:{HEX}")
    assert pinned.identifier == f"sha256:{HEX}"
    assert pinned.api_host == "example.org"
    assert pinned.with_tag("2") == Reference.parse("example.org/app:2")
    assert str(plain.with_digest(Digest(HEX))) == f"docker.io/library/python@sha256:{HEX}"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("registry.localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.8.8", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("::1", True),
        ("::2", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("10.0.0.1:5000", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_by_name(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
