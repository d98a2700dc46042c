# SPDX-License-Identifier: Apache-2.0
"""Scripts: entry points that run, names that are refused, first lines that are replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wheelship.wheel.errors import InvalidWheel, UnsafeScript
from wheelship.wheel.script import (
    EntryPoint,
    check_script_name,
    console_script,
    parse_scripts,
    retarget,
)


def test_console_and_gui_scripts_are_read_sorted() -> None:
    """Entry points specification: both groups are scripts; names keep their case."""
    text = """\
# comment
[gui_scripts]
Window = demo.gui:Main.start
[other.group]
ignored = whatever it is
[console_scripts]
demo=demo.cli:main
demo-extra = demo.cli : extra [extra1, extra2]
"""
    assert parse_scripts(text, "demo") == (
        EntryPoint("Window", "demo.gui", "Main.start"),
        EntryPoint("demo", "demo.cli", "main"),
        EntryPoint("demo-extra", "demo.cli", "extra"),
    )


def test_no_scripts_is_fine() -> None:
    assert parse_scripts("", "demo") == ()
    assert parse_scripts("[console_scripts]\n", "demo") == ()


def test_a_section_called_default_means_nothing_special() -> None:
    """To configparser its entries belong to every section."""
    text = "[DEFAULT]\nhidden = evil:main\n[console_scripts]\ndemo = demo:main\n"
    assert [one.name for one in parse_scripts(text, "demo")] == ["demo"]


@pytest.mark.parametrize(
    "text",
    [
        "demo = demo:main\n",
        "[console_scripts\ndemo = demo:main\n",
        "[console_scripts]\ndemo\n",
        "[console_scripts]\ndemo = a:b\ndemo = c:d\n",
        "[console_scripts]\n[console_scripts]\n",
        "\ufeff[console_scripts]\n",
    ],
)
def test_a_malformed_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidWheel, match=r"entry_points\.txt is malformed"):
        parse_scripts(text, "demo")


@pytest.mark.parametrize(
    "target",
    [
        "demo",
        "demo:",
        ":main",
        "demo:main()",
        "demo-x:main",
        "demo:1main",
        "os; import evil:main",
        "demo:main\n  more",
        "demo.:main",
        'demo:x"); print("',
        "demo.cli:main # comment",
    ],
)
def test_a_target_that_is_no_object_reference_is_refused(target: str) -> None:
    """Both halves become source code, so they must be dotted names and nothing else."""
    with pytest.raises(InvalidWheel, match="script demo has the target"):
        parse_scripts(f"[console_scripts]\ndemo = {target}\n", "demo")


@pytest.mark.parametrize(
    "name",
    [
        "python",
        "python3",
        "python3.11",
        "python3.13t",
        "Python",
        "pythonw",
        "pypy",
        "pypy3.10",
        "graalpy",
        "python-config",
        "python3-config",
        "python3.11-config",
        "python.exe",
        "activate",
        "activate.fish",
        "activate.nu",
        "activate_this.py",
        "Activate.ps1",
    ],
)
def test_a_name_that_replaces_the_interpreter_is_refused(name: str) -> None:
    """GHSA-4gg8-gxpx-9rph: ``python`` and its kin are reserved, in whatever case."""
    with pytest.raises(UnsafeScript, match="would replace the interpreter"):
        check_script_name(name, "demo")
    with pytest.raises(UnsafeScript):
        parse_scripts(f"[console_scripts]\n{name} = demo:main\n", "demo")


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "a/b", "/bin/sh", "..", ".", "", "a b", "a\nb", "a\0", "ü", "a\\b", "a$b", "a;b"),
        *(".wh.python", ".wh..wh..opq", ".wh."),
    ],
)
def test_a_name_that_leaves_its_directory_is_refused(name: str) -> None:
    r"""CVE-2026-8643: names are ``[\w.-]+`` in ASCII and no path."""
    with pytest.raises(UnsafeScript, match="a script is called") as caught:
        check_script_name(name, "demo")
    assert "exclude" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "name",
    [
        "demo",
        "py.test",
        "pip3.11",
        "python-dotenv",
        "ipython3",
        "pythonic",
        "f2py",
        "my_tool.v2",
        "-",
        "activate-global-python-argcomplete",
    ],
)
def test_ordinary_names_are_accepted(name: str) -> None:
    check_script_name(name, "demo")


def test_a_console_script_runs_and_passes_its_result_on(tmp_path: Path) -> None:
    """Entry points specification: ``sys.exit(module.attribute())``."""
    (tmp_path / "demo.py").write_text(
        "import sys\nclass Tool:\n    @staticmethod\n    def run():\n"
        "        print(*sys.argv[1:])\n        return 7\n"
    )
    script = tmp_path / "tool"
    script.write_bytes(console_script(sys.executable, "demo", "Tool.run"))
    assert script.read_text().startswith(f"#!{sys.executable}\n")
    script.chmod(0o755)
    result = subprocess.run(
        [script, "a", "b"], capture_output=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert (result.returncode, result.stdout) == (7, b"a b\n")


@pytest.mark.parametrize(
    "first",
    [b"#!python\n", b"#!pythonw\n", b"#!python3\n", b"#!python -E\n", b"#!python\r\n", b"#!python"],
)
def test_a_placeholder_line_is_replaced(first: bytes) -> None:
    """Binary distribution format, spread 2.d: a first line that starts with ``#!python``."""
    rest = b"print(1)\r\n#!python\n" if first.endswith(b"\n") else b""
    assert retarget(first + rest, "/opt/venv/bin/python") == b"#!/opt/venv/bin/python\n" + rest


@pytest.mark.parametrize(
    "data",
    [b"", b"#!/bin/sh\n", b"#!/usr/bin/env python\n", b"#! python\n", b"\n#!python\n", b"\x7fELF"],
)
def test_any_other_first_line_is_kept(data: bytes) -> None:
    assert retarget(data, "/opt/venv/bin/python") == data
