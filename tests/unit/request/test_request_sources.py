# SPDX-License-Identifier: Apache-2.0
"""The application's files: five shapes of projects, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from wheelship.archive.entry import File, InMemory, Streamed
from wheelship.request.errors import SourceError
from wheelship.request.model import Request
from wheelship.request.read import read_request
from wheelship.request.sources import Snapshot, SourceFile, entries, snapshot

Read = Callable[[Mapping[str, str]], Request]
Write = Callable[[Mapping[str, str]], Path]

SITE = "opt/venv/lib/python3.13/site-packages"
PROJECT = '[project]\nname = "my-service"\nversion = "1.0-rc1"\ndependencies = ["torch"]\n'
TOOL = '[tool.wheelship]\ncommand = ["serve"]\n'


def script(module: str, attribute: str) -> bytes:
    return f"#!/opt/venv/bin/python\nfrom {module} import {attribute}\n".encode()


def take(request: Request) -> Snapshot:
    return snapshot(request.project, request.variants["cpu"], script)


def contents(taken: Snapshot) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in entries(taken):
        assert isinstance(entry, File)
        match entry.content:
            case InMemory(data):
                found[entry.path] = data
            case Streamed():
                found[entry.path] = b"".join(entry.content.open())
            case _:
                pytest.fail("files of a project are never zip members")
    return found


def paths(request: Request) -> list[str]:
    """Return what the snapshot holds, without the generated ``.dist-info``."""
    return [path for path in contents(take(request)) if ".dist-info/" not in path]


def test_a_src_layout_is_installed_with_its_data(read: Read) -> None:
    files = {
        "pyproject.toml": PROJECT + TOOL,
        "src/my_service/__init__.py": "",
        "src/my_service/model.json": "{}",
        "src/my_service/sub/deep.py": "",
        "src/single.py": "",
        "src/notes.txt": "",
        "src/my_service.egg-info/PKG-INFO": "",
        "src/my_service/__pycache__/x.cpython-313.pyc": "",
        "main.py": "",
        "tests/test_a.py": "",
    }
    assert paths(read(files)) == [
        f"{SITE}/my_service/__init__.py",
        f"{SITE}/my_service/model.json",
        f"{SITE}/my_service/sub/deep.py",
        f"{SITE}/single.py",
    ]


def test_a_flat_package_named_like_the_project(read: Read) -> None:
    files = {
        "pyproject.toml": PROJECT + TOOL,
        "My_Service/__init__.py": "",
        "other/__init__.py": "",
        "docs/conf.py": "",
    }
    assert paths(read(files)) == [f"{SITE}/My_Service/__init__.py"]


def test_a_single_module_named_like_the_project(read: Read) -> None:
    files = {"pyproject.toml": PROJECT + TOOL, "my_service.py": "", "setup.py": ""}
    assert paths(read(files)) == [f"{SITE}/my_service.py"]


def test_a_script_project_stays_together_in_the_working_directory(read: Read) -> None:
    files = {
        "requirements.txt": "fastapi\nuvicorn\n",
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "routers/users.py": "",
        "routers/users.sql": "",
        "templates/index.html": "",
        "static/style.css": "",
        "data/large.bin": "",
        "tests/test_main.py": "",
        "test_other.py": "",
        "conftest.py": "",
        "my-script.py": "",
        ".env": "SECRET=1",
    }
    taken = take(read(files))
    assert list(contents(taken)) == [
        "app/main.py",
        "app/routers/users.py",
        "app/routers/users.sql",
        "app/static/style.css",
        "app/templates/index.html",
        f"{SITE}/wheelship-workdir.pth",
    ]
    # No [project] table, so there is no distribution and no name to install it under.
    assert contents(taken)[f"{SITE}/wheelship-workdir.pth"] == b"/app\n"


def test_a_script_project_with_a_project_table_has_metadata(read: Read) -> None:
    """The shape ``uv init`` makes: a ``[project]`` table and a ``main.py``."""
    files = {"pyproject.toml": PROJECT + TOOL, "main.py": ""}
    assert list(contents(take(read(files)))) == [
        "app/main.py",
        f"{SITE}/my_service-1.0rc1.dist-info/INSTALLER",
        f"{SITE}/my_service-1.0rc1.dist-info/METADATA",
        f"{SITE}/my_service-1.0rc1.dist-info/RECORD",
        f"{SITE}/my_service-1.0rc1.dist-info/WHEEL",
        f"{SITE}/wheelship-workdir.pth",
    ]


def test_a_directory_does_not_name_a_project(read: Read) -> None:
    """A package called like the directory is not the distribution, and is not all there is."""
    files = {"requirements.txt": "torch\n", "wheelship.toml": 'command = ["x"]\n'}
    request = read({**files, "main.py": "", "service/__init__.py": ""})
    assert request.project.name == request.project.root.name == "service"
    assert paths(request)[:2] == ["app/main.py", "app/service/__init__.py"]


def test_the_key_knows_names_in_the_working_directory(read: Read, write: Write) -> None:
    """No RECORD lists these files."""
    files = {"requirements.txt": "torch\n", "wheelship.toml": 'command = ["x"]\n', "one.py": ""}
    before = take(read(files)).key
    (write({}) / "one.py").rename(write({}) / "two.py")
    assert take(read({})).key != before


def test_a_src_that_is_itself_a_package(read: Read) -> None:
    files = {"requirements.txt": "torch\n", "wheelship.toml": 'command = ["x"]\n'}
    code = {"src/__init__.py": "", "src/main.py": ""}
    assert paths(read({**files, **code}))[:2] == ["app/src/__init__.py", "app/src/main.py"]


def test_wheelship_toml_and_another_working_directory(read: Read) -> None:
    own = 'command = ["x"]\nworkdir = "/srv/it"\napp = { include = ["conf/*.ini"] }\n'
    files = {"pyproject.toml": PROJECT, "wheelship.toml": own, "my_service/__init__.py": ""}
    request = read({**files, "conf/a.ini": "", "conf/b.txt": ""})
    assert paths(request) == [f"{SITE}/my_service/__init__.py", "srv/it/conf/a.ini"]


def test_a_project_without_code_is_its_metadata_alone(read: Read) -> None:
    assert paths(read({"pyproject.toml": PROJECT + TOOL})) == []
    assert contents(take(read({"pyproject.toml": PROJECT + TOOL})))


def test_the_installed_distribution_works(read: Read, tmp_path: Path) -> None:
    """The standard library finds metadata, files and entry points of what was written."""
    project = PROJECT + (
        'requires-python = ">=3.11"\n'
        'optional-dependencies = { gpu = ["triton>=3; sys_platform == \'linux\'", "x"] }\n'
        'scripts = { b = "my_service:main", a = "my_service.sub:go.on" }\n'
        'entry-points = { "my.plugins" = { one = "my_service" } }\n'
    )
    request = read(
        {
            "pyproject.toml": project + TOOL,
            "src/my_service/__init__.py": "value = 7\n",
            "src/my_service/a,b.txt": "x",
        }
    )
    for path, data in contents(take(request)).items():
        target = tmp_path / "image" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    program = """
import hashlib, base64, sys
from importlib import metadata
sys.path.insert(0, sys.argv[1])
import my_service
one = metadata.distribution("my-service")
print(my_service.value, one.version, one.metadata["Requires-Python"], one.read_text("INSTALLER"))
print(*one.requires, sep="\\n")
print(*sorted(f"{e.group} {e.name} {e.value}" for e in one.entry_points), sep="\\n")
for file in one.files:
    if file.hash:
        data = file.locate().read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (file.hash.value, file.size) == (digest, len(data)), file
    print(file)
"""
    site = str(tmp_path / "image" / SITE)
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", program, site],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "7 1.0rc1 >=3.11 wheelship",
        "",
        "torch",
        'triton>=3 ; (sys_platform == "linux") and extra == "gpu"',
        'x; extra == "gpu"',
        "console_scripts a my_service.sub:go.on",
        "console_scripts b my_service:main",
        "my.plugins one my_service",
        "../../../bin/a",
        "../../../bin/b",
        "my_service-1.0rc1.dist-info/INSTALLER",
        "my_service-1.0rc1.dist-info/METADATA",
        "my_service-1.0rc1.dist-info/WHEEL",
        "my_service-1.0rc1.dist-info/entry_points.txt",
        "my_service/__init__.py",
        "my_service/a,b.txt",
        "my_service-1.0rc1.dist-info/RECORD",
    ]
    written = contents(take(request))
    assert written["opt/venv/bin/a"] == script("my_service.sub", "go.on")


def test_modes_come_from_the_executable_bit_alone(read: Read, write: Write) -> None:
    root = write(
        {
            "pyproject.toml": PROJECT + TOOL,
            "my_service/__init__.py": "",
            "my_service/run.sh": "",
            "my_service/c": "",
        }
    )
    (root / "my_service/run.sh").chmod(0o700)
    (root / "my_service/c").chmod(0o666)
    modes = {entry.path: entry.mode for entry in entries(take(read({})))}
    assert modes[f"{SITE}/my_service/run.sh"] == 0o755
    assert modes[f"{SITE}/my_service/c"] == 0o644


def test_include_wins_over_ignore_files_and_exclude_over_both(read: Read) -> None:
    files = {
        ".gitignore": "*.bin\n_version.py\nsecret/\n",
        ".dockerignore": "my_service/docs\n",
        "my_service/__init__.py": "",
        "my_service/_version.py": "",
        "my_service/model.bin": "",
        "my_service/docs/a.md": "",
        "my_service/keep.md": "",
        "my_service/drop.md": "",
        "my_service/secret/key": "",
        "assets/a/one.json": "",
        "assets/two.json": "",
        "assets/.env": "SECRET=1",
        "other.txt": "",
    }
    include = '["my_service/_version.py", "assets/**/*.json", "assets/.env", "assets/.e*"]'
    with pytest.raises(SourceError, match=r"assets/\.env: no file"):
        take(
            read({**files, "pyproject.toml": PROJECT + TOOL + f"app = {{ include = {include} }}\n"})
        )
    app = 'app = { include = ["my_service/_version.py", "assets"], exclude = ["**/drop.md"] }\n'
    assert paths(read({**files, "pyproject.toml": PROJECT + TOOL + app})) == [
        "app/assets/a/one.json",
        "app/assets/two.json",
        f"{SITE}/my_service/__init__.py",
        f"{SITE}/my_service/_version.py",
        f"{SITE}/my_service/keep.md",
    ]


def test_included_modules_are_importable(read: Read) -> None:
    tool = TOOL + 'app = { include = ["common/"] }\n'
    files = {"pyproject.toml": PROJECT + tool, "my_service.py": "", "common/a.py": ""}
    assert f"{SITE}/wheelship-workdir.pth" in paths(read(files))


def refused(request: Request) -> dict[str, str]:
    with pytest.raises(SourceError) as raised:
        take(request)
    return {finding.file: finding.message for finding in raised.value.findings}


def test_everything_that_cannot_be_shipped_is_reported_at_once(
    read: Read, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("x")
    root = write({"pyproject.toml": PROJECT + TOOL, "my_service/__init__.py": "", ".env": "S=1"})
    package = root / "my_service"
    (package / "away").symlink_to("../../outside/file")
    (package / "away_folder").symlink_to(tmp_path / "outside")
    (package / "dangling").symlink_to("nothing")
    (package / "loop").symlink_to("loop")
    (package / "round").symlink_to("../my_service")
    (package / "env").symlink_to("../.env")
    (package / ".wh.gone").write_text("")
    (package / ".wh.d").mkdir()
    (package / ".wh.d" / "inner").write_text("")
    os.mkfifo(package / "pipe")
    Path(os.fsdecode(os.fsencode(package) + b"/caf\xe9.txt")).write_text("")
    found = refused(read({}))
    assert {path: message.partition(",")[0] for path, message in found.items()} == {
        "my_service/away": f"is a link to {tmp_path / 'outside/file'}",
        "my_service/away_folder": f"is a link to {tmp_path / 'outside'}",
        "my_service/dangling": "is a link to nothing",
        "my_service/loop": "is a link that cannot be followed",
        "my_service/round": "is a link that leads back to a directory it lies in",
        "my_service/env": "is a link to .env",
        "my_service/.wh.gone": 'has a name that images read as "deleted"',
        "my_service/.wh.d/inner": 'has a name that images read as "deleted"',
        "my_service/pipe": "is a device",
        "my_service/caf\\udce9.txt": "has a name that is not UTF-8",
    }
    # What is excluded is not asked about.
    for path in found:
        if "caf" not in path:
            (root / path).unlink(missing_ok=True)
    tool = TOOL + 'app = { exclude = ["my_service/caf*"] }\n'
    assert paths(read({"pyproject.toml": PROJECT + tool})) == [f"{SITE}/my_service/__init__.py"]


def test_files_and_directories_without_permission(read: Read) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        package = Path(folder) / "my_service"
        (package / "d").mkdir(parents=True)
        (package / "__init__.py").touch(mode=0)
        (package / "d").chmod(0)
        (Path(folder) / "pgdata").mkdir(mode=0)  # not the package's, so not asked for
        request = read({"pyproject.toml": PROJECT + TOOL})
        request = replace(request, project=replace(request.project, root=Path(folder).resolve()))
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)  # root reads everything
            found = refused(request)
        finally:
            os.seteuid(user)
        (package / "d").chmod(0o755)
        (Path(folder) / "pgdata").chmod(0o755)
    assert found == {
        "my_service/__init__.py": "cannot be read: Permission denied",
        "my_service/d": "cannot be read: Permission denied",
    }


def test_links_inside_the_project_are_followed(read: Read, write: Write) -> None:
    root = write(
        {
            "pyproject.toml": PROJECT + TOOL,
            "my_service/__init__.py": "",
            "shared/a/data.txt": "content",
        }
    )
    (root / "my_service/data.txt").symlink_to("../shared/a/data.txt")
    (root / "my_service/folder").symlink_to("../shared")
    (root / "my_service/twice").symlink_to("../shared/a")
    taken = contents(take(read({})))
    assert taken[f"{SITE}/my_service/data.txt"] == b"content"
    assert taken[f"{SITE}/my_service/folder/a/data.txt"] == b"content"
    assert taken[f"{SITE}/my_service/twice/data.txt"] == b"content"


def test_an_include_behind_a_link_that_leaves_the_project(
    read: Read, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("x")
    tool = TOOL + 'app = { include = ["link/file"] }\n'
    root = write({"pyproject.toml": PROJECT + tool})
    (root / "link").symlink_to("../outside")
    assert refused(read({}))["link/file"] == "lies behind a link that leaves the project"


def test_virtual_environments_are_left_out_under_any_name(read: Read) -> None:
    files = {
        "requirements.txt": "torch\n",
        "wheelship.toml": 'command = ["x"]\napp = { include = ["my*/**"] }\n',
        "main.py": "",
        "myenv/pyvenv.cfg": "",
        "myenv/lib/a.py": "",
        "mydata/b.txt": "",
    }
    assert paths(read(files)) == [
        "app/main.py",
        "app/mydata/b.txt",
        f"{SITE}/wheelship-workdir.pth",
    ]


def test_a_file_that_changes_while_it_is_read_is_noticed(read: Read, write: Write) -> None:
    root = write({"pyproject.toml": PROJECT + TOOL, "my_service.py": "value = 1\n"})
    taken = take(read({}))
    (root / "my_service.py").write_text("value = 2\n")
    with pytest.raises(SourceError, match="changed while"):
        contents(taken)
    (root / "my_service.py").unlink()
    with pytest.raises(SourceError, match="cannot be read any more"):
        contents(taken)


def test_large_files_are_streamed_and_checked(read: Read, write: Write) -> None:
    data = os.urandom(1000) * 3000
    root = write({"pyproject.toml": PROJECT + TOOL, "my_service/__init__.py": ""})
    (root / "my_service/weights").write_bytes(data)
    taken = take(read({}))
    assert contents(taken)[f"{SITE}/my_service/weights"] == data
    for changed in (data[:-1], data + b"x", bytes([data[0] ^ 1]) + data[1:]):
        (root / "my_service/weights").write_bytes(changed)
        with pytest.raises(SourceError, match="changed while"):
            contents(taken)


def test_the_example_service() -> None:
    root = Path(__file__).parents[3] / "examples" / "speech-service"
    taken = take(read_request(root))
    files = {file.path_in_project: file for file in taken.files}
    app = files["src/speech_service/app.py"]
    assert app == SourceFile(
        path_in_project="src/speech_service/app.py",
        target="opt/venv/lib/python3.11/site-packages/speech_service/app.py",
        size_bytes=app.source.stat().st_size,
        sha256=sha256(app.source.read_bytes()).hexdigest(),
        executable=False,
        source=root.resolve() / "src/speech_service/app.py",
    )
    assert not [name for name in files if "tests" in name or "samples" in name]
