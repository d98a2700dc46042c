# SPDX-License-Identifier: Apache-2.0
"""What of a directory matters to a build: it is copied, and it is in the digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wheelship.sdist.directory import copy_directory, directory_digest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for path in ("pkg/code.py", "pkg/build/kept.py", "build/old.py", ".git/HEAD", "out/x", "a.log"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / ".gitignore").write_text("/out/\n*.log\n")
    (root / ".env").write_text("SECRET=1")
    (root / "pkg/link.py").symlink_to("code.py")
    (root / "venv").mkdir()
    (root / "venv/pyvenv.cfg").touch()
    return root


def test_what_is_copied(project: Path, tmp_path: Path) -> None:
    copy = copy_directory(project, tmp_path / "copy")
    found = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    kept = ["pkg/build/kept.py", "pkg/code.py", "pkg/link.py"]
    # Ignored files are kept, for they may be made by a tool that the build relies on.
    assert found == [".gitignore", "a.log", *kept]
    assert (copy / "pkg/link.py").is_symlink()


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda root: (root / "pkg/code.py").write_text("other"), True),
        (lambda root: (root / "pkg/code.py").chmod(0o755), True),
        (lambda root: (root / "pkg/code.py").rename(root / "pkg/name.py"), True),
        (lambda root: (root / "pkg/link.py").unlink(), True),
        (lambda root: (root / "build/old.py").write_text("other"), False),
        (lambda root: (root / ".git/HEAD").write_text("other"), False),
        (lambda root: (root / "out/x").write_text("other"), False),
        (lambda root: (root / "pkg/code.py").touch(), False),
    ],
)
def test_the_digest_changes_with_what_is_copied(
    project: Path, change: Callable[[Path], object], *, matters: bool
) -> None:
    before = directory_digest(project)
    change(project)
    assert (directory_digest(project) != before) is matters
