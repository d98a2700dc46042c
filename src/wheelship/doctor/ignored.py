# SPDX-License-Identifier: Apache-2.0
"""What git is to ignore, and what it must not: images no, locks yes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from wheelship.build.lockfile import LOCK_NAME
from wheelship.doctor.model import Finding, Patient
from wheelship.lock.document import lock_path

__all__ = ["check_ignored"]


def check_ignored(patient: Patient) -> Iterable[Finding]:
    """Ask git itself, which knows all places where such rules can stand."""
    request = patient.request
    if request is None:
        yield Finding(code="ignored", status="skipped", what="no project was named")
        return
    root, git = request.project.root, patient.find("git")
    if git is None or not any((one / ".git").exists() for one in (root, *root.parents)):
        yield Finding(code="ignored", status="skipped", what="no git, or no repository")
        return
    dist = _is_ignored(git, root, "dist/image", patient)
    if dist is None:
        yield Finding(code="ignored", status="skipped", what="git gave no answer")
        return
    if dist:
        yield Finding(code="ignored", status="ok", what="git ignores dist")
    else:
        yield Finding(
            code="dist-not-ignored",
            status="warning",
            what="git does not ignore dist, where images are written to",
            hint=f"echo /dist/ >> {root / '.gitignore'}",
        )
    names = [LOCK_NAME, *(lock_path(root, one).name for one in request.variants)]
    ignored = [name for name in names if _is_ignored(git, root, name, patient)]
    if ignored:
        yield Finding(
            code="lock-ignored",
            status="warning",
            what=f"git ignores {', '.join(ignored)}: others would build something else",
            hint=f"git add --force {' '.join(ignored)}",
        )


def _is_ignored(git: str, root: Path, name: str, patient: Patient) -> bool | None:
    try:
        done = subprocess.run(
            [git, "check-ignore", "--quiet", "--no-index", name],
            cwd=root,
            env=patient.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patient.seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # 0 ignored, 1 not, more: it could not tell, as in a repository of somebody else
    return None if done.returncode > 1 else done.returncode == 0
