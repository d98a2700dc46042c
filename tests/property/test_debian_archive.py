# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to a signed file or a package: the same content, or one clear error."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from wheelship.debian.clearsign import verified_text
from wheelship.debian.errors import ArchiveUntrusted, InvalidDeb
from wheelship.debian.lock import DebianLock, LockedPackage, LockedSuite
from wheelship.debian.member import Limits
from wheelship.debian.package import open_package
from wheelship.debian.relation import newest_first
from wheelship.testing.deb import DebArchive, TarMember, make_deb, tar_bytes


@cache
def _archive() -> tuple[DebArchive, bytes, bytes]:
    archive = DebArchive(suites={"bookworm": []})
    signed = archive.sign(archive.release_text("bookworm", {"a": b"1"}))
    return archive, signed, verified_text(signed, archive.certificates, where="InRelease")


@st.composite
def _changes(draw: st.DrawFn, data: bytes) -> bytes:
    """Return ``data`` with one stretch replaced, possibly by a stretch of itself."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    other = draw(st.integers(0, len(data) - 1))
    inserted = draw(st.one_of(st.binary(max_size=8), st.just(data[other : other + 40])))
    return data[:start] + inserted + data[end:]


@given(data=st.data())
def test_a_changed_message_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """RFC 9580, 7: "It is important to verify … that no other text precedes" or follows."""
    archive, signed, text = _archive()
    changed = data.draw(_changes(signed))
    try:
        found = verified_text(changed, archive.certificates, where="InRelease")
    except ArchiveUntrusted:
        assert changed != signed
    else:
        assert found == text


PACKAGE = make_deb(
    files={"usr/bin/x": b"content" * 9, "usr/y": "-> bin/x"}, scripts={"preinst": "x"}
)


@given(data=st.data())
def test_a_changed_package_is_read_or_refused(data: st.DataObject) -> None:
    changed = replace(PACKAGE, data=data.draw(_changes(PACKAGE.data)))
    with TemporaryDirectory() as name:
        directory = Path(name)
        try:
            found = open_package(changed.locked(), changed.write(directory), directory)
        except InvalidDeb:
            return
        for member in found.members:
            assert sum(map(len, found.read(member))) == member.size_bytes


@given(data=st.data())
def test_a_changed_tar_archive_is_read_or_refused(data: st.DataObject) -> None:
    members = [
        TarMember("./usr/", mode=0o755, kind=b"5"),
        TarMember("./usr/" + "n" * 120, b"x" * 600),
    ]
    tar = data.draw(_changes(tar_bytes(members)))
    deb = make_deb(data_tar=tar)
    with TemporaryDirectory() as name:
        directory = Path(name)
        try:
            found = open_package(
                deb.locked(), deb.write(directory), directory, Limits(data_bytes=100_000)
            )
        except InvalidDeb:
            return
        for member in found.members:
            assert sum(map(len, found.read(member))) == member.size_bytes


NAMES = st.text("/.ab\\\n\0 é\udcff", min_size=1, max_size=12)


@given(name=NAMES, target=NAMES, kind=st.sampled_from([b"0", b"1", b"2", b"5"]))
def test_no_path_leaves_the_image(name: str, target: str, kind: bytes) -> None:
    members = [TarMember(name, kind=kind, target=target if kind in (b"1", b"2") else "")]
    deb = make_deb(members=members)
    with TemporaryDirectory() as place:
        directory = Path(place)
        try:
            found = open_package(deb.locked(), deb.write(directory), directory)
        except InvalidDeb:
            return
    for member in found.members:
        parts = member.path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith(".wh.") for part in parts)
        member.path.encode()
        if member.kind == "symlink":
            root = Path("/image")
            start = Path("/") if member.target.startswith("/") else (root / member.path).parent
            inside = root / str(start / member.target).lstrip("/") if start == Path("/") else None
            resolved = _normal(inside or start / member.target)
            assert resolved[:1] == ["image"]


def _normal(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts[1:]:
        if part == "..":
            parts.pop()
            assert parts, "left the image"
        else:
            parts.append(part)
    return parts


VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,4})?", fullmatch=True)


@given(st.lists(VERSIONS, min_size=1, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_versions_does_not_depend_on_the_order_of_suites(versions, rng) -> None:  # noqa: ANN001
    assert newest_first(versions)[0] in versions
    shuffled = rng.sample(versions, len(versions))
    from debian.debian_support import NativeVersion

    def keys(found: list[str]) -> list[NativeVersion]:
        return [NativeVersion(one) for one in found]

    assert keys(newest_first(shuffled)) == keys(newest_first(versions))
    # Policy 5.6.12: each is at least the next.
    ordered = keys(newest_first(versions))
    assert all(first >= second for first, second in pairwise(ordered))


NAME = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)


@st.composite
def _locks(draw: st.DrawFn) -> DebianLock:
    names = sorted(draw(st.sets(NAME, max_size=4)))
    packages = tuple(
        LockedPackage(
            name=name,
            version=draw(VERSIONS),
            architecture=draw(st.sampled_from(["amd64", "all"])),
            archive=draw(st.sampled_from(["main", "security"])),
            filename=f"pool/main/{name}.deb",
            sha256=draw(st.binary(min_size=32, max_size=32)).hex(),
            size_bytes=draw(st.integers(1, 2**40)),
            source=name,
            source_version=draw(VERSIONS),
            group=draw(st.sampled_from(["base", "system"])),
            requested=draw(st.booleans()),
        )
        for name in names
    )
    suites = (LockedSuite(name="bookworm", archive="main", date="2026-07-01T12:00:00Z"),)
    return DebianLock(release="bookworm", architecture="amd64", suites=suites, packages=packages)


@given(_locks())
def test_every_lock_survives_json(lock: DebianLock) -> None:
    assert DebianLock.from_json(json.loads(json.dumps(lock.to_json()))) == lock
