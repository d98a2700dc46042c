# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about emulators, read as it writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.engine.emulation import emulates

# As Linux 6.1 shows what Debian's qemu-user registers.
ARM = """\
enabled
interpreter /usr/bin/qemu-aarch64
flags: OCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
PYTHON = """\
enabled
interpreter /usr/bin/python3.11
flags:
offset 0
magic a70d0d0a
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "python3.11").write_text(PYTHON)
    return tmp_path


def test_a_registered_emulator_serves_its_machine_alone(registry: Path) -> None:
    assert not emulates("aarch64", registry)
    (registry / "qemu-aarch64").write_text(ARM)
    assert emulates("aarch64", registry)
    assert not emulates("x86_64", registry)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("enabled", "disabled"),
        ("OCF", "OC"),  # it would be looked for inside the image
        ("7f454c460201", "7f454c460101"),  # 32 bits
        ("b700", "2800"),
        ("magic 7f", "magic xx"),
        ("magic", "extension"),
    ],
)
def test_what_does_not_serve_is_told_from_what_does(registry: Path, old: str, new: str) -> None:
    (registry / "qemu").write_text(ARM.replace(old, new))
    assert not emulates("aarch64", registry)


def test_binfmt_switched_off_or_not_there_serves_nothing(registry: Path) -> None:
    (registry / "qemu").write_text(ARM)
    (registry / "status").write_text("disabled\n")
    assert not emulates("aarch64", registry)
    assert not emulates("aarch64", registry / "nowhere")
