# SPDX-License-Identifier: Apache-2.0
"""Which kernel setting forbids namespaces, and the command that allows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.engine.identity import remedy


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
    ],
)
def test_forbidding_setting_has_its_cure(
    tmp_path: Path, name: str, value: str, command: str
) -> None:
    path = tmp_path / "sys" / name
    path.parent.mkdir(parents=True)
    path.write_text(f"{value}\n")
    assert remedy(tmp_path) == command
    path.write_text("63000\n" if "max" in name else f"{1 - int(value)}\n")
    assert remedy(tmp_path) is None


def test_no_setting_no_cure(tmp_path: Path) -> None:
    assert remedy(tmp_path) is None
