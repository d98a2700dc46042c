# SPDX-License-Identifier: Apache-2.0
"""Takes the network from a build, where this machine lets us.

What a backend downloads while it builds stands in no lock, and is another thing tomorrow. The
program ``unshare`` of util-linux starts the build in a network namespace without any interface
(network_namespaces(7)): as an ordinary user within a user namespace, which some machines and most
containers forbid; as root also without one.
"""

from __future__ import annotations

import shutil
import subprocess

__all__ = ["without_network"]

_WAYS = (("--map-current-user", "--net"), ("--net",))
_SECONDS = 10


def without_network(path: str) -> tuple[str, ...] | None:
    """Return the words to put before a command so that it has no network; None = no way to it.

    ``path`` is the value of PATH.
    """
    program, nothing = shutil.which("unshare", path=path), shutil.which("true", path=path)
    if program is None or nothing is None:
        return None
    for way in _WAYS:
        words = (program, *way, "--")
        try:
            subprocess.run(
                [*words, nothing],
                env={},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return words
    return None
