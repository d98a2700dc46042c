# SPDX-License-Identifier: Apache-2.0
"""Whether this machine's kernel hands programs of another architecture to an emulator.

QEMU's user-mode emulation is registered with binfmt_misc (kernel documentation,
admin-guide/binfmt-misc.rst). Inside an image the emulator's own path is not there, so it must have
been opened when it was registered: flag F.
"""

from __future__ import annotations

from pathlib import Path

from wheelship.elf import ELF

__all__ = ["BINFMT", "emulates"]

BINFMT = Path("/proc/sys/fs/binfmt_misc")
"""Where the kernel shows what is registered."""

_MACHINES = {"x86_64": 62, "aarch64": 183}  # EM_X86_64, EM_AARCH64
_MACHINE_AT = slice(18, 20)


def emulates(machine: str, registry: Path = BINFMT) -> bool:
    """Tell whether programs for ``machine`` (as ``uname -m`` says) run here, also inside a root."""
    try:
        if (registry / "status").read_text().strip() != "enabled":
            return False
        entries = [one.read_text() for one in registry.iterdir() if one.name not in _OWN]
    except OSError:  # not mounted, or not ours to read
        return False
    return any(_serves(text, machine) for text in entries)


_OWN = ("register", "status")


def _serves(text: str, machine: str) -> bool:
    lines = text.splitlines()
    fields = dict(line.partition(" ")[::2] for line in lines)
    try:
        magic = bytes.fromhex(fields.get("magic", ""))
    except ValueError:
        return False
    wanted = _MACHINES[machine].to_bytes(2, "little")
    return (
        lines[:1] == ["enabled"]
        and "F" in fields.get("flags:", "")
        and magic.startswith(ELF)
        and magic[_MACHINE_AT] == wanted
    )
