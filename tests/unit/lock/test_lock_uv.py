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
    Unresolvable,
    UvFailed,
    UvMissing,
)
from wheelship.lock.target import Target
from wheelship.lock.uv import Uv, _failure, clean_environment
from wheelship.oci.platform import Platform

TARGET = Target(python="3.11", platform=Platform("amd64"))
HEAD = "error: No solution found when resolving dependencies\n"


@pytest.mark.parametrize(
    ("stderr", "kind", "status"),
    [
        (
            HEAD + "  cause: Because there is no version of torch==9 and x depends on torch==9, we "
            "can conclude that your requirements are unsatisfiable.",
            Unresolvable,
            ExitStatus.INPUT,
        ),
        (
            HEAD
            + "  cause: Because sdonly==1.0 has no usable wheels and all versions of app depend "
            "on sdonly, we can conclude that your requirements are unsatisfiable.\n\nhint: Wheels are"
            " required for `sdonly` because building from source is disabled for all packages (i.e., "
            "with `--no-build`)",
            SdistOnly,
            ExitStatus.INPUT,
        ),
        (
            "error: Request failed after 3 retries in 9.9s\n  cause: Failed to fetch: "
            "http://127.0.0.1:1/simple/loc/\n  cause: error sending request for url\n"
            "  cause: Connection refused (os error 111)",
            IndexUnreachable,
            ExitStatus.NETWORK,
        ),
        (
            "error: Request failed after 3 retries in 7.1s\n  cause: Failed to fetch: http://a/b/\n"
            "  cause: HTTP status server error (500 Internal Server Error) for url (http://a/b/)",
            IndexUnreachable,
            ExitStatus.NETWORK,
        ),
        (
            HEAD + "  cause: Because loc was not found in the package registry and x depends on loc"
            "\n\nhint: An index URL (http://a/simple) could not be queried due to a lack of valid "
            "authentication credentials (401 Unauthorized)",
            IndexUnauthorized,
            ExitStatus.NETWORK,
        ),
        (
            HEAD
            + "  cause: Because loc was not found\n\nhint: An index (http://a/simple) returned "
            "a 403 Forbidden error. Check that the index URL is correct",
            IndexUnauthorized,
            ExitStatus.NETWORK,
        ),
        (
            HEAD + "  cause: Because zzz was not found in the cache and x depends on zzz\n\nhint: "
            "Packages were unavailable because the network was disabled. When the network is "
            "disabled, registry packages may only be read from the cache.",
            IndexOffline,
            ExitStatus.NETWORK,
        ),
        (
            "error: unexpected argument '--frobnicate' found",
            UvFailed,
            ExitStatus.MACHINE,
        ),
    ],
    ids=["versions", "sdist", "refused", "500", "401", "403", "offline", "usage"],
)
def test_failures(stderr: str, kind: type[WheelshipError], status: ExitStatus) -> None:
    error = _failure(f"warning: The requested Python is old\n{stderr}\n", 1, TARGET)
    assert type(error) is kind
    assert isinstance(error, WheelshipError)
    assert error.exit_status is status
    assert "warning" not in error.message
    assert stderr.splitlines()[-1].strip() in error.message


def test_source_only_package_is_named_with_who_requires_it() -> None:
    stderr = (
        HEAD
        + "  cause: Because sdonly==1.0 has no usable wheels and all versions of app depend on "
        "sdonly and x depends on sdonly>=1, we can conclude that …\n\nhint: Wheels are required for "
        "`sdonly` because building from source is disabled"
    )
    error = _failure(stderr, 1, TARGET)
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


def test_missing_program(tmp_path: Path) -> None:
    uv = Uv(binary=tmp_path / "uv", python=Path(sys.executable), environment={})
    with pytest.raises(UvMissing) as caught:
        uv.compile(tmp_path, TARGET, [])
    assert caught.value.where == str(tmp_path / "uv")
