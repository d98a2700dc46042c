# SPDX-License-Identifier: Apache-2.0
"""Rules about the code as a whole that no single test would notice (STYLE Part 2, DESIGN §4)."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "wheelship"
LINES_MAX = 450

# Scripts that run elsewhere: in the image, or inside its interpreter.
SCRIPTS = {"wheelship.plan.image_files.health"}

IMPORTED_ALONE = """
import json, os, sys
problems = {}
for name in sys.argv[1:]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
            told = {"heavy": sorted(set(sys.modules) & set(HEAVY))}
        except BaseException as error:
            told = {"error": f"{type(error).__name__}: {error}"}
        os.write(write, json.dumps(told).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as stream:
        problems[name] = json.loads(stream.read())
    os.waitpid(child, 0)
print(json.dumps(problems))
"""
HEAVY = ("urllib3", "rich", "pysequoia", "debian", "packaging", "click", "ssl", "http.client")


def python_files(folder: Path = SOURCES) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = [name for name in map(module_of, python_files()) if name not in SCRIPTS]


@pytest.fixture(scope="module")
def imported() -> dict[str, dict[str, str | list[str]]]:
    """Import every module in a process of its own, forked from one that imported nothing."""
    command = [sys.executable, "-W", "error", "-c", f"HEAVY = {HEAVY!r}\n{IMPORTED_ALONE}"]
    halves = [
        subprocess.Popen([*command, *names], stdout=subprocess.PIPE)
        for names in (MODULES[::2], MODULES[1::2])
    ]
    first, second = (json.loads(half.communicate()[0]) for half in halves)
    return {**first, **second}


def test_imports_point_down() -> None:
    """DESIGN §4: the contracts in pyproject.toml, kept by import-linter."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_imports_alone(imported: dict[str, dict[str, str | list[str]]]) -> None:
    """No module may need another to have been imported first, nor warn while it is imported."""
    assert set(imported) == set(MODULES)
    assert {name: one["error"] for name, one in imported.items() if "error" in one} == {}


@pytest.mark.parametrize(
    "package", ["archive", "oci", "store", "wheel", "plan", "bytecode", "build", "events", "errors"]
)
def test_what_every_build_imports_is_light(
    imported: dict[str, dict[str, str | list[str]]], package: str
) -> None:
    """A build with nothing to do takes a fraction of a second; heavy modules come when needed."""
    prefix = f"wheelship.{package}"
    found = {
        name: one["heavy"]
        for name, one in imported.items()
        if (name == prefix or name.startswith(prefix + ".")) and one.get("heavy")
    }
    assert found == {}


def test_test_support_is_not_imported_by_the_product() -> None:
    """``wheelship.testing`` is shipped for tests, ours and other people's."""
    for path in python_files():
        if "testing" not in path.parts:
            names = [name for name in imports(path) if name.startswith("wheelship.testing")]
            assert names == [], path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_modules_are_of_readable_size() -> None:
    """STYLE §2: about 300 lines; beyond 450 a module has more than one reason to exist."""
    lengths = {path: len(path.read_text().splitlines()) for path in python_files()}
    assert {path: count for path, count in lengths.items() if count > LINES_MAX} == {}


AMBIENT = {
    ("os", "environ"),
    ("os", "environb"),
    ("os", "getenv"),
    ("os", "getcwd"),
    ("Path", "cwd"),
    ("Path", "home"),
    ("time", "time"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


def ambient_reads(source: str) -> list[str]:
    """Return the reads of environment, working directory and clock in ``source``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in AMBIENT:
                found.append(f"{owner}.{node.attr} in line {node.lineno}")
        elif isinstance(node, ast.ImportFrom):
            found += [
                f"{node.module}.{alias.name} in line {node.lineno}"
                for alias in node.names
                if (node.module, alias.name) in AMBIENT
            ]
    return found


def test_only_the_command_line_reads_the_environment() -> None:
    """STYLE §2.7: everything ambient is an argument; only ``cli`` looks around."""
    assert ambient_reads("import os\nx = os.environ['A']\n") == ["os.environ in line 2"]
    assert ambient_reads("from os import getenv\n") == ["os.getenv in line 1"]
    assert ambient_reads("import datetime\ndatetime.datetime.now()\n") == ["datetime.now in line 2"]
    found = {
        module_of(path): reads
        for path in python_files()
        if path.relative_to(SOURCES).parts[0] not in {"cli", "testing"}
        and (reads := ambient_reads(path.read_text()))
    }
    assert found == {}


def prints(path: Path) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input"}
    ]


def test_the_core_never_prints() -> None:
    """STYLE §2.11: progress goes to the callback, data to the caller."""
    core = [path for path in python_files() if module_of(path) not in SCRIPTS]
    found = {path: lines for path in core if (lines := prints(path)) and "cli" not in path.parts}
    assert found == {}


def test_every_file_names_its_licence_and_says_what_it_is_for() -> None:
    for path in python_files():
        text = path.read_text()
        assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n"), path
        if module_of(path) not in SCRIPTS:
            assert ast.get_docstring(ast.parse(text)), path


def repository_files(tool: Callable[[str], str]) -> list[Path]:
    result = subprocess.run(
        [tool("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    names = result.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_s_host(tool: Callable[[str], str]) -> None:
    """Indexes and mirrors come from the user's configuration; the parts are joined here only."""
    hosts = [
        ("py" + "pi" + ".org").encode(),
        ("python" + "hosted" + ".org").encode(),
        ("deb" + ".debian" + ".org").encode(),
        ("registry.npm" + "js" + ".org").encode(),
    ]
    files = repository_files(tool)
    assert len(files) > 50
    found = [(path, host) for path in files for host in hosts if host in path.read_bytes()]
    assert found == []
