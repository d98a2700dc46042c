# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a configuration is said all at once, with place and fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus
from wheelship.oci.platform import Platform
from wheelship.request.errors import ConfigurationError, Finding
from wheelship.request.read import read_request

Findings = Callable[[Mapping[str, str]], tuple[Finding, ...]]

PROJECT = (
    '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11"\n'
    "optional-dependencies = { cuda = [] }\n"
)
OWN = 'command = ["serve"]\n'
HEAD = f"{PROJECT}[tool.wheelship]\n{OWN}"

VALUES = [
    # (line, words of the message, words of the hint)
    ("prot = 8000", "unknown key", "port"),
    ("start_period = 1", "unknown key", "known keys"),
    ("port = 0", "between 1 and 65535", ""),
    ('port = "8000"', "a whole number", "port = 8000"),
    ("port = true", "not a boolean", ""),
    ("python = 3.11", "must be a string", 'python = "3.11"'),
    ('python = "3.10"', "'3.10' is not possible", '"3.13"'),
    ('base = "python:3.12-slim"', "`python` must say", 'python = "3.12"'),
    ('base = "registry.example.org/team/base"', "`python` must say", 'python = "3.11"'),
    ('base = "example.org/Team/Base"', "no name of a repository", "team/base"),
    ('base = "https://example.org/base"', "not the name of an image", "example.org/base"),
    ('base = "team/base@sha256:12"', "not a sha256 digest", "sha256:"),
    ('base = "oci:"', "names no directory", "oci:DIR"),
    ('base = "debian-debug"', "not supported yet", "debian"),
    ('python = "3.12"', "'3.12' is not possible with the base debian", "python:3.12-slim"),
    (
        'system-packages = ["libgomp1"]\npython = "3.12"\nbase = "python:3.12"',
        "join the base debian only",
        "holds them",
    ),
    ('entrypoint = "uvicorn a:b --port 80"', "must be a list", '"uvicorn", "a:b", "--port"'),
    ("entrypoint = 'python \"x'", "must be a list", '"python"'),
    ('entrypoint = ["a", ""]', "must not be empty", ""),
    ("entrypoint = []", "must not be empty", ""),
    ('entrypoint = ["a", 1]', "only strings", ""),
    ('entrypoint = ["a\\u0000b"]', "NUL", ""),
    ('budget = "340"', "no size", "300 MiB"),
    ('budget = "340 mega"', "no size", "340 MB"),
    ("budget = 3.4", "a size", "340 MB"),
    ("budget = 0", "makes no sense", ""),
    ('budget = { transfers = "1 GB" }', "unknown key", "transfer"),
    ('budget = { "linux/arm" = "1 GB" }', "unknown platform linux/arm", "linux/arm64"),
    ('budget = { "linux/arm64" = { transfers = "1 GB" } }', "unknown key", "transfer"),
    ('budget = { "linux/arm64" = { "linux/arm64" = "1 GB" } }', "unknown key", "transfer"),
    ('budget = { "linux/arm64" = true }', "must be a size", "340 MB"),
    ('budget = { "linux/arm64" = 1, "linux/arm64/v8" = 2 }', "once more", "remove"),
    ('health = "healthz"', "no path", "/healthz"),
    ('health = { interval = "30s" }\nport = 1', "names no path", "path"),
    ('health = { path = "/", interval = "30" }\nport = 1', "no duration", "30s"),
    ('health = { path = "/", timeout = 3 }\nport = 1', "must be a string", ""),
    ('health = { path = "/", retries = 0 }\nport = 1', "between 1 and", ""),
    ('health = "/up"', "no port", "port = 8000"),
    ('platforms = ["linux/riscv64"]', "unknown platform", "linux/amd64"),
    ("platforms = []", "at least one", "linux/amd64"),
    ('user = "nobody"', "uid:gid", "65532:65532"),
    ('user = "65532"', "uid:gid", "65532:65532"),
    ('user = "1:4294967295"', "uid:gid", ""),
    ('writable = ["data"]', "absolute path", "/data"),
    ('writable = ["/"]', "belongs to the system", ""),
    ('writable = ["/data/../etc"]', "absolute path", ""),
    ('stop-signal = "int"', "no name of a signal", '"SIGINT"'),
    ('stop-signal = "SIGQIUT"', "no name of a signal", '"SIGINT"'),
    ('stop-signal = "quit"', "no name of a signal", '"SIGQUIT"'),
    ('stop-signal = "SIGKILL"', "cannot be handled", '"SIGTERM"'),
    ("stop-signal = 2", "must be a string", ""),
    ('workdir = "/opt/venv/lib"', "belongs to the system", ""),
    ('workdir = "/a\\nimport os"', "absolute path", ""),
    ('env = { "A B" = "x" }', "no name", ""),
    ("env = { A = 1 }", "must be a string", 'A = "1"'),
    ("env = { A = true }", "must be a string", 'A = "true"'),
    ('env = { A = "a\\u0000" }', "NUL", ""),
    ('env = ["A=1"]', "must be a table", ""),
    ("labels = { a = 2000-01-01 }", "not a date or time", ""),
    ('labels = { " a" = "x" }', "no name for a label", ""),
    ('extras = ["gpu"]', "has no 'gpu'", ""),
    ('extras = ["Cud"]', "has no 'cud'", "did you mean 'cuda'?"),
    ('extras = ["cuda "]', "no valid name", ""),
    ('groups = ["dev"]', "has no 'dev'", ""),
    ('exclude = ["-x"]', "no valid name", ""),
    ('omit = { torch = "torch/test" }', "a list of strings", '["torch/test"]'),
    ('omit = { torch = ["/torch"] }', "relative to the root", ""),
    ('omit = { "a_b" = [], "a.b" = [] }', "second spelling", ""),
    ('omit = { "a b" = [] }', "no valid name", ""),
    ('find-links = ["https://example.org/wheels"]', "only local", "index"),
    ('find-links = ["pyproject.toml"]', "not a directory", ""),
    ('index = "example.org/simple"', "no http", "https://"),
    ('torch-index = "ftp://example.org"', "no http", ""),
    ('debian-mirror = "ftp.debian.org"', "no http", ""),
    ('system-packages = ["libgomp1=1.2"]', "no Debian package name", ""),
    ('waive-scripts = [{ package = "dash" }]', "no reason", "reason"),
    ('waive-record = [{ package = "x", reason = "y" }]', "no version", ""),
    ('waive-record = { package = "x" }', "a list of tables", ""),
    ('waive-scripts = ["dash"]', "a list of tables", ""),
    ('app = { include = ["../x"] }', "relative to the root", ""),
    ('app = { mode = "wheel" }', "not supported yet", "find-links"),
    ("app = { includes = [] }", "unknown key", "include"),
    ('check = { imports = ["a-b"] }', "no module name", ""),
    ('check = { request = { method = "POST" } }', "names no path", ""),
    ('check = { request = { path = "/", file = "none.wav" } }', "no file 'none.wav'", ""),
    ('check = { request = { path = "/", file = "/etc/passwd" } }', "inside the project", ""),
    ('check = { request = { path = "/", json = 1, method = "GET" } }', "has no body", "POST"),
    ('check = { request = { path = "/", expect = nan } }', "JSON", ""),
    ('check = { request = { path = "/", field = "x" } }', "no file", ""),
    ("layers = 126", "between 1 and 100", ""),
    ('bytecode = "imported"', "not supported yet", "all"),
    ('bytecode = "some"', "not possible", "none"),
    ('codec = "zstd"', "not supported yet", "splice"),
    ('slim = "safe"', "not supported yet", "none"),
    ('commands = { worker = ["x"] }', "not supported yet", "wheelship run"),
    ("sdist = true", "is true without being said", "sdist = false"),
    ('sdist = "no"', "must be a table", ""),
    ('sdist = { "a b" = {} }', "no valid name", ""),
    ("sdist = { a-b = {}, a_b = {} }", "second spelling of 'a-b'", "keep one"),
    ("sdist = { x = { require = [] } }", "unknown key", "requires"),
    ('sdist = { x = { requires = ["a b"] } }', "no dependency specifier", ""),
    ('sdist = { x = { requires = ["a @ file:///b"] } }', "names an address", "setuptools<81"),
    ('sdist = { x = { settings = { "a=b" = "c" } } }', "no name for a setting", ""),
    ("sdist = { x = { settings = { a = 1 } } }", "must be a string", 'a = "1"'),
    ('sdist = { x = { env = { "A-B" = "c" } } }', "no name for an environment variable", ""),
    ('sdist = { x = { network = "yes" } }', "true or false", "network = true"),
    ('sdist = { x = { env = { HOME = "/" } } }', "cannot be set", ""),
    ('accelerator = "cuda"', "does not belong here", "variants.NAME"),
    ('repository = "Ghcr.io/Owner/name"', "no image repository", "lower case"),
    ('repository = "ghcr.io/owner/name:1"', "no image repository", "without a tag"),
    ('default-variant = "cuda"', "no variant 'cuda'", "cpu"),
    ('name = ""', "must not be empty", ""),
    ("variants = []", "must be a table", ""),
    ('variants = { "a.b" = { accelerator = "cpu" } }', "no name for a variant", "hyphens"),
    ("variants = { x = {} }", "names no accelerator", "cpu"),
    ('variants = { x = { accelerator = "tpu" } }', "not possible", "rocm"),
    ('variants = { cpu = { version = "1.0" } }', "has no version", "remove"),
    ("variants = { cuda = {} }", "needs a version", "13.0"),
    ("variants = { cuda = { version = 13.0 } }", "must be a string", 'version = "13.0"'),
    ('variants = { cuda = { version = "13" } }', "no version of cuda", "13.0"),
    ('variants = { cpu = { gpu-targets = ["sm_90"] } }', "has no GPU", ""),
    ('variants = { rocm = { version = "6.4", gpu-targets = ["sm_90"] } }', "no target", "gfx942"),
    ('variants = { cpu = { repository = "x" } }', "does not belong here", "[tool.wheelship]"),
    ("variants = { a.accelerator = 'cpu', b.accelerator = 'cpu' }", "must be named", '"a"'),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message", "hint"), VALUES, ids=[row[0] for row in VALUES])
def test_a_bad_value_is_named_with_its_line(
    findings: Findings, line: str, message: str, hint: str
) -> None:
    found = findings({"pyproject.toml": f"{HEAD}{line}\n"})
    assert len(found) == 1
    (one,) = found
    assert message in one.message
    assert hint in (one.hint or "")
    assert one.file == "pyproject.toml"
    assert one.key is not None
    assert one.key.startswith("tool.wheelship.")
    if "must be named" not in message:  # that key is not there
        assert one.line == HEAD.count("\n") + 1


A1 = 'name = "a"\nversion = "1"\n'
PROJECTS = [
    ('name = "a b"\nversion = "1"', "no valid name"),
    ('version = "1"', "has no name"),
    ('name = "a"', "neither a version"),
    ('name = "a"\nversion = "one"', "no version"),
    (A1 + 'requires-python = "3.11"', "Invalid specifier"),
    (A1 + 'requires-python = ">=3.14"', "none of the Pythons"),
    (A1 + 'requires-python = "==3.11"', "none of the Pythons"),
    (A1 + 'dependencies = ["torch=2"]', "no dependency specifier"),
    (A1 + 'dependencies = ["torch>=2\\nx"]', "control characters"),
    (A1 + 'dependencies = "torch"', "a list of strings"),
    (A1 + 'optional-dependencies = { "a.b" = [], a-b = [] }', "second spelling"),
    ('name = "a"\ndynamic = ["version"]', "is not asked"),
    (A1 + 'dynamic = ["dependencies"]', "is not asked"),
    (A1 + 'dynamic = ["scripts"]', "not supported yet"),
    (A1 + 'gui-scripts = { a = "a:b" }', "not supported yet"),
    (A1 + 'scripts = { a = "a.b" }', "names no object"),
    (A1 + 'scripts = { python3 = "a:b" }', "replace"),
    (A1 + 'scripts = { "../a" = "a:b" }', "no name for a script"),
    (A1 + 'scripts = { ".wh.a" = "a:b" }', "no name for a script"),
    (A1 + "entry-points = { console_scripts = {} }", "does not belong"),
    (A1 + 'entry-points = { "a b" = {} }', "no name for a group"),
    (A1 + 'entry-points = { g = { "x=y" = "a" } }', "entry point"),
    (A1 + '[dependency-groups]\na = [{ include-group = "a" }]', "includes itself"),
    (A1 + '[dependency-groups]\na = [{ include-group = "b" }]', "unknown group"),
    (A1 + '[dependency-groups]\na = [{ path = "b" }]', "neither"),
    (A1 + '[dependency-groups]\na = ["="]', "no dependency specifier"),
    (A1 + '[dependency-groups]\na = "torch"', "a list of strings"),
    (A1 + '[dependency-groups]\n"a b" = []', "no valid name"),
    (A1 + '[dependency-groups]\na = [{ include-group = "b c" }]', "no valid name"),
    (A1 + 'dependencies = ["B"]\n[tool.uv.sources]\nb = { index = "x" }', "named 'x'"),
    (A1 + 'dependencies = ["B"]\n[tool.uv.sources]\nb = { editable = true }', "names no source"),
    (A1 + "[tool.uv]\nno-binary = true", "an image is made of wheels"),
    (A1 + "[[tool.uv.index]]\nname = 'x'", "an index has no url"),
    (A1 + "[tool.uv]\nexclude-newer = 2026-01-01", "nothing that uv could read"),
    (A1 + "[tool.uv]\noverride-dependencies = ['a b']", "no dependency specifier"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), PROJECTS, ids=[row[0] for row in PROJECTS])
def test_a_bad_project_table(findings: Findings, text: str, message: str) -> None:
    found = findings({"pyproject.toml": f"[project]\n{text}\n", "wheelship.toml": OWN})
    assert [message in one.message for one in found] == [True], found


def test_a_python_that_the_project_does_not_allow(findings: Findings) -> None:
    project = PROJECT.replace(">=3.11", ">=3.12")
    (found,) = findings({"pyproject.toml": project, "wheelship.toml": f'{OWN}python = "3.11"\n'})
    assert (found.file, found.key, found.line) == ("wheelship.toml", "python", 2)
    assert "does not allow 3.11.2" in found.message
    assert found.hint == 'python = "3.13"'


@pytest.mark.parametrize("text", ["", "__version__ = make()", "def (", '"\\0"'])
def test_a_version_that_only_running_code_could_tell(findings: Findings, text: str) -> None:
    project = '[project]\nname = "a"\ndynamic = ["version"]\n'
    tool = '[tool.setuptools.dynamic]\nversion = { attr = "a.__version__" }\n'
    (found,) = findings({"pyproject.toml": project + tool, "wheelship.toml": OWN, "a.py": text})
    assert "is not asked" in found.message
    assert found.hint == "write version into [project] and take it out of dynamic"


def test_uv_sources_of_other_packages_do_not_matter(
    findings: Findings,
) -> None:
    """A development tool from git is no part of the image; the finding must be another one."""
    uv = '[tool.uv.sources]\nother = { git = "https://example.org" }\n'
    found = findings({"pyproject.toml": f"{HEAD}port = 0\n{uv}"})
    assert [one.key for one in found] == ["tool.wheelship.port"]


def test_everything_wrong_is_reported_at_once(findings: Findings) -> None:
    text = """\
[project]
name = "a"
version = "1"
dependencies = [
    "torch",
    "bad requirement",
]

[tool.wheelship]
comand = ["serve"]
port = 99999

[tool.wheelship.variants.cuda]
verion = "13.0"
"""
    found = findings({"pyproject.toml": text})
    assert [(one.key, one.line) for one in found] == [
        ("project.dependencies", 4),
        ("tool.wheelship.comand", 10),
        ("tool.wheelship.port", 11),
        ("tool.wheelship.variants.cuda.verion", 14),
        ("tool.wheelship.command", 9),
        ("tool.wheelship.variants.cuda", 13),
    ]
    error = ConfigurationError(found)
    assert "6 problems" in str(error)
    assert "pyproject.toml:11: tool.wheelship.port: 99999 is not between" in str(error)
    assert "fix: did you mean 'command'?" in str(error)
    assert error.exit_status is ExitStatus.INPUT
    assert error.code == "configuration"


def test_a_project_wide_mistake_is_reported_once_for_all_variants(findings: Findings) -> None:
    variants = "".join(f"[tool.wheelship.variants.{name}]\naccelerator='cpu'\n" for name in "abc")
    found = findings({"pyproject.toml": f'{HEAD}health = "/up"\ndefault-variant = "a"\n{variants}'})
    assert [one.key for one in found] == ["tool.wheelship.health"]


def test_both_files_are_an_error(findings: Findings) -> None:
    found = findings({"pyproject.toml": HEAD, "wheelship.toml": 'command = ["serve"]\n'})
    assert [(one.key, one.line) for one in found] == [("tool.wheelship", 6)]
    assert "wheelship.toml" in found[0].message


@pytest.mark.parametrize(
    ("files", "file", "message"),
    [
        ({}, "service", "no pyproject.toml"),
        ({"setup.py": ""}, "service", "setup.py cannot be read"),
        ({"pyproject.toml": "[tool.black]\n"}, "pyproject.toml", "no [project] table"),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\nfastapi = "*"\n'},
            "pyproject.toml",
            "the dependencies of [tool.poetry] are not read",
        ),
        ({"pyproject.toml": "a = \n"}, "pyproject.toml", "not valid TOML"),
        ({"pyproject.toml": "a = " + "[" * 5000}, "pyproject.toml", "nested too deeply"),
        ({"pyproject.toml": "project = 1\n"}, "pyproject.toml", "must be a table"),
        ({"pyproject.toml": "[tool]\nwheelship = 1\n"}, "pyproject.toml", "must be a table"),
    ],
)
def test_a_project_that_cannot_be_read(
    findings: Findings, files: dict[str, str], file: str, message: str
) -> None:
    found = findings(files)
    assert any(one.file.endswith(file) and message in one.message for one in found), found


def test_where_nothing_is_declared_nothing_else_is_said(findings: Findings) -> None:
    """As in the directory above several projects: their code is not this one's."""
    (found,) = findings({"a/main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n"})
    assert found.message.startswith("no pyproject.toml")


def test_a_syntax_error_has_its_line(findings: Findings) -> None:
    """Both files are read before anything is said; an open bracket is noticed at the end."""
    found = findings({"pyproject.toml": "[a]\nb = 1\nb = 2\n", "wheelship.toml": "x = [\n"})
    assert [(one.file, one.line) for one in found] == [
        ("pyproject.toml", 3),
        ("wheelship.toml", None),
    ]


def test_a_file_that_is_not_utf8_or_no_file(
    findings: Findings, write: Callable[[Mapping[str, str]], Path]
) -> None:
    root = write({})
    (root / "pyproject.toml").write_bytes(b"# \xff\n")
    (root / "wheelship.toml").mkdir()
    found = findings({})
    assert "not UTF-8" in found[0].message
    assert "cannot be read" in found[1].message


def test_index_credentials_are_not_repeated(findings: Findings) -> None:
    found = findings({"pyproject.toml": f'{HEAD}index = "hxxps://user:hunter2@example.org"\n'})
    assert found[0].key == "tool.wheelship.index"
    assert "hunter2" not in str(ConfigurationError(found))


def test_a_single_finding_is_the_message_itself(findings: Findings) -> None:
    error = ConfigurationError(findings({"pyproject.toml": f"{HEAD}port = 0\n"}))
    assert error.message.startswith("pyproject.toml:8: tool.wheelship.port: 0 is not between")
    assert error.where == "pyproject.toml:8"


def test_a_machine_that_images_are_not_built_for_must_name_platforms(
    write: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({"pyproject.toml": HEAD})
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ConfigurationError, match="platforms: this machine"):
        read_request(root)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert read_request(root).variants["cpu"].platforms == (Platform("arm64"),)
