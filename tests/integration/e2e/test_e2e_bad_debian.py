# SPDX-License-Identifier: Apache-2.0
"""Debian packages that must not be used, and mirrors that send something else than Debian signed.

The mirror of the marked tests is the one of this machine's apt, passed on through a server on
loopback that changes one byte of one file.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.debian.distribution import distribution
from wheelship.debian.mirror import choose_mirrors
from wheelship.testing.deb import MadeDeb, make_deb
from wheelship.testing.index import Fault

ARCHITECTURE = native_platform().architecture
XZ = b"\xfd7zXZ\0"
SCRIPT = "#!/bin/sh\nset -e\ninstall -d /var/lib/odd\n"

Fetch = Callable[[str], bytes]
Relay = Callable[..., None]


def package(name: str, **how: Any) -> MadeDeb:
    return make_deb(name, architecture=ARCHITECTURE, files={f"usr/share/{name}/x": b"x"}, **how)


# --- packages ---


def test_a_script_that_nobody_has_read_is_shown_and_stops_the_build(site: Any) -> None:
    site.project("alpha", table='system-packages = ["odd"]')
    site.base(package("odd", scripts={"postinst": SCRIPT}))
    site.lock()
    error = site.refuse(
        *("build", str(site.root)),
        code="unknown-maintainer-script",
        status=3,
        says=["odd, postinst", "| install -d /var/lib/odd", "system-packages"],
    )
    waiver = error["hint"].splitlines()[-1]
    assert waiver.startswith("waive-scripts = ")
    site.project("alpha", table=f'system-packages = ["odd"]\n{waiver}')
    assert any(
        one["name"] == "odd" for layer in site.build()["layers"] for one in layer["packages"]
    )


def test_a_shell_that_came_along_stops_the_build(site: Any) -> None:
    shell = make_deb("sash", architecture=ARCHITECTURE, files={"usr/bin/dash": b"x"})
    site.project("alpha", table='system-packages = ["odd"]')
    site.base(package("odd"), shell)
    lock = site.root / "wheelship.lock"
    text = lock.read_text()
    at = text.index('"name": "sash"')
    lock.write_text(text[:at] + text[at:].replace('"requested": true', '"requested": false', 1))
    site.lock()
    site.refuse(
        *("build", str(site.root)),
        code="unexpected-shell",
        status=3,
        says=["/usr/bin/dash", "sash"],
    )


def test_a_package_that_is_not_the_locked_one_is_not_unpacked(site: Any) -> None:
    site.lock()
    name = "/debian/pool/main/base-files_1.0-1_" + ARCHITECTURE + ".deb"
    body = site.index.documents[name]
    site.index.documents[name] = body[:-1] + bytes([body[-1] ^ 1])
    site.refuse(
        *("build", str(site.root)),
        code="download-hash-mismatch",
        status=4,
        says=["base-files_1.0-1", "expected sha256"],
    )
    site.index.documents[name] = body
    site.build()


def test_a_package_that_the_mirror_dropped_is_looked_for_in_the_snapshots(site: Any) -> None:
    """Mirrors drop a version as soon as there is a newer one; a lock keeps naming it."""
    site.lock()
    name = f"pool/main/base-files_1.0-1_{ARCHITECTURE}.deb"
    body = site.index.documents.pop(f"/debian/{name}")
    snapshot = f"http://snapshot.debian.org/archive/debian/20260701T000000Z/{name}"
    error = site.refuse(
        *("build", str(site.root)), code="http-status", status=4, says=[f"/debian/{name}", "404"]
    )
    assert error["hint"].endswith("wheelship lock --upgrade")
    site.index.documents[snapshot] = body  # this server stands in for every other address
    site.build()
    assert site.index.paths().count(snapshot) == 2


def test_a_package_that_breaks_off_once_is_fetched_again(site: Any) -> None:
    site.lock()
    site.index.faults.append(Fault(path=".deb", truncate=50))
    site.build()
    assert site.index.faults == []


# --- mirrors ---


@pytest.fixture(scope="session")
def debian(missing: Callable[[str], None]) -> Fetch:
    """Fetch a path of the mirror that this machine's apt uses; each is fetched once."""
    mirrors = choose_mirrors(distribution("bookworm"), explicit=None, apt=Path("/etc/apt"))
    opener = urllib.request.build_opener()  # reads the proxies now, before a test sets its own
    roots = {"debian": mirrors.main, "debian-security": mirrors.security}
    found: dict[str, bytes] = {}

    def fetch(path: str) -> bytes:
        if path not in found:
            root, _, rest = path.lstrip("/").partition("/")
            with opener.open(f"{roots[root]}/{rest}", timeout=60) as response:
                found[path] = response.read()
        return found[path]

    try:
        fetch("/debian/dists/bookworm/InRelease")
    except OSError as error:
        missing(f"no Debian mirror can be reached: {error}")
    return fetch


@pytest.fixture
def relay(debian: Fetch, shell: Any, site: Any) -> Relay:
    """Make the site's mirror a real one, except for the path with an ending, which is changed."""
    site.lock()  # of the wheels; the base's is to be made
    (site.root / "wheelship.lock").unlink()
    site.index.documents.clear()
    shell.fill(site.store)
    own = site.index.content

    def pass_on(ending: str = "", change: Callable[[bytes], bytes] = lambda body: body) -> None:
        def content(path: str, accept: str) -> tuple[str, bytes] | None:
            if not path.startswith(("/debian/", "/debian-security/")):
                return own(path, accept)
            body = debian(path)
            return "application/octet-stream", change(body) if path.endswith(ending) else body

        site.index.content = content

    return pass_on


def flip_middle(body: bytes) -> bytes:
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def flip_early(body: bytes) -> bytes:
    """Change the signed text, not the signature."""
    return body.replace(b"Origin: Debian", b"Origin: Debiam", 1)


@pytest.mark.integration
def test_the_mirror_is_good_as_long_as_nothing_is_changed(site: Any, relay: Relay) -> None:
    relay()
    site.lock()
    assert "python3.11-minimal" in (site.root / "wheelship.lock").read_text()
    assert not [path for path in site.index.paths() if path.startswith("http")]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("ending", "change", "code", "says"),
    [
        ("/bookworm/InRelease", flip_early, "archive-untrusted", "dists/bookworm/InRelease"),
        (
            "/bookworm-security/InRelease",
            flip_middle,
            "archive-untrusted",
            "dists/bookworm-security/InRelease",
        ),
        (
            "/bookworm-updates/InRelease",
            lambda body: body[: len(body) // 2],
            "archive-untrusted",
            "dists/bookworm-updates/InRelease",
        ),
        (
            "/bookworm/InRelease",
            lambda body: body + b"\nmore\n",
            "archive-untrusted",
            "dists/bookworm/InRelease",
        ),
    ],
    ids=["one-letter", "one-bit", "half", "more"],
)
def test_a_release_file_that_was_changed_is_not_believed(
    site: Any,
    relay: Relay,
    ending: str,
    change: Callable[[bytes], bytes],
    code: str,
    says: str,
) -> None:
    relay(ending, change)
    site.refuse("lock", str(site.root), code=code, status=4, says=[says])


@pytest.mark.integration
def test_the_release_file_of_another_suite_is_not_believed(
    site: Any, relay: Relay, debian: Fetch
) -> None:
    other = debian("/debian/dists/bookworm-updates/InRelease")
    relay("/bookworm/InRelease", lambda _: other)
    site.refuse(
        *("lock", str(site.root)), code="release-mismatch", status=4, says=["bookworm", "InRelease"]
    )


@pytest.mark.integration
def test_a_release_file_older_than_the_locked_one_is_refused(site: Any, relay: Relay) -> None:
    """Debian's own, validly signed: only the lock tells that there was a newer one."""
    relay()
    site.lock()
    path = site.root / "wheelship.lock"
    document = json.loads(path.read_text())
    for suite in document["debian"][0]["suites"]:
        suite["date"] = "2099-01-01T00:00:00Z"
    path.write_text(json.dumps(document))
    error = site.refuse(
        *("lock", str(site.root), "--upgrade"),
        code="release-expired",
        status=4,
        says=["bookworm", "older than 2099-01-01T00:00:00Z"],
    )
    assert "remove wheelship.lock" in error["hint"]
    path.unlink()
    site.lock()
    assert path.exists()


@pytest.mark.integration
def test_a_package_index_that_was_changed_is_not_believed(site: Any, relay: Relay) -> None:
    relay("", lambda body: flip_middle(body) if body.startswith(XZ) else body)
    site.refuse(
        *("lock", str(site.root)), code="index-mismatch", status=4, says=["Packages.xz", "bookworm"]
    )


@pytest.mark.integration
def test_a_real_package_that_was_changed_is_not_unpacked(
    site: Any, relay: Relay, shell: Any
) -> None:
    relay()
    site.lock()
    (lock,) = json.loads((site.root / "wheelship.lock").read_text())["debian"]
    (tzdata,) = (one for one in lock["packages"] if one["name"] == "tzdata")
    (site.store / "downloads" / tzdata["sha256"]).unlink(missing_ok=True)
    relay(tzdata["filename"], flip_middle)
    site.refuse(
        *("build", str(site.root)), code="download-hash-mismatch", status=4, says=["tzdata"]
    )
    assert not (site.store / "downloads" / tzdata["sha256"]).exists()
    relay()
    site.build()
    assert (site.store / "downloads" / tzdata["sha256"]).exists()
    shell.keep(site.store)
