# SPDX-License-Identifier: Apache-2.0
"""What ``wheelship lock`` says of one variant."""

from __future__ import annotations

from wheelship.build.locks import VariantLocked
from wheelship.lock.change import LockChange, PackageChange
from wheelship.report.lock import lock_text


def test_a_directory_without_a_version_is_named_alone() -> None:
    added = PackageChange(name="shared", old=None, new="", direct=True)
    other = PackageChange(name="torch", old="1.0", new="2.0", via=("a",), growth_bytes={"x": 10})
    wheels = LockChange(packages=(added, other), bytes={"linux/amd64": (5, 15)})
    assert lock_text({"cpu": VariantLocked(wheels=wheels, base=LockChange())}).splitlines() == [
        "cpu:",
        "  + shared  (direct)",
        "  ~ torch 1.0 → 2.0  (via a)  +10 B",
        "  linux/amd64: image grows by 10 B, 15 B to download",
    ]
