# SPDX-License-Identifier: Apache-2.0
"""The history of a version control system."""

from __future__ import annotations

from wheelship.inspect.model import Sizes
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste


def test_counts_the_whole_directory() -> None:
    """All files of ``.git`` count, in all three sizes, and stand under one name."""
    layer = [
        Made("app/.git/HEAD", 23),
        Made("app/.git/objects/pack/one.pack", 10_000),
        Made("app/service.py", 500),
    ]
    (found,) = waste("git-directory", layer)
    assert found.paths == ("app/.git",)
    assert found.sizes == Sizes(23 // 2 + 100 + 5_100, 1024 + 512 + 10_240, 10_023)
    assert ".dockerignore" in found.fix


def test_leaves_alone_what_is_called_alike() -> None:
    layer = [Made("app/.gitignore", 5000), Made("app/.github/x.yml", 5000), Made("a.git/x", 5000)]
    assert waste("git-directory", layer) == []


def test_counts_at_the_root() -> None:
    (found,) = waste("git-directory", [Made(".git/config", 300)])
    assert found.paths == (".git",)
