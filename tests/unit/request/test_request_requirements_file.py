# SPDX-License-Identifier: Apache-2.0
"""``requirements.txt``: what pip would obey is obeyed or refused, never skipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.request.errors import Finding
from wheelship.request.model import Request

Read = Callable[[Mapping[str, str]], Request]
Findings = Callable[[Mapping[str, str]], tuple[Finding, ...]]

OWN = 'command = ["serve"]\n'


def test_lines_comments_continuations_and_includes(read: Read) -> None:
    request = read(
        {
            "wheelship.toml": OWN,
            "requirements.txt": (
                "\ufeff# the service\r\n"
                "torch == 2.13.0  # pinned\r\n"
                "fastapi \\\r\n"
                "  >=0.100\r\n"
                "\r\n"
                "name#fragment @ https://example.org/name-1.0-py3-none-any.whl#sha256=00\r\n"
            ).replace("name#fragment", "name")
            + "-r deep/more.txt\n--constraint=limits.txt\n--only-binary :all:\n",
            "deep/more.txt": "numpy\n-r ../requirements.txt\n-r last.txt",
            "deep/last.txt": "scipy; python_version >= '3.11' and sys_platform == 'linux'",
            "limits.txt": "numpy<3\n",
        }
    )
    assert request.project.dependencies == (
        "torch == 2.13.0",
        "fastapi    >=0.100",
        "name @ https://example.org/name-1.0-py3-none-any.whl#sha256=00",
        "numpy",
        "scipy; python_version >= '3.11' and sys_platform == 'linux'",
    )
    assert request.project.constraints == ("numpy<3",)


def test_where_packages_come_from(read: Read) -> None:
    text = (
        "-i https://a.example.org/simple\n"
        "--extra-index-url=https://b.example.org/simple\n"
        "--extra-index-url https://c.example.org/simple\n"
        "-f wheels\n-r sub/more.txt\n"
    )
    files = {"requirements.txt": text, "sub/more.txt": "--find-links ../other"}
    request = read({**files, "wheelship.toml": OWN})
    root = request.project.root
    sources = request.variants["cpu"].sources
    assert sources.index == "https://a.example.org/simple"
    assert sources.extra_indexes == (
        "https://b.example.org/simple",
        "https://c.example.org/simple",
    )
    assert sources.find_links == (root / "wheels", root / "other")
    table = 'index = "https://d.example.org/simple"\nfind-links = ["mine"]\n'
    sources = read({**files, "wheelship.toml": OWN + table}).variants["cpu"].sources
    assert sources.index == "https://d.example.org/simple"
    assert sources.extra_indexes == ()
    assert sources.find_links == (root / "mine",)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("torch==", "no dependency specifier", "torch==2.13.0"),
        ("torch==2.0 --hash=sha512:00", "no sha256 among its hashes", "--generate-hashes"),
        ("torch==2.0 \\\n    --hash=md5:00", "no sha256 among its hashes", ""),
        ("torch==2.0 --hash=sha256:00 --hash=x", "--hash is not supported", ""),
        ("torch==2.0 --config-settings=a=b", "--config-settings is not supported", ""),
        ("-e .", "--editable is not supported", "layout"),
        ("-e.", "--editable is not supported", "layout"),
        ("--pre", "--pre is not supported", "pre-release"),
        ("--no-index", "--no-index is not supported", "--offline"),
        ("--trusted-host example.org", "--trusted-host is not supported", ""),
        ("--find-links https://example.org/w", "--find-links is not supported", ""),
        ("--index-url example.org", "no http", ""),
        ("-i https://${TOKEN}@example.org/simple", "not expanded", ""),
        ("torch @ https://${TOKEN}@example.org/t.whl", "not expanded", ""),
        ("./wheels/x-1.0-py3-none-any.whl", "has no name", "name @"),
        ("git+https://example.org/x.git", "has no name", "name @"),
        ("-r missing.txt", "cannot be read", ""),
        ("-r ../other.txt", "not a file of the project", ""),
        ("-r /etc/requirements.txt", "not a file of the project", ""),
        ("-r https://example.org/r.txt", "not a file of the project", ""),
        ("-1", "neither a requirement nor an option", ""),
    ],
)
def test_what_cannot_be_honoured(findings: Findings, line: str, message: str, hint: str) -> None:
    text = f"# comment \\\ntorch\n{line}\nnumpy\n"
    found = findings({"requirements.txt": text, "wheelship.toml": OWN})
    assert len(found) == 1
    assert message in found[0].message
    assert hint in (found[0].hint or "")
    if found[0].file == "requirements.txt":
        assert found[0].line == 3  # a backslash at the end of a comment continues nothing


def test_a_file_that_is_not_utf8(
    findings: Findings, write: Callable[[Mapping[str, str]], Path]
) -> None:
    root = write({"wheelship.toml": OWN})
    (root / "requirements.txt").write_bytes(b"torch\xff\n")
    found = findings({})
    assert found[0].message.startswith("is not UTF-8")
