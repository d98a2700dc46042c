# SPDX-License-Identifier: Apache-2.0
"""uv's failures told apart, from what uv 0.13.9 really said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus, WheelshipError
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
from wheelship.lock.uv import Uv, _failure, clean_environment
from wheelship.oci.platform import Platform

TARGET = Target(python="3.11", platform=Platform("amd64"))
HEAD = "error: No solution found when resolving dependencies\n  cause: "
VERSIONS = f"{HEAD}Because there is no version of torch==9 and x depends on torch==9, …"
SDIST = f"""{HEAD}Because sdonly==1.0 has no usable wheels and all of app depend on sdonly
         and x depends on sdonly>=1, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `sdonly` because building from source is disabled for all packages"""
REFUSED = """error: Request failed after 3 retries in 9.9s
  cause: Failed to fetch: http://127.0.0.1:1/simple/loc/
  cause: error sending request for url (http://127.0.0.1:1/simple/loc/)
  cause: Connection refused (os error 111)"""
FAULTY = """error: Request failed after 3 retries in 7.1s
  cause: Failed to fetch: http://127.0.0.1:1/simple/loc/
  cause: HTTP status server error (500 Internal Server Error) for url (http://127.0.0.1:1/s/)"""
UNKNOWN = f"{HEAD}Because loc was not found in the package registry and x depends on loc\n\n"
UNAUTHORIZED = f"""{UNKNOWN}hint: An index URL (http://127.0.0.1:1/simple) could not be queried
due to a lack of valid authentication credentials (401 Unauthorized)"""
FORBIDDEN = f"{UNKNOWN}hint: An index (http://127.0.0.1:1/simple) returned a 403 Forbidden error."
OFFLINE = f"""{HEAD}Because zzz was not found in the cache and x depends on zzz

hint: Packages were unavailable because the network was disabled."""
USAGE = "error: unexpected argument '--frobnicate' found"


@pytest.mark.parametrize(
    ("stderr", "kind", "status"),
    [
        (VERSIONS, Unresolvable, ExitStatus.INPUT),
        (SDIST, SdistOnly, ExitStatus.INPUT),
        (REFUSED, IndexUnreachable, ExitStatus.NETWORK),
        (FAULTY, IndexUnreachable, ExitStatus.NETWORK),
        (UNAUTHORIZED, IndexUnauthorized, ExitStatus.NETWORK),
        (FORBIDDEN, IndexUnauthorized, ExitStatus.NETWORK),
        (OFFLINE, IndexOffline, ExitStatus.NETWORK),
        (USAGE, UvFailed, ExitStatus.MACHINE),
    ],
)
def test_failures(stderr: str, kind: type[WheelshipError], status: ExitStatus) -> None:
    error = _failure(f"warning: The requested Python is old\n{stderr}\n", 1, TARGET)
    assert type(error) is kind
    assert isinstance(error, WheelshipError)
    assert error.exit_status is status
    assert "warning" not in error.message
    assert stderr.splitlines()[-1].strip() in error.message


@pytest.mark.parametrize(
    ("address", "command"),
    [
        (
            "git+https://me:word@example.org/t/x.git@v1#subdirectory=a",
            "https://example.org/t/x.git",
        ),
        ("git+file:///srv/x.git", "file:///srv/x.git"),
        ("git+ssh://git@example.org/x.git", ""),
    ],
)
def test_a_repository_that_git_cannot_read_lacks_no_build_requirement(
    address: str, command: str
) -> None:
    error = _failure(
        f"error: Failed to download and build `x @ {address}`\n  cause: Git operation failed\n",
        1,
        TARGET,
    )
    assert type(error) is SourceUnusable
    assert error.message.startswith("git cannot get x @ git+")
    hint = str(error.hint)
    assert "requires" not in hint
    assert hint.partition("\n")[2] == (command and f"git ls-remote {command}")


def test_source_only_package_is_named_with_who_requires_it() -> None:
    error = _failure(SDIST, 1, TARGET)
    assert str(error).startswith(
        "sdonly (required by app, x): no wheel for Python 3.11 on linux/amd64, only source"
    )


def test_credentials_do_not_reach_messages() -> None:
    error = _failure("error: Failed to fetch: https://me:word@example.org/simple/x/", 2, TARGET)
    assert "https://example.org/simple/x/" in str(error)
    assert "word" not in str(error)


def test_environment_for_uv() -> None:
    given = {
        "PATH": "/bin",
        "HOME": "/root",
        "SSL_CERT_FILE": "/cert",
        "UV_INDEX_PRIVATE_PASSWORD": "word",
        "UV_DEFAULT_INDEX": "https://example.org/",
        "UV_NO_BUILD_PACKAGE": "x",
        "UV_TORCH_BACKEND": "auto",
        "UV_FIND_LINKS": "/opt",
        "UV_NO_SOURCES": "1",
        "UV_SYSTEM_PYTHON": "1",
        "UV_PYTHON_DOWNLOADS": "automatic",
    }
    assert clean_environment(given) == {
        "PATH": "/bin",
        "HOME": "/root",
        "SSL_CERT_FILE": "/cert",
        "UV_INDEX_PRIVATE_PASSWORD": "word",
        "UV_DEFAULT_INDEX": "https://example.org/",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }


@pytest.mark.parametrize("name", ["CONSTRAINT", "OVERRIDE", "EXCLUDE", "BUILD_CONSTRAINT"])
def test_requirements_from_the_environment_do_not_count(name: str) -> None:
    """What is locked depends on the request alone; its digest does not cover these files."""
    assert f"UV_{name}" not in clean_environment({f"UV_{name}": "more.txt", "UV_INDEX": "kept"})


def test_missing_program(tmp_path: Path) -> None:
    uv = Uv(binary=tmp_path / "uv", python=Path(sys.executable), environment={})
    with pytest.raises(UvMissing) as caught:
        uv.compile(tmp_path, TARGET, [])
    assert caught.value.where == str(tmp_path / "uv")
