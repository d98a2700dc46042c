# SPDX-License-Identifier: Apache-2.0
"""git itself is asked about the same files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from wheelship.request.ignore import IgnoreRules

pytestmark = pytest.mark.integration

SEGMENTS = ["a", "b", "ab", "a b", "[a]", "-", "#a", "!b", "a\\b", "b]", "^"]
PIECES = ["a", "b", "*", "**", "?", "/", "/", "[ab]", "[!a]", "[^b-]", "[]a]", "[a-b]", "\\", " ",
          "!", "#", "[[:alpha:]]", "[", "]", "-", "**/", "/**"]  # fmt: skip
UNDOCUMENTED = re.compile(r"[^/]\*\*+/|/\*\*+[^/*]|\*\*+\\\\")
"""Two stars that are no segment of their own are "regular asterisks", but not always for git."""


@pytest.mark.parametrize("seed", range(12))
def test_git_ignores_the_same_files(tmp_path: Path, seed: int) -> None:
    """Random patterns and random paths; git's answer is the definition."""
    git = shutil.which("git")
    if git is None:
        if os.environ.get("CI") == "true":
            pytest.fail("needs git")
        pytest.skip("needs git")
    subprocess.run([git, "init", "-q", tmp_path], check=True, capture_output=True)
    random = Random(seed)
    paths = sorted({"/".join(random.choices(SEGMENTS, k=random.randint(1, 3))) for _ in range(200)})
    files = [path for path in paths if not any(other.startswith(path + "/") for other in paths)]
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    seen = set()
    for _ in range(40):
        for name in (".gitignore", "a/.gitignore"):
            drawn = ("".join(random.choices(PIECES, k=random.randint(1, 5))) for _ in range(9))
            patterns = [one for one in drawn if not UNDOCUMENTED.search(one)][:3]
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("\n".join(patterns))
        done = subprocess.run(
            [git, "-C", tmp_path, "check-ignore", "--no-index", "--stdin", "-z"],
            input="\0".join(files),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        expected = set(done.stdout.split("\0")) - {""}
        rules = IgnoreRules(tmp_path)
        found = {path for path in files if rules.ignores(path)}
        assert found == expected, [
            (tmp_path / name).read_text() for name in (".gitignore", "a/.gitignore")
        ]
        seen |= expected
    assert seen  # the patterns did match something
