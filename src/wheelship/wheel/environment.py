# SPDX-License-Identifier: Apache-2.0
"""The virtual environment inside an image: its prefix and where things go in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INSTALL_VERSION", "Environment"]

INSTALL_VERSION = 2
"""Part of every wheel layer's key; raise it whenever a wheel would be installed differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment inside the image; ``prefix`` is absolute, ``python`` is ``"3.11"``."""

    python: str
    prefix: str = "/opt/venv"

    @property
    def interpreter(self) -> str:
        """Absolute path of the interpreter that scripts name."""
        return f"{self.prefix}/bin/python"

    @property
    def root(self) -> str:
        """The prefix as a path inside a layer."""
        return self.prefix.lstrip("/")

    @property
    def site_packages(self) -> str:
        """site-packages as a path inside a layer; purelib and platlib are one on Debian."""
        return f"{self.root}/lib/python{self.python}/site-packages"

    def scheme(self, name: str, distribution: str) -> str | None:
        """Return the directory of an installation scheme as a path inside a layer."""
        return {
            "purelib": self.site_packages,
            "platlib": self.site_packages,
            "scripts": f"{self.root}/bin",
            "data": self.root,
            "headers": f"{self.root}/include/site/python{self.python}/{distribution}",
        }.get(name)
