# SPDX-License-Identifier: Apache-2.0
"""Which interpreter what an image stands on has, and where."""

from __future__ import annotations

from wheelship.base.model import BaseImage
from wheelship.debian.errors import InvalidDebianLock
from wheelship.plan.model import Foundation

__all__ = ["interpreter_build", "interpreter_path"]


def interpreter_path(base: Foundation, python: str) -> str:
    """Return the absolute path of the base's interpreter in the image."""
    return base.python.path if isinstance(base, BaseImage) else f"/usr/bin/python{python}"


def interpreter_build(lock: Foundation, python: str) -> str:
    """Return which exact interpreter ``lock`` has.

    Of Debian's this names no architecture: equal versions write equal bytecode on all of them.

    Raises:
        InvalidDebianLock: it has none.
    """
    if isinstance(lock, BaseImage):
        return f"{lock.python.version}/{lock.python.build}"
    for package in lock.packages:
        if package.name == f"python{python}-minimal":
            return f"{python}/{package.version}"
    raise InvalidDebianLock(
        f"the base holds no python{python}-minimal",
        where="wheelship.lock",
        hint="remove wheelship.lock and run `wheelship lock`",
    )
