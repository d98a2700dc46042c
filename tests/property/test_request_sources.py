# SPDX-License-Identifier: Apache-2.0
"""The key of the application covers content, names and executable bits, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wheelship.request.read import read_request
from wheelship.request.sources import Snapshot, entries, snapshot

PROJECT = '[project]\nname = "demo"\nversion = "1"\n[tool.wheelship]\ncommand = ["demo"]\n'

NAMES = st.sampled_from(["a.py", "b.txt", "c", "ü.py", "sub/a.py", "sub/d e.txt", "sub/x/y.bin"])
FILES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=40), st.booleans()), min_size=1)


def take(folder: str, files: dict[str, tuple[bytes, bool]]) -> Snapshot:
    root = Path(folder)
    (root / "src" / "demo").mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(PROJECT)
    for name, (data, executable) in files.items():
        path = root / "src" / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if executable else 0o644)
    (root / "src/demo/__init__.py").touch()
    request = read_request(root)
    return snapshot(request.project, request.variants["cpu"], lambda module, _: module.encode())


@given(files=FILES, random=st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_order_times_and_place_do_not_matter(
    files: dict[str, tuple[bytes, bool]], random: Random
) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        one = take(first, files)
        other = take(f"{second}/deeper", dict(random.sample(list(files.items()), len(files))))
        for path in Path(second).rglob("*"):
            os.utime(path, ns=(random.randrange(10**18), random.randrange(10**18)))
        again = take_again(f"{second}/deeper")
        assert one.key == other.key == again.key
        assert [entry.path for entry in entries(one)] == [entry.path for entry in entries(other)]
        assert [entry.path for entry in entries(one)] == sorted(
            entry.path for entry in entries(one)
        )
        assert {file.target.rpartition("/demo/")[2] for file in one.files} == {
            *files,
            "__init__.py",
        }


def take_again(folder: str) -> Snapshot:
    request = read_request(Path(folder))
    return snapshot(request.project, request.variants["cpu"], lambda module, _: module.encode())


@given(files=FILES, data=st.data())
@settings(max_examples=40)
def test_every_byte_name_and_executable_bit_matters(
    files: dict[str, tuple[bytes, bool]], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    content, executable = files[name]
    change = data.draw(st.sampled_from(["byte", "name", "bit", "more", "less"]))
    changed = dict(files)
    if change == "byte":
        assume(content)
        at = data.draw(st.integers(0, len(content) - 1))
        altered = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        changed[name] = (altered, executable)
    elif change == "name":
        changed[f"{name}x"] = changed.pop(name)
    elif change == "bit":
        changed[name] = (content, not executable)
    elif change == "more":
        changed["another"] = (b"", False)
    else:
        del changed[name]
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        assert take(first, files).key != take(second, changed).key
