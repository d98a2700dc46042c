# SPDX-License-Identifier: Apache-2.0
"""Paths of an image turned into paths below its unpacked root."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from wheelship.engine.errors import StartFailed
from wheelship.engine.relocate import Relocated

LOADER = "/lib64/ld-linux-x86-64.so.2"


def elf(interpreter: str | None) -> bytes:
    """A 64-bit ELF file with one program header, as far as it is looked at."""
    text = (interpreter or "").encode() + b"\0"
    header = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1)
    )
    kind = 3 if interpreter else 1
    row = struct.pack("<IIQQQQQQ", kind, 4, 64 + 56, 0, 0, len(text), len(text), 1)
    return header.ljust(64, b"\0") + row + text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in {
        "usr/bin/python3.11": elf(LOADER),
        "usr/bin/static": elf(None),
        "usr/bin/env": elf(LOADER),
        "usr/bin/text": b"no program",
        "opt/venv/bin/service": b"#!/opt/venv/bin/python -u\nimport x\n",
        "opt/venv/bin/other": b"#!/usr/bin/env python\n",
        "opt/venv/bin/loop": b"#!/opt/venv/bin/loop\n",
        "opt/venv/pyvenv.cfg": b"home = /usr/bin\nversion = 3.11.2\n",
        "app/model.bin": b"",
        "etc/ld.so.conf.d/x.conf": b"# comment\n/opt/lib\n/gone\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
    for name in ("opt/lib", "usr/lib", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "opt/venv/bin/python").symlink_to("/usr/bin/python3.11")
    (tmp_path / "opt/venv/bin/odd").symlink_to("../../../usr/bin/text")
    (tmp_path / "opt/proc").symlink_to("/proc/self/fd")
    return tmp_path


def relocated(root: Path, *writable: str, **env: str) -> Relocated:
    found = Relocated(root, {"PATH": "/opt/venv/bin:/usr/bin", **env}, writable)
    found.prepare()
    return found


def test_console_script_runs_with_the_images_loader_and_python(root: Path) -> None:
    argv = relocated(root).argv(["service", "--port", "80"])
    python, script = f"{root}/opt/venv/bin/python", f"{root}/opt/venv/bin/service"
    libraries = f"{root}/opt/lib:{root}/usr/lib"
    assert argv == [
        root.as_posix() + LOADER,
        *("--inhibit-cache", "--library-path", libraries, "--argv0", python),
        *(python, "-u", script, "--port", "80"),
    ]


def test_env_in_a_script_is_looked_up_in_the_image(root: Path) -> None:
    argv = relocated(root).argv(["/opt/venv/bin/other"])
    assert argv[-2:] == [f"{root}/opt/venv/bin/python", f"{root}/opt/venv/bin/other"]


def test_static_program_needs_no_loader(root: Path) -> None:
    assert relocated(root).argv(["static", "x"]) == [f"{root}/usr/bin/static", "x"]


@pytest.mark.parametrize("program", ["gone", "/gone", "text", "odd", "loop"])
def test_what_cannot_be_executed_is_said(root: Path, program: str) -> None:
    with pytest.raises(StartFailed, match=f"cannot execute {program}"):
        relocated(root).argv([program])


def test_absolute_links_and_venvs_lead_into_the_root(root: Path) -> None:
    relocated(root)
    link = root / "opt/venv/bin/python"
    assert not link.readlink().is_absolute()
    assert link.resolve() == root / "usr/bin/python3.11"
    assert f"home = {root}/usr/bin\n" in (root / "opt/venv/pyvenv.cfg").read_text()
    assert (root / "opt/proc").readlink() == Path("/proc/self/fd")  # the kernel's, not the image's


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/data", "ROOT/data"),
        ("/data/x.db", "ROOT/data/x.db"),
        ("sqlite:////data/x.db", "sqlite:///ROOT/data/x.db"),
        ("--dir=/data", "--dir=ROOT/data"),
        ("/data:/app/model.bin", "ROOT/data:ROOT/app/model.bin"),
        ("/app/model.bin", "ROOT/app/model.bin"),
        ("/srv/data", "/srv/data"),
        ("/database", "/database"),
        ("https://example.org/data/x", "https://example.org/data/x"),
        ("/not/there", "/not/there"),
        ("/", "/"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_values_are_moved_where_they_name_the_image(root: Path, value: str, expected: str) -> None:
    moved = relocated(root, "/data").env({"VALUE": value})
    assert moved["VALUE"] == expected.replace("ROOT", str(root))


def test_environment_keeps_the_image_apart_from_this_machine(root: Path) -> None:
    env = relocated(root, LD_LIBRARY_PATH="/usr/lib").env(
        {"PATH": "ignored", "LD_LIBRARY_PATH": "/usr/lib", "TMPDIR": "/tmp"}  # noqa: S108 - the image's own
    )
    assert env == {
        "PATH": f"{root}/opt/venv/bin:{root}/usr/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": f"{root}/tmp",  # noqa: S108 - the image's own
    }
