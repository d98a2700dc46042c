# SPDX-License-Identifier: Apache-2.0
"""uv, which resolves: is it there, does it start, is it new enough?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from wheelship.doctor.model import Finding, Patient
from wheelship.lock.uv import clean_environment

__all__ = ["check_uv", "find_uv"]

_AGAIN = "uv tool install --reinstall wheelship"
_FLOOR = re.compile(r"uv\s*>=\s*([\d.]+)")


def find_uv() -> Path | None:
    """Return the uv that came with wheelship, None where its program is gone."""
    from uv import find_uv_bin

    try:
        return Path(find_uv_bin())
    except FileNotFoundError:
        return None


def check_uv(patient: Patient, program: Path | None = None) -> Iterable[Finding]:
    """Start uv and read its version; ``program`` takes the place of the one that is found."""
    program = program or find_uv()
    if program is None:
        yield Finding(code="uv", status="problem", what="uv came without its program", hint=_AGAIN)
        return
    try:
        done = subprocess.run(
            [str(program), "--version"],
            env=clean_environment(patient.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patient.seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"no answer within {patient.seconds:g} s"
        yield Finding(
            code="uv", status="problem", what=f"{program} cannot be run: {reason}", hint=_AGAIN
        )
        return
    match = re.match(r"uv (\d+(?:\.\d+)*)", done.stdout)
    if done.returncode != 0 or match is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        yield Finding(
            code="uv",
            status="problem",
            what=f"{program} --version ended with {done.returncode}: {' '.join(said[:1])}",
            hint=_AGAIN,
        )
        return
    floor = _floor()
    if _numbers(match[1]) < _numbers(floor):
        yield Finding(
            code="uv",
            status="problem",
            what=f"uv {match[1]} at {program} is older than {floor}",
            hint=_AGAIN,
        )
        return
    yield Finding(code="uv", status="ok", what=f"uv {match[1]} at {program}")


def _floor() -> str:
    """Return the oldest uv that will do, as wheelship's own metadata has it."""
    try:
        found = (_FLOOR.match(one) for one in requires("wheelship") or ())
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"
    return next((one[1] for one in found if one), "0")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
