# SPDX-License-Identifier: Apache-2.0
"""Resolution over a signed archive: what is chosen, and what is refused on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from wheelship.debian.distribution import Cut
from wheelship.debian.errors import (
    ArchiveUntrusted,
    ConflictingPackages,
    IndexMismatch,
    ReleaseExpired,
    ReleaseMismatch,
    UnknownPackage,
    UnsatisfiedDependency,
)
from wheelship.debian.lock import DebianLock
from wheelship.debian.mirror import Mirrors
from wheelship.debian.resolve import Flavour, resolve
from wheelship.errors import NetworkError
from wheelship.events import Event, Finished, Started, Warned, discard
from wheelship.testing.deb import DATE, DebArchive, MadeDeb, make_deb

MIRRORS = Mirrors(main=DebArchive.MAIN, security=DebArchive.SECURITY)
SUITES = ("bookworm", "bookworm-updates", "bookworm-security")


def _deb(name: str, version: str = "1", **fields: str) -> MadeDeb:
    fields = {key.replace("_", "-"): value for key, value in fields.items()}
    return make_deb(name, version, fields=fields)


def _archive(*main: MadeDeb, security: tuple[MadeDeb, ...] = ()) -> DebArchive:
    return DebArchive(suites=dict(zip(SUITES, (list(main), [], list(security)), strict=True)))


def _resolve(
    archive: DebArchive,
    seeds: tuple[str, ...] = ("root",),
    system: tuple[str, ...] = (),
    *,
    cuts: tuple[Cut, ...] = (),
    mirrors: Mirrors = MIRRORS,
    flavour: Flavour = "debian",
    keep: DebianLock | None = None,
    emit: Callable[[Event], None] = discard,
    seen: dict[str, str] | None = None,
) -> DebianLock:
    return resolve(
        archive.distribution(seeds, cuts, debug=("tools",)),
        "amd64",
        system,
        mirrors,
        archive.fetch,
        DATE,
        emit,
        flavour=flavour,
        keep=keep,
        keyring=archive.keyring,
        seen=seen,
    )


def _chosen(lock: DebianLock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages}


def test_the_closure_is_locked_with_hashes_sizes_and_suites() -> None:
    root = _deb("root", Depends="library (>= 1)", Pre_Depends="first")
    archive = _archive(root, _deb("library", "1.5"), _deb("first"), _deb("unrelated"))
    events: list[Event] = []
    lock = _resolve(archive, emit=events.append)
    assert _chosen(lock) == {"first": "1", "library": "1.5", "root": "1"}
    package = lock.packages[2]
    assert (package.filename, package.size_bytes) == (root.filename, len(root.data))
    assert package == root.locked()
    assert [(suite.name, suite.archive, suite.date) for suite in lock.suites] == [
        ("bookworm", "main", "2026-07-01T12:00:00Z"),
        ("bookworm-updates", "main", "2026-07-01T12:00:00Z"),
        ("bookworm-security", "security", "2026-07-01T12:00:00Z"),
    ]
    assert events[0] == Started("resolve", "debian bookworm amd64")
    assert isinstance(events[-1], Finished)


def test_two_runs_give_the_same_lock() -> None:
    archive = _archive(
        _deb("root", Depends="aa | bb, mail"), _deb("bb"), _deb("xx", Provides="mail")
    )
    assert _resolve(archive).to_json() == _resolve(archive).to_json()


def test_the_highest_version_of_all_suites_wins() -> None:
    archive = _archive(_deb("root", "1.9"), security=(_deb("root", "1.10"),))
    lock = _resolve(archive)
    assert _chosen(lock) == {"root": "1.10"}
    assert lock.packages[0].archive == "security"


@pytest.mark.parametrize(
    ("depends", "offered", "expected"),
    [
        ("aa | bb", ("aa", "bb"), {"aa"}),
        ("missing | bb", ("aa", "bb"), {"bb"}),
        ("aa | bb, bb", ("aa", "bb"), {"aa", "bb"}),
        ("bb, aa | bb", ("aa", "bb"), {"bb"}),
        ("aa (>= 2) | bb", ("aa", "bb"), {"bb"}),
        ("virtual", ("provider-z", "provider-a"), {"provider-a"}),
        ("virtual, provider-z", ("provider-z", "provider-a"), {"provider-a", "provider-z"}),
        ("provider-z, virtual", ("provider-z", "provider-a"), {"provider-z"}),
        ("virtual (>= 1)", ("provider-a", "versioned"), {"versioned"}),
        ("missing | virtual", ("provider-a",), {"provider-a"}),
        ("self", (), set()),
    ],
)
def test_alternatives_and_virtual_packages(
    depends: str, offered: tuple[str, ...], expected: set[str]
) -> None:
    provides = {"versioned": "virtual (= 1.5)", "provider-a": "virtual", "provider-z": "virtual"}
    packages = [
        _deb(name, Provides=provides[name]) if name in provides else _deb(name) for name in offered
    ]
    archive = _archive(_deb("root", Depends=depends, Provides="self"), *packages)
    assert set(_chosen(_resolve(archive))) == expected | {"root"}


def test_cut_edges_are_not_followed() -> None:
    archive = _archive(
        _deb("root", Depends="dpkg (>= 1) | installer, library"),
        _deb("library", Depends="awk"),
        _deb("dpkg"),
        _deb("awk"),
    )
    everywhere = Cut(None, "dpkg", "x")
    cut = _resolve(archive, cuts=(everywhere, Cut("library", "awk", "x")))
    assert set(_chosen(cut)) == {"root", "library"}
    other = _resolve(archive, cuts=(everywhere, Cut("root", "awk", "x")))
    assert set(_chosen(other)) == {"root", "library", "awk"}


def test_system_packages_do_not_change_the_base() -> None:
    archive = _archive(
        _deb("root", Depends="aa | bb"),
        _deb("aa"),
        _deb("bb"),
        _deb("extra", Depends="bb, cc"),
        _deb("cc"),
    )
    base = _resolve(archive)
    lock = _resolve(archive, system=("extra",))
    assert [one for one in lock.packages if one.group == "base"] == list(base.packages)
    system = {one.name: one.requested for one in lock.packages if one.group == "system"}
    assert system == {"bb": False, "cc": False, "extra": True}
    assert lock.requested == ("extra",)


def test_a_package_of_the_base_can_be_asked_for_too() -> None:
    lock = _resolve(_archive(_deb("root")), system=("root",))
    assert lock.requested == ("root",)
    assert lock.packages[0].group == "base"


def test_the_debugging_flavour_adds_its_tools() -> None:
    archive = _archive(_deb("root"), _deb("tools"))
    assert set(_chosen(_resolve(archive))) == {"root"}
    lock = _resolve(archive, flavour="debian-debug")
    assert [(one.name, one.group, one.requested) for one in lock.packages] == [
        ("root", "base", False),
        ("tools", "system", True),
    ]


@pytest.mark.parametrize(
    ("depends", "message"),
    [
        ("gone", "library depends on gone, which is not there"),
        ("root (>= 2)", r"library depends on root \(>= 2\), which cannot be had beside version 1"),
    ],
)
def test_what_cannot_be_had_is_named_with_the_chain_to_it(depends: str, message: str) -> None:
    archive = _archive(_deb("root", Depends="library"), _deb("library", Depends=depends))
    with pytest.raises(UnsatisfiedDependency, match=message) as caught:
        _resolve(archive)
    assert caught.value.where == "library <- root"


def test_packages_that_exclude_each_other_are_refused() -> None:
    archive = _archive(
        _deb("root", Depends="old"), _deb("old", "1", Breaks="new (<< 3)"), _deb("new", "2")
    )
    with pytest.raises(ConflictingPackages, match=r"old conflicts with new \(<< 3\)") as caught:
        _resolve(archive, system=("new",))
    assert caught.value.where == "old <- root; new"
    archive.suites["bookworm"][2] = _deb("new", "3")
    assert set(_chosen(_resolve(archive, system=("new",)))) == {"root", "old", "new"}


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    archive = _archive(_deb("root", Provides="mail", Conflicts="mail"))
    assert set(_chosen(_resolve(archive))) == {"root"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("libgomp", "did you mean libgomp1?"),
        ("virtual", "virtual is a virtual package: ask for one of root"),
        ("libgomp1=1.0", "names only"),
        ("Lib", "names only"),
        ("../x", "names only"),
    ],
)
def test_an_unknown_system_package_gets_a_hint(name: str, hint: str) -> None:
    archive = _archive(_deb("root", Provides="virtual"), _deb("libgomp1"))
    with pytest.raises(UnknownPackage) as caught:
        _resolve(archive, system=(name,))
    assert hint in (caught.value.hint or "")


def test_a_lock_is_kept_while_the_archive_has_its_packages() -> None:
    old = _archive(_deb("root", Depends="library"), _deb("library", "1"))
    lock = _resolve(old)
    new = _archive(*old.suites["bookworm"], security=(_deb("library", "2"),))
    assert _chosen(_resolve(new))["library"] == "2"
    assert _chosen(_resolve(new, keep=lock))["library"] == "1"
    new.suites["bookworm"].pop()
    assert _chosen(_resolve(new, keep=lock))["library"] == "2"


def test_a_kept_version_of_other_bytes_does_not_count() -> None:
    old = _archive(_deb("root"), _deb("library", "1"))
    lock = _resolve(old, seeds=("root", "library"))
    rebuilt = make_deb("library", "1", files={"usr/x": b"other"})
    new = _archive(_deb("root"), rebuilt, security=(_deb("library", "2"),))
    assert _chosen(_resolve(new, seeds=("root", "library"), keep=lock))["library"] == "2"


def test_a_lock_that_no_longer_fits_together_is_given_up() -> None:
    old = _archive(_deb("root", Depends="library"), _deb("library", "1"))
    lock = _resolve(old)
    new = _archive(
        _deb("root", "2", Depends="library (>= 2)"),
        _deb("library", "1"),
        security=(_deb("library", "2"),),
    )
    assert _chosen(_resolve(new, seeds=("library", "root"), keep=lock)) == {
        "library": "2",
        "root": "2",
    }


# --- what a mirror may get wrong ---


def _swap(ending: str, change: Callable[[bytes], bytes]) -> Callable[[str, bytes], bytes]:
    return lambda path, body: change(body) if path.endswith(ending) else body


def test_a_tampered_release_file_is_refused_with_its_address() -> None:
    archive = _archive(_deb("root"))
    archive.tamper = _swap("bookworm-security/InRelease", lambda body: b"x\n" + body)
    with pytest.raises(ArchiveUntrusted) as caught:
        _resolve(archive)
    expected = "http://127.0.0.1/debian-security/dists/bookworm-security/InRelease"
    assert caught.value.where == expected


def test_a_tampered_index_is_refused() -> None:
    archive = _archive(_deb("root"))
    digest = "by-hash/SHA256/"
    archive.tamper = lambda path, body: body[:-1] + b"x" if digest in path else body
    with pytest.raises(IndexMismatch, match="not the one that the signed release file names"):
        _resolve(archive)


def test_an_index_by_hash_is_preferred_and_its_name_the_fallback() -> None:
    archive = _archive(_deb("root"))
    _resolve(archive)
    assert sum("by-hash/SHA256" in path for path in archive.requests) == 3
    assert not any(path.endswith("Packages.xz") for path in archive.requests)

    archive.requests.clear()
    fetch = archive.fetch

    def without_by_hash(url: str, *, limit_bytes: int) -> bytes:
        if "by-hash" in url:
            raise NetworkError("404")
        return fetch(url, limit_bytes=limit_bytes)

    lock = resolve(
        archive.distribution(["root"]),
        "amd64",
        (),
        MIRRORS,
        without_by_hash,
        DATE,
        discard,
        keyring=archive.keyring,
    )
    assert _chosen(lock) == {"root": "1"}
    assert sum(path.endswith("Packages.xz") for path in archive.requests) == 3


def test_a_suite_for_another_architecture_is_refused() -> None:
    archive = _archive(_deb("root"))
    with pytest.raises(ReleaseMismatch, match="main/binary-arm64/Packages") as caught:
        resolve(
            archive.distribution(["root"]),
            "arm64",
            (),
            MIRRORS,
            archive.fetch,
            DATE,
            discard,
            keyring=archive.keyring,
        )
    assert "is arm64 an architecture" in (caught.value.hint or "")


def test_an_expired_suite_is_refused_unless_apt_does_not_mind() -> None:
    archive = _archive(_deb("root"))
    archive.valid_until = DATE - timedelta(hours=1)
    with pytest.raises(ReleaseExpired):
        _resolve(archive)
    events: list[Event] = []
    lock = _resolve(archive, mirrors=replace(MIRRORS, dated=False), emit=events.append)
    assert _chosen(lock) == {"root": "1"}
    assert [one.code for one in events if isinstance(one, Warned)] == ["release-expired"] * 3


def test_a_silent_mirror_is_the_fetchers_error() -> None:
    archive = _archive(_deb("root"))
    with pytest.raises(NetworkError, match="404"):
        _resolve(archive, mirrors=Mirrors(main="http://127.0.0.1/x", security=MIRRORS.security))


def test_passwords_do_not_reach_messages() -> None:
    archive = _archive(_deb("root"))
    archive.fields = {"Origin": "Evil"}
    fetch = archive.fetch
    with pytest.raises(ReleaseMismatch) as caught:
        resolve(
            archive.distribution(["root"]),
            "amd64",
            (),
            Mirrors(main="http://user:secret@127.0.0.1/debian", security=MIRRORS.security),
            lambda url, *, limit_bytes: fetch(
                url.replace("user:secret@", ""), limit_bytes=limit_bytes
            ),
            DATE,
            discard,
            keyring=archive.keyring,
        )
    assert caught.value.where == "http://127.0.0.1/debian/dists/bookworm/InRelease"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("Filename", "pool/../../../etc/root_1.deb", "filename"),
        ("Filename", "http://example.org/pool/root_1.deb", "filename"),
        ("Filename", "/etc/root_1.deb", "filename"),
        ("Size", "0", "size_bytes"),
        ("Version", "1;rm", "version"),
        ("Architecture", "arm64", "the index for amd64 offers root for arm64"),
    ],
)
def test_a_signed_index_cannot_say_what_no_lock_may_hold(
    field: str, value: str, message: str
) -> None:
    deb = _deb("root")
    lines = [
        f"{field}: {value}" if line.startswith(f"{field}: ") else line
        for line in deb.paragraph.splitlines()
    ]
    listed = SimpleNamespace(
        paragraph="\n".join(lines) + "\n", filename=deb.filename, data=deb.data
    )
    archive = _archive(listed)  # type: ignore[arg-type]
    with pytest.raises(IndexMismatch, match=message):
        _resolve(archive)


def test_a_release_file_older_than_the_locked_one_is_refused() -> None:
    """Nothing else tells of updates held back: the main suites have no Valid-Until."""
    archive = _archive(_deb("root"))
    lock = _resolve(archive)
    seen = {suite.name: suite.date for suite in lock.suites}
    assert _resolve(archive, seen=seen) == lock
    archive.date = DATE - timedelta(days=1)
    with pytest.raises(ReleaseExpired, match=r"older than .* which is locked") as caught:
        _resolve(archive, seen=seen)
    assert "wheelship.lock" in (caught.value.hint or "")
    events: list[Event] = []
    frozen = replace(MIRRORS, dated=False)
    assert _resolve(archive, mirrors=frozen, seen=seen, emit=events.append)
    assert [one.code for one in events if isinstance(one, Warned)] == ["release-expired"] * 3


def test_a_key_that_has_expired_vouches_for_nothing() -> None:
    archive = _archive(_deb("root"))

    def ended(fingerprints: Iterable[str]) -> dict[str, Any]:
        del fingerprints
        return {one: SimpleNamespace(expiration=DATE) for one in archive.certificates}

    with pytest.raises(ArchiveUntrusted, match="have expired") as caught:
        resolve(
            archive.distribution(["root"]),
            "amd64",
            (),
            MIRRORS,
            archive.fetch,
            DATE,
            discard,
            keyring=ended,
        )
    assert caught.value.where == f"{DebArchive.MAIN}/dists/bookworm/InRelease"
