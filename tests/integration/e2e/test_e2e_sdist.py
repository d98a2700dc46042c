# SPDX-License-Identifier: Apache-2.0
"""Packages that have no wheel: locked with what builds them, built once, refused where unfit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from wheelship.sdist import process
from wheelship.sdist.confine import without_network
from wheelship.sdist.errors import SdistNoPython
from wheelship.sdist.interpreter import find_interpreter
from wheelship.testing.sdist import BACKEND, MadeSdist, make_sdist, make_tar
from wheelship.testing.wheel import MadeWheel, make_wheel

pytestmark = pytest.mark.integration

TOOL = "made_backend"


def tool(version: str) -> MadeWheel:
    """The backend as a wheel of its own, as setuptools is one."""
    return make_wheel(TOOL, version, files={f"{TOOL}.py": BACKEND})


def gamma(**kind: Any) -> MadeSdist:
    return make_sdist("gamma", **{"build_requires": [TOOL], "backend": TOOL, **kind})


def offer(site: Any, *made: MadeSdist | MadeWheel) -> None:
    for one in made:
        one.write(site.index.files)


def locked(site: Any) -> dict[str, Any]:
    """The row of gamma in the lock."""
    document = tomllib.loads((site.root / "pylock.cpu.toml").read_text())
    (row,) = (one for one in document["packages"] if one["name"] == "gamma")
    assert isinstance(row, dict)
    return row


def wheels_of(site: Any) -> dict[str, Path]:
    """The built wheels of the store, by digest."""
    found = {path.name: path for path in (site.store / "downloads").iterdir() if not path.suffix}
    return {
        name: path
        for name, path in found.items()
        if zipfile.is_zipfile(path)
        and any(one.startswith("gamma") for one in zipfile.ZipFile(path).namelist())
    }


def built_wheel(site: Any) -> Path:
    (path,) = wheels_of(site).values()
    return path


def witness(path: Path) -> dict[str, Any]:
    """What the backend saw when it made the wheel."""
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read("gamma_witness.json"))
    assert isinstance(document, dict)
    return document


def packages_of(image: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["version"] for layer in image["layers"] for one in layer["packages"]}


@pytest.fixture(autouse=True)
def _interpreter(missing: Callable[[str], None]) -> None:
    """The images of these tests have Python 3.11, and so must this machine."""
    try:
        find_interpreter("3.11", Path(sys.executable), Path("uv"), os.environ)
    except SdistNoPython:
        missing("there is no Python 3.11 to build with")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what a backend was started for."""
    started: list[str] = []
    build = process.build_wheel

    def counted(source: Path, name: str, *rest: Any) -> Path:
        started.append(name)
        return build(source, name, *rest)

    monkeypatch.setattr("wheelship.sdist.make.build_wheel", counted)
    return started


def test_a_package_without_a_wheel_is_locked_built_once_and_installed(
    site: Any, builds: list[str]
) -> None:
    made = gamma(requires=["beta"])
    offer(site, made, tool("1.0"), make_wheel("beta"))
    site.project("alpha", "gamma")
    ran = site.run("build", str(site.root), "--json")
    assert packages_of(ran.image)["gamma"] == "1.0"
    assert {"beta", "alpha"} <= packages_of(ran.image).keys()
    assert "warning[built-from-source]: gamma 1.0 has no wheel" in ran.err
    assert "build gamma 1.0: done: gamma-1.0-py3-none-any.whl" in ran.err
    row = locked(site)
    assert row["sdist"]["hashes"]["sha256"] == made.sha256
    assert row["sdist"]["size"] == len(made.data)
    assert row["dependencies"] == [{"name": "beta"}]
    (needed,) = row["tool"]["wheelship"]["build-requires"]
    assert (needed["package"], needed["version"]) == ("made-backend", "1.0")
    assert needed["hashes"]["sha256"] == tool("1.0").sha256
    assert builds == ["gamma"]

    again = site.run("build", str(site.root), "--json")
    assert again.image["digest"] == ran.image["digest"]
    assert "build gamma" not in again.err
    assert builds == ["gamma"]


def test_the_lock_does_not_change_by_itself(site: Any) -> None:
    offer(site, gamma(), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    before = (site.root / "pylock.cpu.toml").read_bytes()
    site.lock()
    assert (site.root / "pylock.cpu.toml").read_bytes() == before
    site.build("--locked")
    assert (site.root / "pylock.cpu.toml").read_bytes() == before


def test_what_builds_is_pinned(site: Any, builds: list[str]) -> None:
    """A newer backend on the index changes nothing until somebody asks for it."""
    offer(site, gamma(witness=True), tool("1.0"))
    site.project("alpha", "gamma")
    site.build()
    assert [TOOL, "1.0"] in [[n.replace("-", "_"), v] for n, v in seen_tools(site)]
    offer(site, tool("2.0"), make_wheel("beta"))
    site.project("alpha", "gamma", "beta")
    site.build()
    assert builds == ["gamma"], "re-locking for another reason changed what builds"
    site.run("lock", str(site.root), "--upgrade-package", TOOL)
    site.build()
    assert builds == ["gamma", "gamma"]


def test_what_builds_is_locked_for_machines_of_both_architectures(site: Any) -> None:
    """Whatever the image is for: a wheel that fits every machine may be built on either."""
    offer(site, gamma(build_requires=[TOOL, "native"]), tool("1.0"))
    tags = {"amd64": "x86_64", "arm64": "aarch64"}
    for machine in tags.values():
        offer(site, make_wheel("native", tag=f"cp311-cp311-manylinux_2_17_{machine}"))
    site.project("alpha", "gamma")
    site.lock()
    rows = locked(site)["tool"]["wheelship"]["build-requires"]
    both, *native = rows
    assert (both["package"], both.get("architectures")) == ("made-backend", None)
    found = {one["architectures"][0]: one["url"] for one in native}
    assert found.keys() == tags.keys()
    assert all(found[name].endswith(f"{machine}.whl") for name, machine in tags.items())


def seen_tools(site: Any) -> list[list[str]]:
    tools = witness(built_wheel(site))["tools"]
    assert isinstance(tools, list)
    return tools


def test_the_configuration_reaches_the_backend_and_another_one_builds_anew(
    site: Any, builds: list[str]
) -> None:
    offer(site, gamma(witness=True), tool("1.0"), tool("2.0"), make_wheel("extra"))
    site.project("alpha", "gamma")
    table = (
        '[tool.wheelship.sdist.Gamma]\nrequires = ["extra", "made-backend<2"]\n'
        'settings = { "--mode" = ["one", "two"], level = "3" }\nenv = { GAMMA_FAST = "1" }'
    )
    site.build()
    first = set(wheels_of(site))
    assert {v for n, v in seen_tools(site) if n.replace("-", "_") == TOOL} == {"2.0"}
    site.project("alpha", "gamma", table=table)
    site.build()
    (second,) = set(wheels_of(site)) - first
    saw = witness(wheels_of(site)[second])
    assert {(n.replace("-", "_"), v) for n, v in saw["tools"]} == {(TOOL, "1.0"), ("extra", "1.0")}
    assert saw["settings"] == {"--mode": ["one", "two"], "level": "3"}
    assert saw["environ"]["GAMMA_FAST"] == "1"
    site.project("alpha", "gamma", table=table.replace('"3"', '"4"'))
    site.build()
    assert builds == ["gamma"] * 3


def test_a_build_sees_neither_credentials_nor_this_machine(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(site, gamma(witness=True), tool("1.0"))
    site.project("alpha", "gamma")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "word")
    old = os.umask(0o077)
    try:
        site.build()
    finally:
        os.umask(old)
    saw = witness(built_wheel(site))
    environ = saw["environ"]
    assert "word" not in json.dumps(saw)
    allowed = {"CFLAGS", "CXXFLAGS", "HOME", "LANG", "LC_CTYPE", "NO_COLOR", "PATH", "TMPDIR", "TZ"}
    allowed |= {"SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "UV"}
    others = {name for name in environ if not name.startswith(("UV_", "PYTHON"))}
    assert others <= allowed, others - allowed
    assert environ["PYTHONHASHSEED"] == "0"
    assert environ["SOURCE_DATE_EPOCH"] == "315532800"
    assert not Path(environ["HOME"]).exists(), "the home of the build is left"
    assert saw["umask"] == "022"


def test_equal_builds_are_equal_files(site: Any) -> None:
    """Order, times and compression of the backend's archive do not matter."""
    digests = []
    for shuffled in ("", "1"):
        offer(site, gamma(), tool("1.0"))
        table = f'[tool.wheelship.sdist.gamma]\nenv = {{ SHUFFLED = "{shuffled}" }}'
        site.project("alpha", "gamma", table=table)
        site.build()
        digests.append(sorted(wheels_of(site)))
    assert digests[0] == digests[1]
    with zipfile.ZipFile(built_wheel(site)) as archive:
        infos = archive.infolist()
        record = archive.read("gamma-1.0.dist-info/RECORD").decode()
    names = [one.filename for one in infos]
    assert names == [*sorted(names[:-1]), "gamma-1.0.dist-info/RECORD"]
    assert {one.date_time for one in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert "gamma.py,sha256=" in record


def test_offline_builds_from_what_the_store_has(site: Any) -> None:
    offer(site, gamma(), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    site.refuse(
        "build", str(site.root), "--offline", code="offline", status=4, says=["made_backend"]
    )
    site.build()
    path = built_wheel(site)
    digest = path.name
    path.unlink()
    shutil.rmtree(site.store / "layers")
    site.build("--offline")
    assert built_wheel(site).name == digest


def test_a_failing_backend_is_quoted(site: Any) -> None:
    offer(site, gamma(fails="ld: cannot find -lquantum"), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    error = site.refuse(
        *("build", str(site.root)),
        code="sdist-build-failed",
        status=3,
        says=["gamma", "a line before", "ld: cannot find -lquantum"],
    )
    assert "pip wheel --no-deps" in error["hint"]


def test_a_backend_that_wants_more_is_told_how_to_get_it(site: Any) -> None:
    offer(site, gamma(dynamic=["extra"]), tool("1.0"), make_wheel("extra"))
    site.project("alpha", "gamma")
    site.lock()
    error = site.refuse(
        *("build", str(site.root)),
        code="sdist-build-failed",
        status=3,
        says=["extra was not found"],
    )
    fix = '[tool.wheelship.sdist.gamma]\nrequires = ["extra"]'
    assert fix in error["hint"]
    site.project("alpha", "gamma", table=fix)
    assert packages_of(site.build())["gamma"] == "1.0"


def test_a_backend_that_makes_another_package_is_refused(site: Any) -> None:
    offer(site, gamma(built_version="1.1"), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    site.refuse(
        *("build", str(site.root)),
        code="wrong-build",
        status=3,
        says=["gamma 1.1 from gamma 1.0"],
    )


def test_an_archive_that_was_swapped_is_refused_before_anything_runs(
    site: Any, builds: list[str]
) -> None:
    offer(site, gamma(), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    shutil.rmtree(site.store / "downloads")
    offer(site, gamma(more={"evil.py": b"1"}))
    site.refuse(
        "build", str(site.root), code="download-size-mismatch", status=4, says=["gamma-1.0"]
    )
    assert builds == []


def test_a_project_may_forbid_builds(site: Any, builds: list[str]) -> None:
    offer(site, gamma(), tool("1.0"))
    site.project("alpha", "gamma", table="sdist = false")
    error = site.refuse(
        *("build", str(site.root)),
        code="sdist-only",
        status=3,
        says=["gamma (required by demo)", "only source", "Python 3.11"],
    )
    assert "pip wheel --no-deps" in error["hint"]
    assert not [path for path in site.index.paths() if path.endswith(".tar.gz")]
    site.project("alpha", "gamma")
    site.lock()
    site.project("alpha", "gamma", table="sdist = false")
    site.refuse("build", str(site.root), "--frozen", code="not-a-wheel", status=3, says=["gamma"])
    assert builds == []


def test_a_build_has_no_network_unless_it_is_given(
    site: Any, request: pytest.FixtureRequest
) -> None:
    if without_network(os.environ["PATH"]) is None:
        request.getfixturevalue("missing")("unshare cannot make a network namespace here")
    site.index.documents["/model"] = b"weights"
    offer(site, gamma(connects=f"{site.index.url}/model"), tool("1.0"))
    site.project("alpha", "gamma")
    site.lock()
    error = site.refuse(
        *("build", str(site.root)), code="sdist-build-failed", status=3, says=["unreachable"]
    )
    assert "/model" not in site.index.paths()
    fix = "[tool.wheelship.sdist.gamma]\nnetwork = true"
    assert fix in error["hint"]
    site.project("alpha", "gamma", table=fix)
    site.build()
    with zipfile.ZipFile(built_wheel(site)) as archive:
        assert archive.read("gamma_loaded.txt") == b"weights"


def test_a_machine_that_cannot_take_the_network_away_says_so(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wheelship.sdist.make.without_network", lambda _: None)
    offer(site, gamma(), tool("1.0"))
    site.project("alpha", "gamma")
    assert "warning[sdist-not-confined]" in site.run("build", str(site.root)).err


# --- compiled code ---


@pytest.fixture
def compiled(site: Any, request: pytest.FixtureRequest) -> Any:
    """A site whose gamma holds code that gcc compiles."""
    if shutil.which("gcc") is None:
        request.getfixturevalue("missing")("gcc is not installed")
    tag = f"cp311-cp311-linux_{os.uname().machine}"
    offer(site, gamma(compiles=True, tag=tag), tool("1.0"))
    site.project("alpha", "gamma")
    return site


def test_compiled_code_is_the_same_each_time_and_tells_what_it_needs(compiled: Any) -> None:
    compiled.build()
    first = built_wheel(compiled)
    with zipfile.ZipFile(first) as archive:
        code = archive.read("gamma_code.so")
    assert b"puts" in code
    assert str(compiled.store).encode() not in code, "the place of the build is in the result"
    digest = first.name
    first.unlink()
    shutil.rmtree(compiled.store / "marks")
    compiled.build()
    assert built_wheel(compiled).name == digest


def test_compiled_code_for_an_older_c_library_only_is_refused(
    compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled.lock()
    monkeypatch.setattr("wheelship.lock.target._GLIBC_MINOR", {"3.11": 1})
    compiled.refuse(
        *("build", str(compiled.root), "--frozen"),
        code="sdist-needs-newer",
        status=3,
        says=["compiled here against glibc 2."],
    )


def test_a_library_that_is_nowhere_is_warned_of(compiled: Any, tmp_path: Path) -> None:
    library = tmp_path / "libquantum.so.7"
    subprocess.run(
        [
            *("gcc", "-shared", "-fPIC", "-x", "c", "/dev/null"),
            *(f"-Wl,-soname,{library.name}", "-o", library),
        ],
        check=True,
    )
    tag = f"cp311-cp311-linux_{os.uname().machine}"
    links = ["-Wl,--no-as-needed", str(library)]
    offer(compiled, gamma(compiles=True, tag=tag, links=links))
    ran = compiled.run("build", str(compiled.root), "--json")
    assert "warning[sdist-needs-library]" in ran.err
    assert "libquantum.so.7" in ran.err


# --- directories and archives by address ---


def test_a_directory_is_built_and_a_change_in_it_builds_anew(
    site: Any, tmp_path: Path, builds: list[str]
) -> None:
    place = gamma().unpack(tmp_path / "gamma")
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("x")
    offer(site, tool("1.0"))
    site.project("alpha", f"gamma @ {place.as_uri()}")
    site.build()
    assert locked(site)["directory"] == {"path": "../gamma"}
    (place / ".git" / "HEAD").write_text("y")
    site.build()
    assert builds == ["gamma"]
    (place / "more.txt").write_text("more")
    site.build()
    assert builds == ["gamma", "gamma"]
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [*gamma().files, ".git", "more.txt"]
    ), "the build wrote into the directory"


def test_an_archive_named_by_its_address_is_built(site: Any) -> None:
    made = gamma()
    offer(site, made, tool("1.0"))
    site.project("alpha", f"gamma @ {site.index.file_url(made.filename)}")
    assert packages_of(site.build())["gamma"] == "1.0"
    assert locked(site)["archive"]["hashes"]["sha256"] == made.sha256


def test_a_damaged_archive_is_refused(site: Any) -> None:
    made = gamma()
    held = [(f"gamma-1.0/{name}", one) for name, one in made.files.items()]
    data = make_tar([*held, tarfile.TarInfo("../../evil")])
    (site.index.files / made.filename).write_bytes(data)
    offer(site, tool("1.0"))
    site.project("alpha", "gamma")
    site.refuse(*("build", str(site.root)), code="source-unusable", status=3, says=["../../evil"])


# --- repositories ---


class Repository:
    """A git repository of gamma."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(self.place), *author, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, made: MadeSdist, folder: str = ".") -> str:
        """Commit the files of ``made`` and return the commit's name."""
        made.unpack(self.place / folder)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def url(self, more: str = "") -> str:
        return f"git+{self.place.as_uri()}{more}"


@pytest.fixture
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    if shutil.which("git") is None:
        request.getfixturevalue("missing")("git is not installed")
    return Repository(tmp_path / "gamma.git")


def test_a_commit_is_locked_and_stays_until_it_is_upgraded(
    site: Any, repository: Repository, builds: list[str]
) -> None:
    first = repository.commit(gamma(witness=True))
    offer(site, tool("1.0"), make_wheel("beta"))
    site.project("alpha", f"gamma @ {repository.url('@main')}")
    site.build()
    assert locked(site)["vcs"] == {
        "type": "git",
        "url": repository.place.as_uri(),
        "requested-revision": "main",
        "commit-id": first,
    }
    second = repository.commit(gamma(more={"other.py": b"1"}))
    site.project("alpha", "beta", f"gamma @ {repository.url('@main')}")
    site.build()
    assert locked(site)["vcs"]["commit-id"] == first, "the branch was followed"
    assert builds == ["gamma"]
    site.run("lock", str(site.root), "--upgrade-package", "gamma")
    assert locked(site)["vcs"]["commit-id"] == second
    site.build()
    assert builds == ["gamma", "gamma"]
    assert list((site.store / "tmp").iterdir()) == []


def test_a_package_in_a_subdirectory_of_a_repository(site: Any, repository: Repository) -> None:
    repository.commit(gamma(), "packages/gamma")
    offer(site, tool("1.0"))
    site.project("alpha", f"gamma @ {repository.url('#subdirectory=packages/gamma')}")
    assert packages_of(site.build())["gamma"] == "1.0"
    assert locked(site)["vcs"]["subdirectory"] == "packages/gamma"


def test_a_commit_or_repository_that_is_gone(site: Any, repository: Repository) -> None:
    repository.commit(gamma())
    offer(site, tool("1.0"))
    site.project("alpha", f"gamma @ {repository.url()}")
    site.lock()
    lock = site.root / "pylock.cpu.toml"
    lock.write_text(lock.read_text().replace(locked(site)["vcs"]["commit-id"], "0" * 40))
    site.refuse(
        *("build", str(site.root), "--frozen"), code="commit-missing", status=3, says=["0" * 40]
    )
    shutil.rmtree(repository.place)
    site.refuse(
        *("build", str(site.root), "--frozen"),
        code="repository-unreachable",
        status=4,
        says=["cannot be cloned"],
    )


# --- what the project tells uv about its sources ---


def tell_uv(site: Any, text: str) -> None:
    site.project("alpha", "gamma")
    with (site.root / "pyproject.toml").open("a") as stream:
        stream.write(f"\n{text}\n")


@pytest.mark.parametrize("kind", ["path", "git", "workspace"])
def test_sources_of_uv_are_built(
    site: Any, repository: Repository, kind: str, builds: list[str]
) -> None:
    offer(site, tool("1.0"))
    named = gamma(more={"pyproject.toml": PROJECT})
    if kind == "git":
        first = repository.commit(named, "lib")
        repository.git("tag", "v1")
        repository.commit(gamma(more={"pyproject.toml": PROJECT, "other": b""}), "lib")
        url = repository.place.as_uri()
        tell_uv(
            site,
            f'[tool.uv.sources]\ngamma = {{ git = "{url}", tag = "v1", subdirectory = "lib" }}',
        )
    elif kind == "path":
        named.unpack(site.root.parent / "lib")
        tell_uv(site, '[tool.uv.sources]\ngamma = { path = "../lib", editable = true }')
    else:
        named.unpack(site.root / "packages" / "lib")
        tell_uv(
            site,
            '[tool.uv.workspace]\nmembers = ["packages/*"]\n'
            "[tool.uv.sources]\ngamma = { workspace = true }",
        )
    assert packages_of(site.build())["gamma"] == "1.0"
    if kind == "git":
        assert locked(site)["vcs"]["commit-id"] == first
    else:
        expected = "../lib" if kind == "path" else "packages/lib"
        assert locked(site)["directory"] == {"path": expected}
    site.build("--locked")
    assert builds == ["gamma"]


def test_a_member_that_only_another_member_requires_is_built(site: Any, builds: list[str]) -> None:
    offer(site, tool("1.0"))
    outer = PROJECT.replace(b'"gamma"', b'"outer"') + b'dependencies = ["gamma"]\n'
    outer += b"[tool.uv.sources]\ngamma = { workspace = true }\n"
    made = make_sdist("outer", requires=["gamma"], more={"pyproject.toml": outer})
    made.unpack(site.root / "packages" / "outer")
    gamma(more={"pyproject.toml": PROJECT}).unpack(site.root / "packages" / "lib")
    site.project("alpha", "outer")
    pyproject = site.root / "pyproject.toml"
    before = pyproject.read_text()
    uv = (
        '[tool.uv.workspace]\nmembers = ["packages/*"]\n[tool.uv.sources.outer]\nworkspace = true\n'
    )
    pyproject.write_text(before + uv)
    site.build()
    assert locked(site)["directory"] == {"path": "packages/lib"}
    assert sorted(builds) == ["gamma", "outer"]
    pyproject.write_text(before.replace("[tool.wheelship]", "[tool.wheelship]\nsdist = false") + uv)
    site.refuse("lock", str(site.root), code="not-a-wheel", status=3, says=["outer"])


PROJECT = b"""
[build-system]
requires = ["made_backend"]
build-backend = "made_backend"
[project]
name = "gamma"
version = "1.0"
"""


def test_uv_lock_holds_the_commit_and_its_members_are_built(
    site: Any, repository: Repository, builds: list[str]
) -> None:
    first = repository.commit(gamma(more={"pyproject.toml": PROJECT}))
    offer(site, tool("1.0"))
    inner = PROJECT.replace(b'"gamma"', b'"inner"')
    outer = PROJECT.replace(b'"gamma"', b'"outer"') + b'dependencies = ["inner"]\n'
    outer += b"[tool.uv.sources]\ninner = { workspace = true }\n"
    for name, text in {"inner": inner, "outer": outer}.items():
        make_sdist(name, more={"pyproject.toml": text}).unpack(site.root / "packages" / name)
    site.project("outer", "gamma")
    with (site.root / "pyproject.toml").open("a") as stream:
        stream.write(
            '[tool.uv.workspace]\nmembers = ["packages/*"]\n[tool.uv.sources]\n'
            "outer = { workspace = true }\n"
            f'gamma = {{ git = "{repository.place.as_uri()}", branch = "main" }}\n'
        )
    command = [find_uv_bin(), "lock", "--quiet", "--python", sys.executable]
    command += ["--default-index", site.index.simple_url]
    subprocess.run(command, cwd=site.root, check=True)
    repository.commit(gamma(more={"pyproject.toml": PROJECT, "other": b""}))
    assert {"gamma", "inner", "outer"} <= packages_of(site.build()).keys()
    assert locked(site)["vcs"]["commit-id"] == first
    assert sorted(builds) == ["gamma", "inner", "outer"]
