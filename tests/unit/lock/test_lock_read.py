# SPDX-License-Identifier: Apache-2.0
"""Locks that were edited, merged, made by others, or made for something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus, InputError
from wheelship.lock.errors import (
    InvalidLock,
    LockLacksPlatform,
    LockOutOfDate,
    MissingHash,
    MissingLock,
    NotAWheel,
    NoWheelForPlatform,
)
from wheelship.lock.inputs import LockInputs
from wheelship.lock.read import Lock, parse_lock, read_lock
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))
PATH = Path("/work/project/pylock.cpu.toml")
HASH = "a" * 64
WHEEL = (
    f'{{ url = "https://example.org/demo-1.0-py3-none-any.whl", hashes = {{ sha256 = "{HASH}" }} }}'
)
HEAD = 'lock-version = "1.0"\ncreated-by = "hand"\n'
SDIST = (
    f'sdist = {{ url = "https://example.org/demo-1.0.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}'
)
DEMO = f'[[packages]]\nname = "demo"\nversion = "1.0"\nwheels = [{WHEEL}]\n'


def parse(text: str) -> Lock:
    return parse_lock(text.encode(), PATH)


def test_lock_of_another_tool_can_be_read() -> None:
    (wheel,) = parse(HEAD + DEMO).select(AMD64)
    assert (wheel.name, wheel.version, wheel.sha256) == ("demo", "1.0", HASH)
    assert wheel.size_bytes == 0
    assert parse(HEAD + DEMO).inputs is None


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("lock-version = ", InvalidLock, "is no TOML document"),
        ("<<<<<<< HEAD\n" + HEAD, InvalidLock, "is no TOML document.*line 1"),
        ("", InvalidLock, "lock-version"),
        (HEAD, InvalidLock, "packages"),
        (HEAD.replace("1.0", "2.0") + DEMO, InvalidLock, "2.0"),
        (HEAD + DEMO.replace('name = "demo"', 'name = "Demo"'), InvalidLock, r"packages\[0\]"),
        (HEAD + DEMO.replace('version = "1.0"', 'version = "x y"'), InvalidLock, r"\(demo\)"),
        (
            HEAD + DEMO.replace('version = "1.0"', 'version = "2.0"'),
            InvalidLock,
            "Version in .*not consistent",
        ),
        (HEAD + DEMO.replace("demo-1.0", "else-1.0"), InvalidLock, "Name in .*not consistent"),
        (HEAD + DEMO.replace("demo-1.0-py3", "demo"), InvalidLock, "Invalid wheel filename"),
        (HEAD + DEMO.replace("https:", "ftp:"), InvalidLock, "cannot be fetched"),
        (HEAD + DEMO.replace(HASH, "beef"), InvalidLock, "'beef' is no sha256"),
        (HEAD + DEMO.replace("sha256", "md5"), MissingHash, "has no sha256, only md5"),
        (
            HEAD + DEMO.replace(f'sha256 = "{HASH}"', ""),
            MissingHash,
            r"wheels\[0\].hashes.*\(demo\)",
        ),
        (
            HEAD + DEMO.replace(f', hashes = {{ sha256 = "{HASH}" }}', ""),
            MissingHash,
            r"packages\[0\]\.wheels\[0\]\.hashes.*\(demo\)",
        ),
        (HEAD + DEMO.replace("wheels = ", "wheels = 7 #"), InvalidLock, r"packages\[0\].wheels"),
        (HEAD + "packages = [7]", InvalidLock, "packages"),
        (HEAD + DEMO + "dependencies = [{ }]\n", InvalidLock, "without a name"),
        (HEAD + DEMO + 'marker = "nonsense"\n', InvalidLock, r"packages\[0\].marker"),
    ],
)
def test_malformed_lock_names_the_place(text: str, kind: type[InputError], message: str) -> None:
    parse(HEAD + DEMO)
    with pytest.raises(kind, match=message) as caught:
        parse(text)
    assert type(caught.value) is kind
    assert caught.value.exit_status is ExitStatus.INPUT
    assert caught.value.where == str(PATH)
    assert caught.value.hint is not None
    assert "wheelship lock" in caught.value.hint


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidLock, match="is no TOML document"):
        parse_lock(b"\xff\xfe", PATH)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingLock) as caught:
        read_lock(tmp_path / "pylock.cpu.toml")
    assert caught.value.hint == "wheelship lock"
    with pytest.raises(InvalidLock, match="cannot be read"):
        read_lock(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        'vcs = { type = "git", url = "https://example.org/x.git", commit-id = "1" }',
        'directory = { path = "../demo" }',
        f'archive = {{ url = "https://example.org/demo.zip", hashes = {{ sha256 = "{HASH}" }} }}',
        SDIST,
    ],
)
def test_what_is_no_wheel_is_refused(source: str) -> None:
    with pytest.raises(NotAWheel, match="demo is not locked as a wheel"):
        parse(f'{HEAD}[[packages]]\nname = "demo"\nversion = "1.0"\n{source}\n').select(AMD64)


def test_source_is_no_substitute_for_a_wheel_that_does_not_fit() -> None:
    wheel = WHEEL.replace("py3-none-any", "cp311-cp311-win_amd64")
    text = HEAD + DEMO.replace(WHEEL, wheel)
    for one in (text, text + SDIST):
        with pytest.raises(NoWheelForPlatform, match=r"Python 3\.11 on linux/amd64.*demo"):
            parse(one).select(AMD64)


def test_best_of_several_wheels_is_chosen() -> None:
    names = [
        "py3-none-any",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_39_x86_64",
    ]
    wheels = ", ".join(WHEEL.replace("py3-none-any", name) for name in names)
    (wheel,) = parse(HEAD + DEMO.replace(WHEEL, wheels)).select(AMD64)
    assert wheel.tags == "cp311-cp311-manylinux_2_17_x86_64"


def test_lock_for_another_platform_or_python() -> None:
    for line in (f'environments = ["{ARM64.marker}"]', 'requires-python = "==3.13.*"'):
        lock = parse(f"{HEAD}{line}\n{DEMO}")
        with pytest.raises(LockLacksPlatform, match=r"not made for Python 3\.11 on linux/amd64"):
            lock.select(AMD64)
    lock = parse(f'{HEAD}environments = ["{ARM64.marker}"]\n{DEMO}')
    assert len(lock.select(ARM64)) == 1


def test_two_versions_at_once_are_a_contradiction() -> None:
    other = DEMO.replace('"1.0"', '"2.0"').replace("demo-1.0", "demo-2.0")
    with pytest.raises(InvalidLock, match="demo"):
        parse(HEAD + DEMO + other).select(AMD64)
    marked = f'marker = "{ARM64.marker}"\n'
    lock = parse(HEAD + DEMO + marked + other + f'marker = "{AMD64.marker}"\n')
    assert [wheel.version for wheel in lock.select(AMD64)] == ["2.0"]
    assert [wheel.version for wheel in lock.select(ARM64)] == ["1.0"]


def test_local_places() -> None:
    def place(text: str) -> tuple[str | None, Path | None]:
        lock = parse(HEAD + DEMO.replace('url = "https://example.org/', text))
        (wheel,) = lock.select(AMD64)
        return wheel.url, wheel.path

    name = "demo-1.0-py3-none-any.whl"
    assert place('path = "wheels/') == (None, Path("/work/project/wheels") / name)
    assert place('path = "../up/') == (None, Path("/work/up") / name)
    assert place('path = "/opt/') == (None, Path("/opt") / name)
    assert place('url = "file:///opt/a%20b/') == (None, Path("/opt/a b") / name)
    assert place('url = "https://me:word@example.org/') == (f"https://example.org/{name}", None)


INPUTS = LockInputs(
    python="3.11", platforms=("linux/amd64",), accelerator="cpu", builds="1", requirements=("demo",)
)


def wheelship_lock(request: str, table: str) -> Lock:
    return parse(f'{HEAD}{DEMO}[tool.wheelship]\nrequest = "{request}"\n{table}')


def test_lock_that_is_current() -> None:
    wheelship_lock(str(INPUTS.digest), "").require_current(INPUTS)


def test_lock_that_is_not_says_what_changed() -> None:
    table = "[tool.wheelship.inputs]\n" + "\n".join(
        f"{key} = {value!r}" for key, value in INPUTS.to_table().items()
    )
    lock = wheelship_lock(str(INPUTS.digest), table)
    assert lock.inputs == INPUTS
    with pytest.raises(LockOutOfDate) as caught:
        lock.require_current(replace(INPUTS, requirements=("demo>=1", "more")))
    assert caught.value.differences == (
        "requirement: + demo>=1",
        "requirement: + more",
        "requirement: - demo",
    )
    assert "\n  requirement: + more" in caught.value.message
    assert caught.value.exit_status is ExitStatus.INPUT
    assert caught.value.where == str(PATH)


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        (parse(HEAD + DEMO), "does not say"),
        (parse(f"{HEAD}{DEMO}[tool]\nwheelship = 7\n"), "does not say"),
        (wheelship_lock("sha256:0", "inputs = 7"), "does not say"),
        (wheelship_lock("sha256:0", "[tool.wheelship.inputs]\nversion = 99"), "does not say"),
        (
            wheelship_lock(
                "sha256:0",
                "[tool.wheelship.inputs]\n"
                + "\n".join(f"{key} = {value!r}" for key, value in INPUTS.to_table().items()),
            ),
            "its digest was edited",
        ),
    ],
)
def test_lock_of_unknown_origin_is_out_of_date(lock: Lock, reason: str) -> None:
    with pytest.raises(LockOutOfDate, match=reason):
        lock.require_current(INPUTS)
