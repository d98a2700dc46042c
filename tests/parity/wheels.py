# SPDX-License-Identifier: Apache-2.0
"""The lists of real wheels, and a directory of their files that is kept between runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

__all__ = ["PYTHON", "DownloadFailed", "default_folder", "fetch", "read_list"]

PYTHON = "3.11"
_PLATFORMS = ("manylinux_2_36", "manylinux_2_28", "manylinux_2_27", "manylinux_2_24")
_OLD_PLATFORMS = ("manylinux2014", "manylinux2010", "manylinux1", "linux")
_PROCESSES = 4

Pin = tuple[str, str]
"""Normalised name and version."""


class DownloadFailed(Exception):
    """The package index does not answer, or has no such wheel."""


def default_folder() -> Path:
    """Return where the files are kept; ``WHEELSHIP_TEST_STORE`` names another place."""
    named = os.environ.get("WHEELSHIP_TEST_STORE")
    return Path(named or tempfile.gettempdir(), "wheelship-parity")


def read_list(path: Path) -> list[Pin]:
    """Return the pins of a list: one ``name==version`` a line, comments after ``#``."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    pins = [line.split("==") for line in lines if line]
    return [(canonicalize_name(name), version) for name, version in pins]


def fetch(pins: Sequence[Pin], folder: Path) -> dict[Pin, Path]:
    """Return the file of each pin; what is not in ``folder`` yet is downloaded into it.

    Raises:
        DownloadFailed: a wheel cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lacking = [pin for pin in pins if pin not in _present(folder)]
    batches = [batch for batch in _batches(lacking) if batch]
    with ThreadPoolExecutor(_PROCESSES) as pool:
        list(pool.map(lambda batch: _download(batch, folder), batches))
    present = _present(folder)
    return {pin: present[pin] for pin in pins}


def _batches(pins: Sequence[Pin]) -> list[list[Pin]]:
    """Spread the pins; pip takes two versions of one name for a conflict, so they are parted."""
    batches: list[list[Pin]] = [[] for _ in range(_PROCESSES)]
    for number, pin in enumerate(pins):
        ordered = batches[number % _PROCESSES :] + batches[: number % _PROCESSES]
        batch = next((one for one in ordered if pin[0] not in dict(one)), None)
        if batch is None:
            batches.append([pin])
        else:
            batch.append(pin)
    return batches


def _present(folder: Path) -> dict[Pin, Path]:
    found: dict[Pin, Path] = {}
    for path in sorted(folder.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        found[name, str(version)] = path
    return found


def _download(pins: Sequence[Pin], folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", PYTHON]
    for platform in (*_PLATFORMS, *_OLD_PLATFORMS):
        command += ["--platform", f"{platform}_x86_64"]
    command += [f"{name}=={version}" for name, version in pins]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if result.returncode != 0:
        raise DownloadFailed(result.stderr[-500:])
