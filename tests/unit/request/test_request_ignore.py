# SPDX-License-Identifier: Apache-2.0
"""``.gitignore`` and ``.dockerignore`` as their manuals describe them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.errors import InputError
from wheelship.request.ignore import IgnoreRules, compile_globs, is_never_shipped


def rules(root: Path, **files: str) -> IgnoreRules:
    """Write ignore files; ``git_a_b`` is ``a/b/.gitignore``."""
    for name, text in files.items():
        kind, *folders = name.split("_")
        path = root.joinpath(*folders, f".{kind}ignore")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return IgnoreRules(root)


GIT = [
    # (patterns, ignored, kept): each row is a sentence of gitignore(5)
    ("# a comment\n\n   \n", [], ["a", "# a comment"]),
    ("\\#x\n\\!y\n", ["#x", "d/!y"], ["x", "y"]),
    ("a  \n", ["a"], ["a  "]),
    ("a\\ \n", ["a "], ["a"]),
    ("*.bin\n!keep.bin\n", ["x.bin", "d/x.bin"], ["keep.bin", "d/keep.bin"]),
    ("/top\n", ["top", "top/a"], ["d/top"]),
    ("mid/dle\n", ["mid/dle"], ["d/mid/dle"]),
    ("dir/\n", ["dir/a", "d/dir/a/b"], ["dir"]),
    ("dir/\n!dir/a\n", ["dir/a"], []),
    ("dir/*\n!dir/a\n", ["dir/b"], ["dir/a"]),
    ("**/deep\n", ["deep", "a/b/deep"], ["deeper"]),
    ("a/**/b\n", ["a/b", "a/x/b", "a/x/y/b"], ["x/a/b"]),
    ("a/**\n", ["a/b", "a/b/c"], ["a"]),
    ("a?c\n", ["abc"], ["ac", "a/c"]),
    ("[a-c]x[!0-9]\n", ["bxz"], ["dxz", "bx1"]),
    ("[]-]x\n", ["]x", "-x"], ["ax"]),
    ("[[:digit:]]\n", ["7"], ["a"]),
    ("a**b\n", ["aXXb"], ["a/b"]),
    ("x[\n", [], ["x[", "x"]),
    ("x\\\n", [], ["x\\", "x"]),
    ("!\n/\n", [], ["a"]),
    ("a\r\nb\r\n", ["a", "b"], ["a\r"]),
    ("caf\u00e9\n", ["caf\u00e9"], ["cafe"]),
]


@pytest.mark.parametrize(("text", "ignored", "kept"), GIT, ids=[repr(row[0]) for row in GIT])
def test_gitignore(tmp_path: Path, text: str, ignored: list[str], kept: list[str]) -> None:
    one = rules(tmp_path, git=text)
    assert [path for path in ignored if not one.ignores(path)] == []
    assert [path for path in kept if one.ignores(path)] == []


def test_the_deeper_file_wins(tmp_path: Path) -> None:
    one = rules(tmp_path, git="*.bin\n", git_a="!*.bin\n/local\n", git_a_b="*.bin\n")
    assert not one.ignores("a/x.bin")
    assert one.ignores("a/b/x.bin")
    assert one.ignores("x.bin")
    assert one.ignores("a/local")
    assert not one.ignores("local")


def test_a_byte_order_mark_is_no_part_of_the_first_pattern(tmp_path: Path) -> None:
    assert rules(tmp_path, git="\ufeffa\n").ignores("a")


def test_the_repository_above_the_project_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.pem\nservices/one/local.txt\n")
    project = tmp_path / "services" / "one"
    one = rules(project, git="!kept.pem\n")
    assert one.ignores("src/key.pem")
    assert not one.ignores("src/kept.pem")
    assert one.ignores("local.txt")


def test_without_a_repository_nothing_above_counts(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pem\n")
    assert not rules(tmp_path / "one", git="x\n").ignores("key.pem")


@pytest.mark.parametrize("rule", ["scratch/", "scratch/**", "*", "service", "/scratch/service"])
def test_a_project_that_its_repository_ignores_is_shipped(tmp_path: Path, rule: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(f"{rule}\n*.pem\n")
    one = rules(tmp_path / "scratch" / "service", git="x\n")
    assert not one.ignores("main.py")
    assert not one.ignores("deep/main.py")
    assert one.ignores("deep/key.pem")
    assert one.ignores("x")


DOCKER = [
    ("# comment\n*.md\n", ["README.md"], ["docs/a.md"]),
    ("**/*.md\n!README.md\n", ["docs/a.md"], ["README.md"]),
    ("*\n!src\n", ["a", "b/c"], ["src/a", "src/b/c"]),
    ("/a/\n", ["a", "a/b"], ["b/a"]),
    ("a\n!a/keep\n", ["a/b"], ["a/keep"]),
    ("./b/../c\n", ["c"], ["b"]),
    (".\n", [], ["a"]),
    ("  x  \n! x/y \n", ["x/z"], ["x/y"]),
]


@pytest.mark.parametrize(("text", "ignored", "kept"), DOCKER, ids=[repr(row[0]) for row in DOCKER])
def test_dockerignore(tmp_path: Path, text: str, ignored: list[str], kept: list[str]) -> None:
    one = rules(tmp_path, docker=text)
    assert [path for path in ignored if not one.ignores(path)] == []
    assert [path for path in kept if one.ignores(path)] == []


def test_either_file_is_enough(tmp_path: Path) -> None:
    one = rules(tmp_path, git="a\n", docker="!a\nb\n")
    assert one.ignores("a")
    assert one.ignores("b")
    assert not one.ignores("c")


def test_an_ignore_file_that_cannot_be_read_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / ".gitignore").write_text("secret\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        IgnoreRules(tmp_path).ignores("secret")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", "a/.git/x", "a/__pycache__/b", "a/b.pyc", ".venv/x", ".env", "a/.env.local",
        "dist/a", "build/a", "wheelship.lock", "pylock.toml", "pylock.cuda.toml", "a.egg-info/x",
        ".streamlit/secrets.toml", "a/.netrc", ".ssh/id", ".mypy_cache/a",
    ],
)  # fmt: skip
def test_never_shipped(path: str) -> None:
    assert is_never_shipped(path)


@pytest.mark.parametrize(
    "path",
    ["a/dist/b", "a/build/c.py", "env/a.py", "gitlog", "a.python", "docs/pylock.toml.md", "git"],
)
def test_shipped(path: str) -> None:
    assert not is_never_shipped(path)


def test_globs_are_anchored_and_name_whole_directories() -> None:
    matches = compile_globs(["data", "a/*.json", "**/deep/", "x/**"])
    assert matches("data")
    assert matches("data/b/c")
    assert not matches("a/data")
    assert matches("a/b.json")
    assert not matches("a/b/c.json")
    assert matches("q/deep/r")
    assert matches("deep/r")
    assert matches("x/y")
    assert not compile_globs([])("a")
