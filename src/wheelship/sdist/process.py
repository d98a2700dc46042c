# SPDX-License-Identifier: Apache-2.0
"""Runs the build: ``uv build`` in an environment of its own, with nothing but what was pinned.

A build is a program of the source's authors. It gets no credentials (no variable of ours but PATH,
a home and a temporary directory that are removed afterwards), and uv neither an index nor the
network: the wheels it may install lie in one directory. Where the machine allows it the backend has
no network either. What else it does is not held back; who does not trust a source should not build
it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelship.archive.entry import EPOCH_SECONDS
from wheelship.lock.toml import array, string
from wheelship.request.model import BuildRule
from wheelship.sdist.errors import SdistBuildFailed

__all__ = ["Workshop", "build_wheel"]

_LAST_LINES = 25
_NOT_FOUND = re.compile(r"[Bb]ecause (\S+) was not found in the provided package locations")
_UNMET = re.compile(r"No solution found when resolving: (.*)")
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_COMPILER = re.compile(
    r"command '?(?:\S*/)?\S*(?:gcc|cc|g\+\+|c\+\+|clang)'? failed: No such file|"
    r"[Nn]o such file or directory: '(?:gcc|cc|g\+\+|c\+\+)'|"
    r"(?:Unknown|Could not find|Failed to find).{0,20}[Cc]ompiler"
)
_NETWORK = re.compile(
    r"[Nn]etwork is unreachable|[Nn]ame or service not known|[Cc]ould ?n.t resolve host"
    r"|[Cc]ould not resolve host|Temporary failure in name resolution|dns error"
)
_HEADER = re.compile(r"fatal error: (\S+): No such file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where and with what a build runs.

    Attributes:
        work: an empty directory that is removed afterwards.
        tools: a directory of the wheels that may be installed.
        python: the interpreter that runs the backend.
        path: the value of PATH.
        prefix: words to put before the command.
    """

    uv: Path
    python: Path
    work: Path
    tools: Path
    path: str
    prefix: tuple[str, ...] = ()


def build_wheel(source: Path, name: str, rule: BuildRule, shop: Workshop) -> Path:
    """Build the source tree at ``source`` and return the wheel.

    Raises:
        SdistBuildFailed: the backend failed, or wants what was not pinned.
    """
    for folder in ("home", "tmp", "cache", "out"):
        (shop.work / folder).mkdir()
    settings = shop.work / "uv.toml"
    settings.write_text(_settings(shop), "utf-8")
    command = [*shop.prefix, str(shop.uv), "build", "--wheel", str(source)]
    command += ["--out-dir", str(shop.work / "out")]
    command += ["--python", str(shop.python), "--config-file", str(settings), "--no-sources"]
    # Without it uv would build what uses its own backend itself, in another version than pinned.
    command += ["--offline", "--force-pep517", "--no-create-gitignore"]
    # One word each: a setting may begin with a hyphen itself.
    command += [f"--config-setting={key}={one}" for key, texts in rule.settings for one in texts]
    log = shop.work / "log"
    status = _run(command, _environment(rule, shop), log)
    wheels = list((shop.work / "out").glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise _failure(name, log.read_text("utf-8", "replace"), status)
    return wheels[0]


def _settings(shop: Workshop) -> str:
    lines = ["no-index = true", f"find-links = {array([string(str(shop.tools))])}"]
    return "\n".join(lines) + "\n"


def _environment(rule: BuildRule, shop: Workshop) -> dict[str, str]:
    """Return all variables of the build; equal ones make equal files where a backend can."""
    # The work directory has another name each time, and debug information would hold it.
    flags = f"-g0 -ffile-prefix-map={shop.work}=."
    given = dict(rule.env)
    return {
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        **given,
        "PATH": given.get("PATH", shop.path),
        "CFLAGS": f"{flags} {given.get('CFLAGS', '')}".rstrip(),
        "CXXFLAGS": f"{flags} {given.get('CXXFLAGS', '')}".rstrip(),
        "HOME": str(shop.work / "home"),
        "TMPDIR": str(shop.work / "tmp"),
        "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS),
        "PYTHONHASHSEED": "0",
        "UV_CACHE_DIR": str(shop.work / "cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }


def _run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Run ``command`` with its output in ``log``; whatever it started ends with us."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=log.parent,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,
        ) as process,
    ):
        try:
            return process.wait()
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


def _failure(name: str, text: str, status: int) -> SdistBuildFailed:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    said = "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])
    return SdistBuildFailed(
        f"its backend failed with status {status}; it said last:\n{said}",
        where=name,
        hint=_hint(name, text),
    )


def _hint(name: str, text: str) -> str:
    table = f"[tool.wheelship.sdist.{name}]\n"
    missing = _NOT_FOUND.search(text) or _MODULE.search(text)
    if missing is not None:
        package = missing[1].partition(".")[0]
        # The module that setuptools 81 lost is the commonest of all; its name is no package's.
        wanted = "setuptools<81" if package in ("pkg_resources", "distutils") else package
        return f"its build needs more than it says:\n{table}requires = [{string(wanted)}]"
    if _NETWORK.search(text):
        return f"it wants the network, and what it loads stands in no lock:\n{table}network = true"
    if _UNMET.search(text):
        return f'ask for versions that fit together:\n{table}requires = ["…"]'
    if (header := _HEADER.search(text)) is not None:
        package = "python3-dev" if header[1] == "Python.h" else f"the package that has {header[1]}"
        return f"it compiles code; install {package} on this machine: apt-get install …"
    if _COMPILER.search(text):
        return "it compiles code and this machine has no compiler: apt-get install build-essential"
    return (
        "build the wheel where it can be built, and name its directory:\n"
        f'pip wheel --no-deps --wheel-dir wheels {name}\nfind-links = ["wheels"]'
    )
