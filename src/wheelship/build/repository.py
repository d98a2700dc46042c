# SPDX-License-Identifier: Apache-2.0
"""Checks a locked commit out of its git repository, as the user's own git would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from wheelship.errors import InputError, MachineError, NetworkError
from wheelship.fetch.url import file_path
from wheelship.lock.model import LockedSource

__all__ = ["CommitMissing", "GitMissing", "RepositoryUnreachable", "check_out"]

_SETTINGS = re.compile(r"GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|NAMESPACE|CEILING\w*)")
"""What would lead git to another repository than the one we name."""


class GitMissing(MachineError):
    """A requirement is a git repository, and there is no git on this machine."""

    code = "git-missing"


class RepositoryUnreachable(NetworkError):
    """A git repository cannot be fetched."""

    code = "repository-unreachable"


class CommitMissing(InputError):
    """The locked commit is not in its repository any more."""

    code = "commit-missing"


def check_out(
    source: LockedSource, into: Path, environ: Mapping[str, str], *, offline: bool
) -> Path:
    """Return the new directory ``into`` with the files of the locked commit, submodules included.

    The whole history is fetched, for backends that make a version of it. A commit's name is the
    hash of what it holds, so there is nothing to verify.

    Raises:
        GitMissing, RepositoryUnreachable, CommitMissing: it cannot be had.
    """
    url = source.url or ""
    if offline and file_path(url) is None:
        raise RepositoryUnreachable(
            "is not fetched, because the network is not to be used",
            where=url,
            hint="run once without --offline",
        )
    environment = {
        **{name: text for name, text in environ.items() if not _SETTINGS.fullmatch(name)},
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return _run(["git", *words], environment)

    cloned = git("clone", "--quiet", "--no-checkout", "--", url, str(into))
    if cloned.returncode != 0:
        raise RepositoryUnreachable(
            f"cannot be cloned: {_said(cloned)}",
            where=url,
            hint=f"git ls-remote {url} must work without a question: set up git's credentials",
        )
    at = ("-C", str(into))
    if git(*at, "cat-file", "-e", f"{source.commit}^{{commit}}").returncode != 0:
        # A commit that no branch has any more may still be given out when asked for by name.
        git(*at, "fetch", "--quiet", "origin", source.commit)
    checked = git(*at, "checkout", "--quiet", "--detach", source.commit)
    if checked.returncode != 0:
        raise CommitMissing(
            f"has no commit {source.commit}: {_said(checked)}",
            where=url,
            hint=f"lock another one: wheelship lock --upgrade-package {source.name}",
        )
    modules = git(*at, "submodule", "--quiet", "update", "--init", "--recursive")
    if modules.returncode != 0:
        raise RepositoryUnreachable(
            f"a submodule cannot be fetched: {_said(modules)}",
            where=url,
            hint="set up git's credentials for it, or use a commit without it",
        )
    return into


def _run(
    command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise GitMissing(
            f"cannot be run: {error.strerror}", where="git", hint="apt-get install git"
        ) from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return re.sub(r"://[^/@\s]+@", "://", done.stderr.strip()) or f"status {done.returncode}"
