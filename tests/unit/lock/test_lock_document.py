# SPDX-License-Identifier: Apache-2.0
"""What is written can be read back, means the same, and is always written the same way."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.pylock import Pylock, is_valid_pylock_path

from wheelship.lock.document import lock_path, render_lock, write_lock
from wheelship.lock.errors import LockNotWritable
from wheelship.lock.inputs import LockInputs
from wheelship.lock.model import LockedWheel
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
    selection = Selection(request="sha256:1", wheels=(DEMO, torch(tmp_path)))
    assert load_selection(selection.to_bytes()) == selection
    whole = selection.to_bytes()
    for damaged in (b"", b"[]", b"{}", whole[:-5], whole.replace(b"1234", b'"x"'), b"\xff"):
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
