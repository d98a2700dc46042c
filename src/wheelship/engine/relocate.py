# SPDX-License-Identifier: Apache-2.0
"""Runs programs of an unpacked image in place, through the image's own dynamic loader.

The kernel executes a dynamic program through the loader at a fixed path, which outside the image is
this machine's. Called by its own path with ``--library-path``, the image's loader needs no chroot.
Paths in arguments and variables are turned into paths below the unpacked root; paths written in the
service's code are not, which is why this is the last resort.
"""

from __future__ import annotations

import os
import posixpath
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from wheelship.engine.errors import StartFailed

__all__ = ["Relocated", "unlock"]

_ELF, _SCRIPT = b"\x7fELF", b"#!"
_PROGRAM_INTERPRETER = 3
_HEAD_BYTES = 64 * 1024
_SCRIPTS_MAX = 4
_KERNEL_TREES = ("/proc", "/sys", "/dev")
_TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")
_LIBRARY_DIRECTORIES = ("/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64")


class Relocated:
    """An unpacked image at ``root`` whose programs are to run where they lie.

    ``writable`` are the image's writable directories: paths below them are relocated wherever they
    stand, inside a URL as well, other paths where they are whole and exist in the image.
    """

    def __init__(self, root: Path, env: Mapping[str, str], writable: Sequence[str]) -> None:
        self._root = str(root)
        self._path = env.get("PATH", "")
        directories = "|".join(re.escape(path) for path in sorted(writable, reverse=True))
        # What precedes must not be part of a longer path: /srv/data is not /data.
        self._writable = re.compile(rf"(?<![\w.-])(?:{directories})(?=[/:\"'?&]|$)")
        self._libraries = ":".join(self._library_directories(env.get("LD_LIBRARY_PATH", "")))

    def prepare(self) -> None:
        """Make absolute links and virtual environments point below the root, once."""
        for top, directories, files in os.walk(self._root):
            for name in (*directories, *files):
                path = f"{top}/{name}"
                if os.path.islink(path):  # noqa: PTH114 - tens of thousands of times
                    self._relativize(path)
            if "pyvenv.cfg" in files:
                self._move_venv(Path(top, "pyvenv.cfg"))

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return ``env`` with its paths relocated."""
        moved = {name: self._moved(value) for name, value in env.items()}
        moved["PATH"] = ":".join(self._root + path for path in self._path.split(":") if path)
        moved.pop("LD_LIBRARY_PATH", None)  # it would reach programs of this machine, too
        # The tree is writable here; what runs must not leave bytecode of another process in it.
        own = {"TMPDIR": f"{self._root}/tmp", "PYTHONDONTWRITEBYTECODE": "1"}  # noqa: S108 - below the root
        return own | moved

    def argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command that executes ``argv`` of the image here.

        Raises:
            StartFailed: the image has no such program, or it is of an unknown kind.
        """
        program, arguments = self._find(argv[0]), [self._moved(one) for one in argv[1:]]
        for _ in range(_SCRIPTS_MAX):
            with program.open("rb") as file:
                head = file.read(_HEAD_BYTES)
            if head.startswith(_ELF):
                return [*self._loader(head, program), str(program), *arguments]
            if not head.startswith(_SCRIPT):
                break
            # execve(2): one interpreter, at most one argument, then the script.
            line = head[2:].partition(b"\n")[0].decode("utf-8", "replace").strip()
            interpreter, _, argument = line.partition(" ")
            words = [argument.strip()] if argument.strip() else []
            if posixpath.basename(interpreter) == "env" and words:
                interpreter, words = words[0], []
            arguments = [*words, str(program), *arguments]
            program = self._find(interpreter)
        raise StartFailed(f"cannot execute {argv[0]}: neither an ELF program nor a script for one")

    def loader(self, interpreter: str) -> list[str]:
        """Return what starts an ELF program that names the loader ``interpreter``.

        The program's path below the root follows; any glibc accepts these arguments.
        """
        return [self._root + interpreter, "--inhibit-cache", "--library-path", self._libraries]

    def _find(self, program: str) -> Path:
        folders = [""] if program.startswith("/") else self._path.split(":")
        for folder in folders:
            path = Path(f"{self._root}{folder}/{program}")
            if path.is_file() and os.access(path, os.X_OK):
                return path
        raise StartFailed(f"cannot execute {program}: No such file or directory")

    def _loader(self, head: bytes, program: Path) -> list[str]:
        interpreter = _elf_interpreter(head)
        if interpreter is None:
            return []  # static: the kernel needs nobody's help
        return [*self.loader(interpreter), "--argv0", str(program)]

    def _moved(self, value: str) -> str:
        parts = [
            self._root + part if part.startswith("/") and self._holds(part) else part
            for part in value.split(":")
        ]
        if parts != value.split(":"):
            return ":".join(parts)
        return self._writable.sub(lambda match: self._root + match.group(), value)

    def _holds(self, path: str) -> bool:
        return path != "/" and (
            bool(self._writable.match(path)) or Path(self._root + path).exists()
        )

    def _library_directories(self, first: str) -> list[str]:
        conf = sorted(Path(self._root, "etc/ld.so.conf.d").glob("*.conf"))
        named = [
            line.strip()
            for file in conf
            for line in file.read_text("utf-8", "replace").splitlines()
            if line.startswith("/")
        ]
        # Of the image's architecture, which may be an emulated one; others are not there.
        triplets = [f"{base}/{name}" for name in _TRIPLETS for base in ("/lib", "/usr/lib")]
        wanted = [*first.split(":"), *named, *triplets, *_LIBRARY_DIRECTORIES]
        found = (self._root + path for path in dict.fromkeys(wanted) if path)
        return [path for path in found if Path(path).is_dir()]

    def _relativize(self, path: str) -> None:
        target = os.readlink(path)  # noqa: PTH115 - tens of thousands of times
        if target.startswith("/") and not target.startswith(_KERNEL_TREES):
            relative = os.path.relpath(self._root + target, posixpath.dirname(path))
            unlock(Path(path).parent)
            Path(path).unlink()
            Path(path).symlink_to(relative)

    def _move_venv(self, file: Path) -> None:
        # Python finds its standard library from here, in isolated mode as well.
        text = file.read_text("utf-8", "replace")
        file.chmod(0o644)  # unpacked as the service may use it, not as we may
        file.write_text(
            re.sub(r"(?m)^(home\s*=\s*)(/.*)$", lambda m: m[1] + self._root + m[2], text), "utf-8"
        )


def unlock(directory: Path) -> None:
    """Let us write into a directory that was unpacked as the service may use it."""
    directory.chmod(directory.stat().st_mode | 0o700)


def _elf_interpreter(head: bytes) -> str | None:
    """Return the PT_INTERP of a 64-bit little-endian ELF file; None for a static one."""
    (table,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for at in range(table, table + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", head, at)
        if kind == _PROGRAM_INTERPRETER:
            return head[offset : offset + length].rstrip(b"\0").decode("utf-8", "replace")
    return None
