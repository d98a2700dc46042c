# SPDX-License-Identifier: Apache-2.0
"""Locks that belong together are changed together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.build.lockfile import all_or_nothing


@pytest.fixture
def locks(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "one").write_text("old")
    return tmp_path / "one", tmp_path / "two"


def change(locks: tuple[Path, Path]) -> None:
    for path in locks:
        path.write_text("new")


def test_what_succeeds_is_kept(locks: tuple[Path, Path]) -> None:
    with all_or_nothing(locks):
        change(locks)
    assert [path.read_text() for path in locks] == ["new", "new"]


def test_what_fails_is_put_back(locks: tuple[Path, Path]) -> None:
    with pytest.raises(KeyboardInterrupt), all_or_nothing(locks):
        change(locks)
        raise KeyboardInterrupt
    assert locks[0].read_text() == "old"
    assert not locks[1].exists()


def test_a_trial_is_put_back_too(locks: tuple[Path, Path]) -> None:
    with all_or_nothing(locks, keep=False):
        change(locks)
    assert locks[0].read_text() == "old"
    assert not locks[1].exists()
