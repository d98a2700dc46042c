# SPDX-License-Identifier: Apache-2.0
"""Steps about confinement: the user, the read-only root, no need of a network (R17)."""

from __future__ import annotations

from wheelship.engine.check.report import Finding
from wheelship.engine.check.scene import Scene
from wheelship.engine.errors import ImageNotRunnable
from wheelship.engine.program import numeric_user

__all__ = ["offline", "read_only_root", "user"]

_READ_ONLY = "EROFS"  # EACCES would only say that this user may not


def user(scene: Scene) -> Finding:
    """Compare who the service is with who the image says, and see that it is nobody special."""
    try:
        uid, gid = numeric_user(scene.image.config)
    except ImageNotRunnable as error:
        return Finding("failed", f"{error.message}; Kubernetes' runAsNonRoot refuses it")
    if uid == 0:
        return Finding("failed", "the image runs as root")
    if "user" in scene.running.unproven:
        return Finding("not-proven", scene.running.unproven["user"])
    facts = scene.facts
    found = f"{facts['uid']}:{facts['gid']}"
    if found != f"{uid}:{gid}":
        return Finding("failed", f"runs as {found}, the image says {uid}:{gid}")
    if facts["capabilities"].strip("0") or facts["no_new_privileges"] != "1":
        return Finding("failed", f"runs as {found}, but has privileges or could gain some")
    return Finding("passed", f"{found}, no capabilities, no new privileges")


def read_only_root(scene: Scene) -> Finding:
    """Try to write where the service must not be able to, and where it must be."""
    facts = scene.facts
    locked = [f"{path} ({why})" for path, why in facts["open"].items() if why]
    if locked:
        return Finding("failed", "cannot write to " + ", ".join(locked))
    if "read-only-root" in scene.running.unproven:
        return Finding("not-proven", scene.running.unproven["read-only-root"])
    closed = facts["closed"]
    loose = [f"{path} ({why or 'written'})" for path, why in closed.items() if why != _READ_ONLY]
    if loose:
        return Finding("failed", "not read-only: " + ", ".join(loose))
    return Finding("passed", f"{', '.join(closed)} read-only; {', '.join(facts['open'])} writable")


def offline(scene: Scene) -> Finding:
    """Say whether the service got here without any network, as it must in a closed cluster."""
    if "offline" in scene.running.unproven:
        return Finding("not-proven", scene.running.unproven["offline"])
    return Finding("passed", "has a loopback interface and no other")
