# SPDX-License-Identifier: Apache-2.0
"""Who the service becomes, given who we are and what the kernel lets us map."""

from __future__ import annotations

import os
from pathlib import Path

from wheelship.engine.sandbox.packet import Namespaces

__all__ = ["is_privileged", "namespaces", "remedy"]

_PROC = Path("/proc")
_NEEDED_IDS = 65536
_CHOWN, _SETGID, _SETUID = 1 << 0, 1 << 6, 1 << 7
_SYSCTLS = (
    # (file, the value that forbids, the command that allows)
    (
        "sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("sys/user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
)


def is_privileged(uid: int, gid: int) -> bool:
    """Tell whether we may give files to anybody and become ``uid`` and ``gid``.

    Root in a container may lack the capabilities, root in a user namespace the ids.
    """
    status = (_PROC / "self/status").read_text("utf-8")
    (effective,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    wanted = _CHOWN | _SETGID | _SETUID
    ids = max(_NEEDED_IDS, uid + 1, gid + 1)
    return int(effective.split()[1], 16) & wanted == wanted and all(
        any(first == 0 and count >= ids for first, count in _extents(name))
        for name in ("uid_map", "gid_map")
    )


def namespaces(uid: int, gid: int) -> Namespaces:
    """Choose the id maps: all our ids for the privileged, else our own one in the image's place."""
    if is_privileged(uid, gid):
        uids, gids = (
            "".join(f"{first} {first} {count}\n" for first, count in _extents(name))
            for name in ("uid_map", "gid_map")
        )
        return {
            "outer_uids": uids,
            "outer_gids": gids,
            "inner_uids": uids,
            "inner_gids": gids,
            "set_groups": True,
            "uid": uid,
            "gid": gid,
        }
    return {
        "outer_uids": f"0 {os.geteuid()} 1\n",
        "outer_gids": f"0 {os.getegid()} 1\n",
        "inner_uids": f"{uid} 0 1\n",
        "inner_gids": f"{gid} 0 1\n",
        "set_groups": False,
        "uid": uid,
        "gid": gid,
    }


def remedy(proc: Path = _PROC) -> str | None:
    """Return the command that allows user namespaces where a setting of the kernel forbids them."""
    for name, forbidding, command in _SYSCTLS:
        try:
            if (proc / name).read_text("utf-8").strip() == forbidding:
                return command
        except OSError:
            continue
    return None


def _extents(name: str) -> list[tuple[int, int]]:
    rows = (line.split() for line in (_PROC / "self" / name).read_text("utf-8").splitlines())
    return [(int(row[0]), int(row[2])) for row in rows]
