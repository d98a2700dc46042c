# SPDX-License-Identifier: Apache-2.0
"""Runs ``uv pip compile`` for one target and tells its failures apart.

One run per target, not one ``uv lock`` for all: only here does uv know the C library of the base. A
package whose newest release is built for a newer one is then locked at the release before;
``uv lock`` locks the newest and leaves the image without a wheel.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelship.errors import NetworkError
from wheelship.lock.errors import (
    IndexOffline,
    IndexUnauthorized,
    IndexUnreachable,
    SdistOnly,
    SourceUnusable,
    Unresolvable,
    UvFailed,
    UvMissing,
)
from wheelship.lock.target import Target
from wheelship.wheel.name import normalized

__all__ = ["Uv", "clean_environment"]

_WITHOUT = re.compile(
    r"UV_(?:TORCH_BACKEND|FIND_LINKS|PYTHON|SYSTEM_PYTHON|NO_SOURCES\w*|NO_BINARY\w*|ONLY_BINARY\w*"
    r"|NO_BUILD\w*|REQUIRE_HASHES|PROJECT|WORKING_DIR\w*|CUSTOM_COMPILE_COMMAND"
    r"|CONSTRAINT|OVERRIDE|EXCLUDE|BUILD_CONSTRAINT|NO_CONFIG|CONFIG_FILE)"
)
"""Settings that would change what is resolved, or how the answer is written. The last two
would make uv ignore the generated project's table, and with it where torch comes from."""

_NEEDS_WHEEL = re.compile(r"Wheels are required for `([^`]+)` because building from source")
_SOURCE_FAILED = re.compile(r"Failed to (?:build|download and build) `([^`]+)`")
_REPOSITORY = re.compile(r"git\+(?P<address>(?!ssh)\w+://[^@#`\s]+)")
_USERINFO = re.compile(r"://[^/@\s]+@")
_VIA = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*).*?\s# via (?P<parents>.*)")
_NETWORK = re.compile(
    "Failed to fetch|error sending request|Failed to download(?! and build)|Request failed after"
)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv: its own settings stay, except those we decide ourselves."""
    kept = {name: text for name, text in environ.items() if not _WITHOUT.fullmatch(name)}
    return {**kept, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """The uv program, and how it is to be run.

    Attributes:
        binary: the program.
        python: an interpreter; uv wants one although nothing is built or installed. Naming it
            spares uv the search (0.3 s).
        environment: all environment variables of the process.
    """

    binary: Path
    python: Path
    environment: Mapping[str, str]
    offline: bool = False

    def compile(self, directory: Path, target: Target, options: Sequence[str]) -> None:
        """Resolve ``pyproject.toml`` in ``directory`` into ``pylock.result.toml`` there.

        Versions in a ``pylock.result.toml`` that is there already are kept where possible.

        Raises:
            Unresolvable: no versions fit together.
            NetworkError: an index did not answer.
            MachineError: uv could not be run.
        """
        arguments = ["--format", "pylock.toml", "-o", "pylock.result.toml", *options]
        self._run(directory, target, arguments, offline=self.offline)

    def parents(
        self, directory: Path, target: Target, options: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """Return who requires whom in the resolution that ``compile`` left in ``directory``.

        Keys and values are normalised names; the project itself is no parent.

        Raises:
            WheelshipError: as for :meth:`compile`.
        """
        arguments = ["--annotation-style", "line", *options]
        try:
            # Everything it needs was fetched a moment ago; offline it asks nobody again.
            output = self._run(directory, target, arguments, offline=True)
        except (Unresolvable, NetworkError):
            # A wheel named by its address is not cached; the cache may be turned off altogether.
            output = self._run(directory, target, arguments, offline=self.offline)
        found: dict[str, tuple[str, ...]] = {}
        for line in output.splitlines():
            match = _VIA.match(line)
            if match:
                parents = [one.strip() for one in match["parents"].split(",")]
                found[normalized(match["name"])] = tuple(
                    normalized(one) for one in parents if re.fullmatch(r"[\w.-]+", one)
                )
        return found

    def _run(
        self, directory: Path, target: Target, arguments: Sequence[str], *, offline: bool
    ) -> str:
        command = [str(self.binary), "pip", "compile", "pyproject.toml", "--no-header"]
        # `--no-build` cannot be combined with exceptions from it; this says the same and can.
        command += ["--only-binary", ":all:", "--python", str(self.python)]
        command += ["--python-version", target.python_full, "--python-platform", target.uv_platform]
        command += [*arguments, *(["--offline"] if offline else [])]
        try:
            done = subprocess.run(
                command,
                cwd=directory,
                env=clean_environment(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise UvMissing(
                f"cannot be run: {error.strerror}",
                where=str(self.binary),
                hint="reinstall wheelship; uv comes with it",
            ) from error
        if done.returncode != 0:
            raise _failure(done.stderr, done.returncode, target)
        return done.stdout


def _failure(stderr: str, status: int, target: Target) -> Exception:
    """Return our error for what uv said."""
    text = _explanation(stderr)
    if (known := _network_failure(text) or _source_failure(text)) is not None:
        return known
    if "No solution found" not in text:
        return UvFailed(f"uv ended with status {status}:\n{text}", hint="wheelship doctor")
    needing = _NEEDS_WHEEL.findall(text)
    if needing:
        names = " and ".join(_with_parents(name, text) for name in dict.fromkeys(needing))
        return SdistOnly(
            f"{names}: no wheel for {target}, only source, and nothing is to be built:\n{text}",
            explanation=text,
            packages=tuple(map(normalized, dict.fromkeys(needing))),
            hint="remove `sdist = false`, or build the wheel yourself and name its directory:\n"
            f"pip wheel --no-deps --wheel-dir wheels {needing[0]}\n"
            'find-links = ["wheels"]',
        )
    return Unresolvable(
        f"no versions fit together for {target}:\n{text}", explanation=text, hint=_way_out(text)
    )


def _source_failure(text: str) -> Exception | None:
    """Return what is wrong with a source whose requirements uv wanted to know."""
    failed = _SOURCE_FAILED.search(text)
    if failed is None:
        return None
    name = normalized(re.split("[ =@]", failed[1])[0])
    if "Failed to extract archive" in text:
        return SourceUnusable(
            f"the archive of {failed[1]} cannot be unpacked:\n{text}",
            where=name,
            hint="report it to the package's maintainers and choose another version",
        )
    if "Git operation failed" in text:
        repository = _REPOSITORY.search(failed[1])
        hint = "see whether git can read the repository, and has what is asked for"
        return SourceUnusable(
            f"git cannot get {failed[1]}:\n{text}",
            where=name,
            hint=f"{hint}:\ngit ls-remote {repository['address']}" if repository else hint,
        )
    return SourceUnusable(
        f"what {failed[1]} requires cannot be learned from its source:\n{text}",
        where=name,
        hint="if it needs more, or an older release of something, to be built:\n"
        f'[tool.wheelship.sdist.{name}]\nrequires = ["setuptools<81"]',
    )


def _network_failure(text: str) -> Exception | None:
    if "build backend returned an error" in text:
        return None  # the rest is what some backend said
    if "network was disabled" in text or "when the network is disabled" in text.lower():
        return IndexOffline(
            f"the requirements cannot be resolved without the network:\n{text}",
            hint="run once without --offline",
        )
    if "valid authentication credentials" in text or re.search(r"\b(401|403) \w", text):
        return IndexUnauthorized(
            f"an index refused to answer:\n{text}",
            hint="put its credentials into ~/.netrc:\nmachine HOST login USER password PASSWORD",
        )
    if _NETWORK.search(text):
        return IndexUnreachable(
            f"an index did not answer:\n{text}",
            hint="check the network, and HTTPS_PROXY if there is a proxy",
        )
    return None


def _way_out(explanation: str) -> str:
    """Return what to do about requirements without an answer; uv's text says which they are."""
    if "not found in the" in explanation or "was not found" in explanation:
        return (
            "check the name's spelling, and that the index has it; another index is named by\n"
            'index = "https://…"'
        )
    return (
        "loosen one of the requirements named above in [project] dependencies; to leave a package"
        ' out:\nexclude = ["…"]'
    )


def _explanation(stderr: str) -> str:
    """Return what uv says about the failure: no progress, no warnings, no credentials."""
    lines = _USERINFO.sub("://", stderr).splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("error")), 0)
    kept = [line.rstrip() for line in lines[start:] if not line.startswith("warning:")]
    return "\n".join(f"  {line}" for line in "\n".join(kept).strip().splitlines())


def _with_parents(name: str, explanation: str) -> str:
    """Return ``name`` with who requires it, as far as uv says so in words."""
    pattern = rf"([\w.-]+?)(?:[=<>!~]=?\S*)? depends? on {re.escape(name)}\b"
    parents = dict.fromkeys(re.findall(pattern, explanation))
    return f"{name} (required by {', '.join(parents)})" if parents else name
