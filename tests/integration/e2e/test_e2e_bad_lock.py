# SPDX-License-Identifier: Apache-2.0
"""What cannot be locked, and locks that are missing, stale, damaged or edited by hand."""

from __future__ import annotations

import io
import os
import re
import tarfile
from typing import Any

import pytest

from wheelship.testing.index import Fault
from wheelship.testing.wheel import make_wheel

WHEEL = "alpha-1.0-py3-none-any.whl"


def make_sdist(name: str) -> bytes:
    buffer = io.BytesIO()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, data in (("PKG-INFO", text), ("setup.py", b"raise SystemExit('I was run')\n")):
            header = tarfile.TarInfo(f"{name}-1.0/{member}")
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


# --- what cannot be locked ---


@pytest.mark.parametrize("command", ["lock", "build"])
def test_requirements_that_contradict_each_other_are_named(site: Any, command: str) -> None:
    site.serve(make_wheel("beta", "2.0"), make_wheel("alpha", requires=["beta<1"]))
    site.project("alpha", "beta>=1")
    site.refuse(
        *(command, str(site.root)),
        code="unresolvable",
        status=3,
        says=["alpha depend on beta<1", "demo depends on beta>=1", "Python 3.11"],
    )


def test_a_package_that_nobody_has_is_named(site: Any) -> None:
    site.project("alpha", "nowhere")
    site.refuse(
        *("build", str(site.root)),
        code="unresolvable",
        status=3,
        says=["nowhere was not found"],
    )


def test_a_package_without_wheels_is_not_built_where_that_is_forbidden(site: Any) -> None:
    (site.index.files / "gamma-1.0.tar.gz").write_bytes(make_sdist("gamma"))
    site.project("alpha", "gamma", table="sdist = false")
    error = site.refuse(
        *("build", str(site.root)),
        code="sdist-only",
        status=3,
        says=["gamma (required by demo)", "only source", "Python 3.11"],
    )
    assert "pip wheel --no-deps" in error["hint"]
    assert "find-links" in error["hint"]
    assert not [path for path in site.index.paths() if path.endswith(".tar.gz")]


def test_the_fix_for_a_package_without_wheels_works(site: Any) -> None:
    """A wheel in a directory of the project, as the hint says."""
    (site.index.files / "gamma-1.0.tar.gz").write_bytes(make_sdist("gamma"))
    (site.root / "wheels").mkdir()
    make_wheel("gamma").write(site.root / "wheels")
    site.project("alpha", "gamma", table='find-links = ["wheels"]')
    packages = [one["name"] for layer in site.build()["layers"] for one in layer["packages"]]
    assert "gamma" in packages


def test_a_package_with_wheels_for_others_only_is_named(site: Any) -> None:
    site.serve(make_wheel("gamma", tag="cp311-cp311-win_amd64"))
    site.project("alpha", "gamma")
    site.refuse(
        *("build", str(site.root)),
        code="unresolvable",
        status=3,
        says=["gamma", "linux/", "win_amd64"],
    )


def test_an_index_that_does_not_answer_is_named(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    site.index.faults.append(Fault(path="/simple/alpha/", times=99, status=503))
    site.refuse(
        *("lock", str(site.root)),
        code="index-unreachable",
        status=4,
        says=[f"{site.index.simple_url}/alpha/"],
    )


def test_an_index_that_wants_credentials_says_where_to_put_them(site: Any) -> None:
    site.index.login = ("me", "secret")
    error = site.refuse(
        *("lock", str(site.root)),
        code="index-unauthorized",
        status=4,
        says=[f"({site.index.simple_url})", "alpha"],
    )
    assert "netrc" in error["hint"]


def test_the_hashes_of_an_index_that_tells_none_are_found_out(site: Any) -> None:
    site.index.hashes = False
    site.lock()
    assert re.search(r'sha256 = "[0-9a-f]{64}"', (site.root / "pylock.cpu.toml").read_text())
    assert site.build()["lock"] == "unchanged"


@pytest.mark.parametrize(("name", "value"), [("UV_NO_CONFIG", "1"), ("UV_CONFIG_FILE", os.devnull)])
def test_settings_of_uv_do_not_undo_those_of_the_project(
    site: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv(name, value)
    site.lock()
    assert site.index.simple_url in (site.root / "pylock.cpu.toml").read_text()


# --- locks that are missing or stale ---


@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_without_a_lock_nothing_is_built_from_one(site: Any, option: str) -> None:
    error = site.refuse(
        *("build", str(site.root), option),
        code="missing-lock",
        status=3,
        says=["pylock.cpu.toml"],
    )
    assert error["hint"] == "wheelship lock"
    assert site.index.received == []


@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_a_lock_that_fits_is_enough(site: Any, option: str) -> None:
    site.lock()
    kept = "unchanged" if option == "--locked" else "not looked at"
    assert site.build(option)["lock"] == kept


def test_a_stale_lock_fails_with_the_difference(site: Any) -> None:
    site.lock()
    site.serve(make_wheel("beta"))
    site.project("alpha>=1", "beta")
    site.refuse(
        *("build", str(site.root), "--locked"),
        code="lock-out-of-date",
        status=3,
        says=["pylock.cpu.toml", "+ alpha>=1", "+ beta", "- alpha"],
    )
    packages = [
        one["name"] for layer in site.build("--frozen")["layers"] for one in layer["packages"]
    ]
    assert "beta" not in packages, "--frozen takes the lock as it stands"
    assert site.build()["lock"] == "wrote pylock.cpu.toml"
    assert site.build("--locked")["lock"] == "unchanged"


@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_a_missing_base_lock_fails_too(site: Any, option: str) -> None:
    site.lock()
    (site.root / "wheelship.lock").unlink()
    site.refuse(
        *("build", str(site.root), option),
        code="lock-out-of-date",
        status=3,
        says=["wheelship.lock", "no base of bookworm"],
    )


def test_a_lock_that_gained_a_system_package_is_stale(site: Any) -> None:
    site.lock()
    site.project("alpha", table='system-packages = ["libfoo1"]')
    site.refuse(
        *("build", str(site.root), "--locked"),
        code="lock-out-of-date",
        status=3,
        says=["wheelship.lock", "libfoo1"],
    )


# --- locks edited by hand ---


def edit(site: Any, name: str, pattern: str, replacement: str) -> None:
    path = site.root / name
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{pattern} is not in the lock"
    path.write_text(text)


@pytest.mark.parametrize(
    ("pattern", "replacement", "code", "says"),
    [
        (r"hashes = \{ sha256 = \"\w+\" \}", "hashes = {}", "missing-hash", ["alpha"]),
        (r", hashes = \{ sha256 = \"\w+\" \}", "", "missing-hash", ["alpha"]),
        ("sha256 =", "md5 =", "missing-hash", [WHEEL, "md5"]),
        (r'sha256 = "\w{9}', 'sha256 = "../../x', "invalid-lock", [WHEEL, "../../x"]),
        ('version = "1.0"\nwheels', 'version = "2.0"\nwheels', "invalid-lock", [WHEEL]),
        (r'url = "http://[^"]+/', 'url = "ftp://example.org/', "invalid-lock", ["ftp://"]),
        (r"\[\[packages\]\]", "[[packages", "invalid-lock", ["TOML"]),
        (r"(?s).*", "\x00", "invalid-lock", ["TOML"]),
    ],
)
@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_a_lock_that_cannot_be_trusted_is_refused(
    site: Any, pattern: str, replacement: str, code: str, says: list[str], option: str
) -> None:
    site.lock()
    edit(site, "pylock.cpu.toml", pattern, replacement)
    asked = len(site.index.received)
    site.refuse(
        *("build", str(site.root), option),
        code=code,
        status=3,
        says=["pylock.cpu.toml", *says],
    )
    assert len(site.index.received) == asked, "nothing is fetched by a lock like that"


def test_a_wheel_that_is_not_the_locked_one_never_gets_in(site: Any) -> None:
    site.lock()
    edit(site, "pylock.cpu.toml", r'sha256 = "\w+"', f'sha256 = "{"0" * 64}"')
    error = site.refuse(
        *("build", str(site.root), "--locked"),
        code="download-hash-mismatch",
        status=4,
        says=[WHEEL, "expected sha256 000", site.index.url],
    )
    assert "wheelship lock" in error["hint"]
    assert not list(site.store.glob(f"downloads/{'0' * 64}*"))


@pytest.mark.parametrize(
    ("edited", "code", "says"),
    [
        ("{", "invalid-lock-file", ["wheelship.lock"]),
        ('{"version": 2}', "invalid-lock-file", ["wheelship.lock", "version"]),
        ('{"version": 1, "debian": [{"release": "../etc"}]}', "invalid-debian-lock", ["debian"]),
    ],
)
def test_a_damaged_base_lock_is_refused(site: Any, edited: str, code: str, says: list[str]) -> None:
    site.lock()
    (site.root / "wheelship.lock").write_text(edited)
    site.refuse(*("build", str(site.root)), code=code, status=3, says=says)


def test_a_base_lock_that_climbs_out_of_the_pool_is_refused(site: Any) -> None:
    site.lock()
    edit(site, "wheelship.lock", r'"filename": "[^"]+"', '"filename": "pool/../../etc/x.deb"')
    site.refuse(*("build", str(site.root)), code="invalid-debian-lock", status=3, says=["filename"])


# --- without the network ---


def test_offline_with_an_empty_store_says_what_is_missing(site: Any) -> None:
    site.refuse(*("lock", str(site.root), "--offline"), code="offline", status=4, says=["alpha"])
    site.lock()
    asked = len(site.index.received)
    error = site.refuse(
        *("build", str(site.root), "--offline"), code="offline", status=4, says=[site.index.url]
    )
    assert "--offline" in error["hint"]
    assert len(site.index.received) == asked
    first = site.build()
    assert site.build("--offline")["digest"] == first["digest"]


def test_offline_the_base_cannot_be_chosen_anew(site: Any) -> None:
    site.build()
    (site.root / "wheelship.lock").unlink()
    site.refuse(
        *("build", str(site.root), "--offline"),
        code="offline",
        status=4,
        says=["dists/bookworm/InRelease"],
    )
