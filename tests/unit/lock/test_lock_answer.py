# SPDX-License-Identifier: Apache-2.0
"""What uv locked becomes wheels of ours, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from wheelship.lock.answer import check_can_be_had, locked_packages
from wheelship.lock.errors import MissingHash, NotAWheel
from wheelship.lock.model import LockedSource, LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform

TARGET = Target(python="3.11", platform=Platform("amd64"))
ROOT = Path("/work/project")


def answer(*files: dict[str, Any], **package: Any) -> LockedWheel:
    document = {"name": "demo", "version": "1.0", "wheels": list(files), **package}
    (wheel,) = locked_packages([document], {}, lambda _: 77, TARGET, ROOT)
    assert isinstance(wheel, LockedWheel)
    return wheel


def file(tag: str = "py3-none-any", **fields: Any) -> dict[str, Any]:
    url = f"https://example.org/demo-1.0-{tag}.whl"
    return {"url": url, "size": 5, "hashes": {"sha256": "a" * 64}, **fields}


def test_wheel_with_all_facts() -> None:
    assert answer(file()) == LockedWheel(
        name="demo",
        version="1.0",
        filename="demo-1.0-py3-none-any.whl",
        sha256="a" * 64,
        size_bytes=5,
        url="https://example.org/demo-1.0-py3-none-any.whl",
    )


def test_credentials_are_dropped() -> None:
    wheel = answer(file(url="https://me:word@example.org/demo-1.0-py3-none-any.whl"))
    assert wheel.url == "https://example.org/demo-1.0-py3-none-any.whl"


def test_best_wheel_is_taken_and_of_equals_the_first() -> None:
    native = "py3-none-manylinux_2_17_x86_64"
    assert answer(file(), file(native)).tags == native
    assert answer(file(native), file("cp311-cp311-win_amd64")).tags == native
    assert answer(file(size=1), file(size=2)).size_bytes == 1


def test_file_name_is_decoded() -> None:
    wheel = answer(file(url="https://example.org/demo-1.0%2Bcpu-py3-none-any.whl"))
    assert wheel.filename == "demo-1.0+cpu-py3-none-any.whl"


def test_missing_size_is_asked_for() -> None:
    unknown = file()
    del unknown["size"]
    assert answer(unknown).size_bytes == 77
    (wheel,) = locked_packages(
        [{"name": "demo", "version": "1.0", "wheels": [unknown]}], {}, lambda _: None, TARGET, ROOT
    )
    assert wheel.size_bytes == 0


def test_local_wheel(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"123")
    for place in (file(url=path.as_uri()), {"path": str(path), "hashes": {"sha256": "b" * 64}}):
        wheel = answer(place)
        assert (wheel.path, wheel.url, wheel.size_bytes) == (path, None, 3)


def test_graph_is_turned_around() -> None:
    packages = [
        {"name": name, "version": "1.0", "wheels": [file()]} for name in ("top", "left", "bottom")
    ]
    parents = {"top": (), "left": ("top",), "bottom": ("top", "left")}
    wheels = locked_packages(packages, parents, lambda _: None, TARGET, ROOT)
    assert [(wheel.name, wheel.requires) for wheel in wheels] == [
        ("bottom", ()),
        ("left", ("bottom",)),
        ("top", ("bottom", "left")),
    ]


@pytest.mark.parametrize("hashes", [{}, {"md5": "0"}])
def test_wheel_without_sha256(hashes: dict[str, str]) -> None:
    with pytest.raises(MissingHash, match=r"demo: the index tells no SHA-256 of demo-1\.0"):
        answer(file(hashes=hashes))


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            {"vcs": {"type": "hg", "url": "https://me:w@example.org/x", "commit-id": "a" * 40}},
            "a repository (https://ex",
        ),
        (
            {"vcs": {"type": "git", "url": "https://example.org/x", "commit-id": "--upload-pack"}},
            "a repository (https://ex",
        ),
        ({"sdist": {"url": "https://example.org/demo-1.0.zip"}}, "source"),
        ({"archive": {"url": "https://example.org/demo-1.0.zip"}}, "source"),
    ],
)
def test_what_cannot_be_built(source: dict[str, Any], what: str) -> None:
    with pytest.raises(NotAWheel) as caught:
        answer(wheels=[], **source)
    assert f"demo is no wheel but {what}" in caught.value.message


def source(**package: Any) -> LockedSource:
    document = {"name": "demo", "version": "1.0", **package}
    (found,) = locked_packages([document], {"base": ["demo"]}, lambda _: 77, TARGET, ROOT)
    assert isinstance(found, LockedSource)
    return found


@pytest.mark.parametrize("kind", ["sdist", "archive"])
def test_an_archive_is_a_source(kind: str) -> None:
    url = "https://me:word@example.org/demo-1.0.tar.gz"
    found = source(**{kind: {"url": url, "hashes": {"sha256": "a" * 64}}})
    assert found == LockedSource(
        name="demo",
        version="1.0",
        kind=found.kind,
        filename="demo-1.0.tar.gz",
        sha256="a" * 64,
        size_bytes=77,
        url="https://example.org/demo-1.0.tar.gz",
        requires=("base",),
    )
    assert found.kind == kind
    with pytest.raises(MissingHash, match=r"no SHA-256 of demo-1\.0\.tar\.gz"):
        source(**{kind: {"url": url, "hashes": {"md5": "a"}}})


def test_a_directory_is_a_source(tmp_path: Path) -> None:
    found = source(directory={"path": str(tmp_path / "demo")}, version="")
    assert (found.kind, found.path, found.filename) == ("directory", tmp_path / "demo", "demo")
    assert (found.sha256, found.url, found.version) == ("", None, "")
    assert source(directory={"path": "../other"}).path == Path("/work/other")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://me:word@example.org/x/demo.git", "https://example.org/x/demo.git"),
        ("ssh://git:word@example.org/demo.git", "ssh://git@example.org/demo.git"),
        ("file:///srv/demo.git", "file:///srv/demo.git"),
    ],
)
def test_a_commit_is_a_source(url: str, kept: str) -> None:
    commit = {"type": "git", "url": url, "requested-revision": "main", "commit-id": "a" * 40}
    assert source(vcs={**commit, "subdirectory": "lib"}) == LockedSource(
        name="demo",
        version="1.0",
        kind="vcs",
        filename="demo.git",
        url=kept,
        requires=("base",),
        commit="a" * 40,
        revision="main",
        subdirectory="lib",
    )


def test_a_wheel_is_preferred_to_the_source() -> None:
    assert answer(file(), sdist={"url": "https://example.org/demo-1.0.tar.gz"}).sha256 == "a" * 64


@pytest.mark.parametrize(
    ("requirement", "fits", "builds"),
    [
        ("demo>=1", True, False),
        ("demo @ https://example.org/demo-1.0-py3-none-any.whl", True, False),
        ("demo @ file:///opt/demo-1.0-py3-none-any.whl", True, False),
        ("De_mo @ https://example.org/demo-1.0.tar.gz", True, True),
        ("de-mo @ file:///tmp", True, True),
        ("demo @ https://example.org/demo-1.0.zip", False, False),
        ("demo @ file:///tmp/is/not/there", False, False),
        ("de-mo @ git+https://example.org/demo", True, True),
        ("de-mo @ git+https://example.org/demo.whl", True, True),
        ("demo @ hg+https://example.org/demo", False, False),
        ("demo @ svn+https://example.org/demo.tar.gz", False, False),
    ],
)
def test_requirements_that_name_an_address(requirement: str, *, fits: bool, builds: bool) -> None:
    one = [Requirement(requirement)]
    if fits:
        assert check_can_be_had(one, building=True) == ({"de-mo"} if builds else set())
    if not fits or builds:
        with pytest.raises(NotAWheel, match="is no wheel but"):
            check_can_be_had(one, building=not fits)


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A directory can be built, so what it is not is no news; that it is missing is."""
    there = Requirement(f"demo @ {tmp_path.as_uri()}")
    assert check_can_be_had([there], building=True) == {"demo"}
    missing = Requirement(f"demo @ {(tmp_path / 'typo').as_uri()}")
    with pytest.raises(NotAWheel, match="typo, and that is not there") as caught:
        check_can_be_had([missing], building=True)
    assert caught.value.hint == f"correct the path: {tmp_path / 'typo'}"
