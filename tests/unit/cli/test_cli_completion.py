# SPDX-License-Identifier: Apache-2.0
"""What shells are given, and what they get when they ask."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wheelship.cli.main import main

COMMAND = (sys.executable, "-P", "-m", "wheelship.cli.main")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_us(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert f"_WHEELSHIP_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("wheelship pl", 1, "plain,plan\n"),
        ("wheelship plan --wh", 2, "plain,--why\n"),
        ("wheelship insp", 1, "plain,inspect\n"),
        ("wheelship inspect --by pa", 3, "plain,package\nplain,path\n"),
    ],
)
def test_commands_and_options_are_completed(words: str, at: int, expected: str) -> None:
    done = subprocess.run(
        [*COMMAND],
        env={"_WHEELSHIP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == expected
