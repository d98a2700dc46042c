# SPDX-License-Identifier: Apache-2.0
"""Which versions of a universal lock apply to one target."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.lock.errors import InvalidUvLock
from wheelship.lock.target import Target
from wheelship.lock.uv_lock import UvLock, holds, read_uv_lock
from wheelship.oci.platform import Platform

AMD64 = Target(python="3.11", platform=Platform("amd64"))
ARM64 = Target(python="3.11", platform=Platform("arm64"))
NEWER = Target(python="3.13", platform=Platform("amd64"))

LOCK = """
version = 1
revision = 5
requires-python = ">=3.11"

[[package]]
name = "demo-app"
version = "0.1"
source = { virtual = "." }
dependencies = [
    { name = "forked", version = "1.0", marker = "platform_machine == 'x86_64'" },
    { name = "forked", version = "2.0", marker = "platform_machine != 'x86_64'" },
    { name = "web", extra = ["fast"] },
    { name = "windows", marker = "sys_platform == 'win32'" },
    { name = "demo-app", extra = ["cpu"] },
]

[package.optional-dependencies]
cpu = [{ name = "build", version = "1.0", marker = "extra != 'extra-8-demo-app-cuda'" }]
cuda = [{ name = "build", version = "2.0", marker = "extra == 'extra-8-demo-app-cuda'" }]

[package.dev-dependencies]
serve = [{ name = "server" }]

[[package]]
name = "forked"
version = "1.0"
source = { registry = "https://index.example.org" }
wheels = [{ url = "https://index.example.org/forked-1.0%2Bx-py3-none-any.whl", hash = "sha256:11" }]

[[package]]
name = "forked"
version = "2.0"
source = { registry = "https://index.example.org" }
wheels = [{ path = "forked-2.0-py3-none-any.whl", hash = "md5:22" }]

[[package]]
name = "web"
version = "3.0"
source = { registry = "https://index.example.org" }
dependencies = [{ name = "cyclic" }]
[package.optional-dependencies]
fast = [{ name = "loop" }]
slow = [{ name = "windows" }]

[[package]]
name = "cyclic"
version = "1"
source = { registry = "https://index.example.org" }
dependencies = [{ name = "web" }]
"""
MORE = "".join(
    f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n'
    'source = { registry = "https://index.example.org" }\n'
    for name, version in (
        ("loop", "1"),
        ("windows", "1"),
        ("server", "1"),
        ("build", "1.0"),
        ("build", "2.0"),
    )
)


def read(tmp_path: Path, text: str = LOCK + MORE) -> UvLock:
    (tmp_path / "uv.lock").write_text(text)
    return read_uv_lock(tmp_path / "uv.lock")


def versions(
    lock: UvLock,
    target: Target,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> dict[str, str]:
    found = lock.select("demo-app", target, extras=extras, groups=groups, exclude=exclude)
    return {name: package.version for name, (package, _) in found.items()}


PLAIN = {"cyclic": "1", "forked": "1.0", "loop": "1", "web": "3.0"}


def test_markers_choose_one_version_per_target(tmp_path: Path) -> None:
    lock = read(tmp_path)
    assert versions(lock, AMD64) == PLAIN
    assert versions(lock, ARM64) == {**PLAIN, "forked": "2.0"}


def test_extras_and_groups_add_what_they_hold(tmp_path: Path) -> None:
    lock = read(tmp_path)
    assert versions(lock, AMD64, extras=("cpu",)) == {**PLAIN, "build": "1.0"}
    assert versions(lock, AMD64, extras=("cuda",)) == {**PLAIN, "build": "2.0"}
    assert versions(lock, AMD64, groups=("serve",)) == {**PLAIN, "server": "1"}


def test_excluded_packages_and_what_only_they_require_are_left_out(tmp_path: Path) -> None:
    assert versions(read(tmp_path), AMD64, exclude=("web",)) == {"forked": "1.0"}


def test_parents_are_known(tmp_path: Path) -> None:
    found = read(tmp_path).select("demo-app", AMD64, extras=(), groups=(), exclude=())
    assert {name: sorted(parents) for name, (_, parents) in found.items()} == {
        "cyclic": ["web"],
        "forked": ["demo-app"],
        "loop": ["web"],
        "web": ["cyclic", "demo-app"],
    }


def test_wheels_are_known_by_file_name(tmp_path: Path) -> None:
    one, two = read(tmp_path).packages["forked"]
    assert one.wheels == {"forked-1.0+x-py3-none-any.whl": "11"}
    assert two.wheels == {"forked-2.0-py3-none-any.whl": ""}


@pytest.mark.parametrize(
    ("marker", "extra", "expected"),
    [
        ("", "", True),
        ("python_full_version < '3.12'", "", True),
        ("extra == 'cpu'", "", False),
        ("extra == 'cpu'", "cpu", True),
        ("extra == 'extra-3-app-cpu'", "", True),
        ("extra != 'extra-3-app-cpu'", "", False),
        ("extra == 'extra-3-app-cuda'", "", False),
        ("extra != 'extra-3-app-cuda'", "", True),
        ("extra == 'extra-5-other-cpu'", "", False),
        ("extra == 'group-3-app-serve'", "", True),
        ("extra == 'group-3-app-cpu'", "", False),
        ("extra == 'project-3-app'", "", True),
        ("extra == 'extra-3-app-cpu' and extra != 'extra-3-app-cuda'", "", True),
        ("extra == 'extra-nonsense'", "", False),
    ],
)
def test_markers_of_conflicting_extras(marker: str, extra: str, expected: bool) -> None:  # noqa: FBT001
    active = {("extra", "cpu"), ("group", "serve")}
    assert holds(marker, AMD64, "app", active, extra) is expected


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "cyclic" }]', 'name = "absent" }]', "holds absent 0 times"),
        (', version = "1.0", marker = "extra', ', marker = "extra', "holds build 2 times"),
        ("!= 'x86_64'", "!= 'x'", "forked would be there as"),
        ("== 'x86_64'", "is 'x86_64'", "is no marker"),
        ('{ virtual = "." }', '{ registry = "." }', "holds no project 'demo-app'"),
    ],
)
def test_a_lock_that_contradicts_itself(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert LOCK.count(old) == 1
    lock = read(tmp_path, (LOCK + MORE).replace(old, new))
    with pytest.raises(InvalidUvLock, match=says):
        versions(lock, AMD64, extras=("cpu",))
