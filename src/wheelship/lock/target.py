# SPDX-License-Identifier: Apache-2.0
"""What wheels are chosen for: a Python on a platform with a certain C library, never the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelship.oci.platform import Platform
from wheelship.request.requirement import PYTHONS

if TYPE_CHECKING:
    from packaging.markers import Environment
    from packaging.tags import Tag

__all__ = ["Target"]

_GLIBC_MINOR = {"3.11": 36, "3.13": 41}
"""Minor version of glibc 2 in the Debian release that has this Python: bookworm and trixie."""

_UV_GLIBC_MINORS = (17, 28, *range(31, 41))
"""Those for which uv has a ``--python-platform``; it has none above."""

_OLDEST_MANYLINUX = {"x86_64": 5, "aarch64": 17}
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Former names of some manylinux tags (PEP 600, "Legacy manylinux tags")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """CPython ``python`` (``3.11``) on ``platform``.

    Debian's, unless the base is another image: then ``release`` is its Python's exact version and
    ``glibc_minor`` the minor version of its glibc 2.
    """

    python: str
    platform: Platform
    release: str | None = None
    glibc_minor: int | None = None

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform}"

    @property
    def python_full(self) -> str:
        """The exact version, which markers may ask for."""
        return self.release or PYTHONS[self.python]

    @property
    def glibc(self) -> int:
        """Minor version of the glibc 2 that wheels are loaded with."""
        return _GLIBC_MINOR[self.python] if self.glibc_minor is None else self.glibc_minor

    @property
    def uv_platform(self) -> str:
        """The newest of uv's platforms whose wheels the base can load."""
        minor = max(minor for minor in _UV_GLIBC_MINORS if minor <= self.glibc)
        return f"{self.platform.machine}-manylinux_2_{minor}"

    @property
    def marker(self) -> str:
        """The environment marker that is true for this target only."""
        return (
            f"implementation_name == 'cpython' and platform_machine == '{self.platform.machine}'"
            f" and python_version == '{self.python}' and sys_platform == 'linux'"
        )

    def environment(self) -> Environment:
        """Return the values of all environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python_full,
            "os_name": "posix",
            "platform_machine": self.platform.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python_full,
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def tags(self) -> tuple[Tag, ...]:
        """Return the wheel tags that the base can load, the best first."""
        from packaging.tags import compatible_tags, cpython_tags

        major, minor = (int(part) for part in self.python.split("."))
        interpreter = f"cp{major}{minor}"
        platforms = self._platform_tags()
        version = (major, minor)
        return (
            *cpython_tags(version, [interpreter], platforms),
            *compatible_tags(version, interpreter, platforms),
        )

    def _platform_tags(self) -> list[str]:
        machine = self.platform.machine
        tags = [f"linux_{machine}"]
        for minor in range(self.glibc, _OLDEST_MANYLINUX[machine] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{machine}")
            if minor in _LEGACY_MANYLINUX:
                tags.append(f"{_LEGACY_MANYLINUX[minor]}_{machine}")
        return tags
