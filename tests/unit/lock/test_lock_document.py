# SPDX-License-Identifier: Apache-2.0
"""What is written can be read back, means the same, and is always written the same way."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock, is_valid_pylock_path

from wheelship.lock.document import lock_path, render_lock, write_lock
from wheelship.lock.errors import InvalidLock, LockNotWritable, NotAWheel
from wheelship.lock.inputs import LockInputs
from wheelship.lock.model import (
    BuildRequirement,
    LockedSource,
    LockedWheel,
)
from wheelship.lock.read import parse_lock, read_lock
from wheelship.lock.selection import Selection, load_selection, selection_key
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))
INPUTS = LockInputs(
    python="3.11",
    platforms=("linux/amd64", "linux/arm64"),
    accelerator="cpu",
    builds="0123456789abcdef",
    requirements=("demo", 'quoted; python_version > "3"'),
)
DEMO = LockedWheel(
    name="demo",
    version="1.0",
    filename="demo-1.0-py3-none-any.whl",
    sha256="a" * 64,
    size_bytes=1234,
    url="https://example.org/files/demo-1.0-py3-none-any.whl",
    requires=("native", "torch"),
)


def native(platform: str, version: str = "2.0") -> LockedWheel:
    filename = f"native-{version}-cp311-cp311-manylinux_2_17_{platform}.whl"
    return LockedWheel(
        name="native",
        version=version,
        filename=filename,
        sha256=("b" if platform == "x86_64" else "c") * 64,
        size_bytes=99,
        url=f"https://example.org/files/{filename}",
    )


def torch(directory: Path) -> LockedWheel:
    filename = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    return LockedWheel(
        name="torch",
        version="2.13.0+cpu",
        filename=filename,
        sha256="d" * 64,
        size_bytes=191_794_682,
        path=directory / filename,
    )


def test_document_is_as_expected(golden: Callable[[str, str], None]) -> None:
    root = Path("/work/project")
    selections = {
        AMD64: (DEMO, native("x86_64"), torch(root / "wheels")),
        ARM64: (DEMO, native("aarch64")),
    }
    text = render_lock(INPUTS, selections, root)
    Pylock.from_dict(tomllib.loads(text))
    golden("lock-two-platforms.toml", text)


def test_document_is_read_back_for_each_target(tmp_path: Path) -> None:
    selections = {
        AMD64: (DEMO, native("x86_64", "2.0"), torch(tmp_path / "wheels")),
        ARM64: (DEMO, native("aarch64", "1.0")),
    }
    path = lock_path(tmp_path, "cpu")
    assert write_lock(path, render_lock(INPUTS, selections, tmp_path))
    lock = read_lock(path)
    assert lock.select(AMD64) == selections[AMD64]
    assert lock.select(ARM64) == selections[ARM64]
    assert lock.inputs == INPUTS
    assert lock.request == str(INPUTS.digest)
    assert lock.pins(AMD64) == {"demo": "1.0", "native": "2.0", "torch": "2.13.0+cpu"}
    assert lock.pins(ARM64) == {"demo": "1.0", "native": "1.0", "torch": "2.13.0+cpu"}
    lock.require_current(INPUTS)


def source(name: str, directory: Path, **fields: Any) -> LockedSource:
    """A source with two build requirements, one of them local and for one architecture alone."""
    filename = "tool-1.0-py3-none-any.whl"
    url = f"https://example.org/{filename}"
    tool = replace(DEMO, name="tool", filename=filename, url=url, requires=())
    given: dict[str, Any] = {
        "version": "1.0",
        "kind": "sdist",
        "filename": f"{name}-1.0.tar.gz",
        "sha256": "e" * 64,
        "size_bytes": 7,
        "requires": ("demo",),
        "build": (
            BuildRequirement(wheel=tool),
            BuildRequirement(wheel=torch(directory), architectures=("amd64",)),
        ),
        **fields,
    }
    return LockedSource(name=name, **given)


def all_kinds(directory: Path) -> tuple[LockedSource, ...]:
    """A source of each kind and place, by name."""
    url = "https://example.org/files/{}-1.0.tar.gz"
    local = directory / "sources" / "local-1.0.tar.gz"
    folder = {"filename": "tree", "sha256": "", "size_bytes": 0, "version": "", "build": ()}
    commit = {"kind": "vcs", "url": "ssh://git@example.org/x.git", "filename": "x.git"}
    commit |= {"commit": "f" * 40, "revision": "main", "subdirectory": "lib"}
    commit |= {"sha256": "", "size_bytes": 0}
    return (
        source("address", directory, kind="archive", url=url.format("address"), subdirectory="x"),
        source("local", directory, path=local),
        source("remote", directory, url=url.format("remote")),
        source("repository", directory, **commit),
        source("tree", directory, kind="directory", path=directory / "tree", **folder),
    )


def test_sources_are_read_back_with_what_builds_them(tmp_path: Path) -> None:
    selections = {AMD64: (DEMO, *all_kinds(tmp_path))}
    selections[AMD64] = tuple(sorted(selections[AMD64], key=lambda one: one.name))
    text = render_lock(INPUTS, selections, tmp_path)
    lock = parse_lock(text.encode(), tmp_path / "pylock.cpu.toml")
    assert lock.select(AMD64) == selections[AMD64]
    pins = lock.build_pins(lambda name: name != "torch")
    assert lock.commits(lambda _: True) == {
        "repository": ("ssh://git@example.org/x.git", "main", "f" * 40)
    }
    assert lock.commits(lambda _: False) == {}
    assert pins["remote"] == {"tool": "1.0"}
    assert pins["demo"] == pins["tree"] == {}
    assert lock.build_pins(lambda name: name != "remote")["remote"] == {}


def test_what_builds_on_which_machine(tmp_path: Path) -> None:
    one = source("remote", tmp_path)
    assert [wheel.name for wheel in one.build_wheels("amd64")] == ["tool", "torch"]
    assert [wheel.name for wheel in one.build_wheels("arm64")] == ["tool"]


def test_a_source_takes_the_place_of_a_wheel_on_one_platform(tmp_path: Path) -> None:
    url = "https://example.org/files/native-2.0.tar.gz"
    built = source("native", tmp_path, version="2.0", filename="native-2.0.tar.gz", url=url)
    selections = {AMD64: (native("x86_64"),), ARM64: (replace(built, requires=()),)}
    lock = parse_lock(render_lock(INPUTS, selections, tmp_path).encode(), tmp_path / "pylock.toml")
    assert lock.select(AMD64) == selections[AMD64]
    assert lock.select(ARM64) == selections[ARM64]


@pytest.mark.parametrize(
    ("right", "wrong", "kind", "message"),
    [
        ('sha256 = "' + "a" * 64, 'sha256 = "' + "a" * 63, InvalidLock, "cannot be read|no sha256"),
        ('package = "tool"', 'package = "another"', InvalidLock, "remote is built with"),
        ('version = "1.0", url', "url", InvalidLock, "remote is built with"),
        ('sha256 = "' + "e" * 64, 'sha256 = "x', InvalidLock, "no sha256"),
        ("build-requires", "builds", NotAWheel, "not how one is built"),
        ("https://example.org/files/remote", "ftp://x/remote", InvalidLock, "cannot be fetched"),
    ],
)
def test_a_source_that_was_edited_is_refused(
    tmp_path: Path, right: str, wrong: str, kind: type[Exception], message: str
) -> None:
    url = "https://example.org/files/remote-1.0.tar.gz"
    text = render_lock(INPUTS, {AMD64: (source("remote", tmp_path, url=url),)}, tmp_path)
    assert right in text
    path = tmp_path / "pylock.cpu.toml"
    with pytest.raises(kind, match=message):
        parse_lock(text.replace(right, wrong).encode(), path).select(AMD64)


def test_order_does_not_matter(tmp_path: Path) -> None:
    selections = {AMD64: (DEMO, native("x86_64")), ARM64: (DEMO, native("aarch64"))}
    turned = {target: wheels[::-1] for target, wheels in reversed(selections.items())}
    assert render_lock(INPUTS, selections, tmp_path) == render_lock(INPUTS, turned, tmp_path)


def test_nothing_locked_is_a_document_too(tmp_path: Path) -> None:
    text = render_lock(INPUTS, {AMD64: ()}, tmp_path)
    assert parse_lock(text.encode(), tmp_path / "pylock.toml").select(AMD64) == ()


def test_encoded_address_gets_its_file_name_beside_it(tmp_path: Path) -> None:
    encoded = replace(
        torch(tmp_path), path=None, url="https://example.org/torch-2.13.0%2Bcpu-x.whl"
    )
    text = render_lock(INPUTS, {AMD64: (encoded,)}, tmp_path)
    assert f'{{ name = "{encoded.filename}", url = ' in text
    assert parse_lock(text.encode(), tmp_path / "pylock.toml").select(AMD64) == (encoded,)


def test_local_wheel_outside_the_project() -> None:
    wheel = torch(Path("/opt/wheels"))
    text = render_lock(INPUTS, {AMD64: (wheel,)}, Path("/work/project"))
    assert f'path = "../../opt/wheels/{wheel.filename}"' in text
    assert parse_lock(text.encode(), Path("/work/project/pylock.toml")).select(AMD64) == (wheel,)
    moved = parse_lock(text.encode(), Path("/elsewhere/deep/pylock.toml")).select(AMD64)
    assert moved[0].path == Path("/opt/wheels") / wheel.filename


def test_unknown_size_is_left_out(tmp_path: Path) -> None:
    wheel = replace(DEMO, size_bytes=0, requires=())
    text = render_lock(INPUTS, {AMD64: (wheel,)}, tmp_path)
    assert "size" not in text
    assert parse_lock(text.encode(), tmp_path / "pylock.toml").select(AMD64) == (wheel,)


def test_file_is_replaced_only_when_it_changes(tmp_path: Path) -> None:
    path = lock_path(tmp_path, "cpu")
    assert is_valid_pylock_path(path)
    assert write_lock(path, "one")
    before = path.stat()
    assert not write_lock(path, "one")
    assert path.stat().st_ino == before.st_ino
    assert write_lock(path, "two")
    assert path.read_text() == "two"
    assert [one.name for one in tmp_path.iterdir()] == ["pylock.cpu.toml"]


def test_leftover_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".pylock.cpu.toml.new-abc").write_text("half")
    assert write_lock(lock_path(tmp_path, "cpu"), "whole")
    assert [one.name for one in tmp_path.iterdir()] == ["pylock.cpu.toml"]


def test_lock_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "pylock.cpu.toml"
    with pytest.raises(LockNotWritable) as caught:
        write_lock(path, "text")
    assert caught.value.where == str(path)
    lock_path(tmp_path, "cpu").mkdir()
    with pytest.raises(LockNotWritable):
        write_lock(lock_path(tmp_path, "cpu"), "text")
    assert [one.name for one in tmp_path.iterdir()] == ["pylock.cpu.toml"]


def test_tags_and_label_of_a_wheel(tmp_path: Path) -> None:
    assert torch(tmp_path).tags == "cp311-cp311-manylinux_2_28_x86_64"
    assert torch(tmp_path).label == "cpu"
    assert DEMO.label is None


def test_compact_form(tmp_path: Path) -> None:
    selection = Selection(
        request="sha256:1", packages=(*all_kinds(tmp_path)[:1], DEMO, *all_kinds(tmp_path)[1:])
    )
    assert load_selection(selection.to_bytes()) == selection
    whole = selection.to_bytes()
    lies = [whole.replace(b"1234", b'"x"'), whole.replace(b'"archive"', b'"svn"')]
    for damaged in (b"", b"[]", b"{}", whole[:-5], *lies, b"\xff"):
        assert load_selection(damaged) is None


def test_compact_form_belongs_to_one_lock_and_target(tmp_path: Path) -> None:
    path = tmp_path / "pylock.cpu.toml"
    keys = {
        selection_key(b"one", path, AMD64),
        selection_key(b"two", path, AMD64),
        selection_key(b"one", path, ARM64),
        selection_key(b"one", path, replace(AMD64, python="3.13")),
        selection_key(b"one", tmp_path / "other" / "pylock.cpu.toml", AMD64),
    }
    assert len(keys) == 5
    assert selection_key(b"one", path, AMD64) in keys
