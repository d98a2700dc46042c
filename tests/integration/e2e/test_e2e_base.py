# SPDX-License-Identifier: Apache-2.0
"""A service on a real image of Debian in a real registry: locked, built, run, pushed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from wheelship.inspect.model import Contents
from wheelship.oci.validate import validate
from wheelship.testing.base import tar_of

pytestmark = pytest.mark.integration

TOOLS = ("mmdebstrap", "docker-registry", "umoci", "skopeo")
LIBRARY = "usr/lib/python3.11"

APP = """\
import sys

from fastapi import FastAPI

app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/hello/{name}")
def hello(name: str) -> dict[str, object]:
    import encodings

    bytecode = open(encodings.__cached__, "rb").read(8)[4:]
    return {"hello": name, "base": sys.base_prefix, "flags": int.from_bytes(bytecode, "little")}
"""

PROJECT = """\
[project]
name = "hello"
version = "1.0"
requires-python = ">=3.11.1"
dependencies = ["fastapi", "uvicorn"]

[tool.wheelship]
python = "3.11"
base = "{base}"
command = ["uvicorn", "hello.app:app", "--host", "0.0.0.0", "--port", "8000"]
port = 8000
health = "/healthz"
writable = ["/data"]
bytecode = "{bytecode}"

[tool.wheelship.check]
imports = ["fastapi", "pydantic_core"]

[tool.wheelship.check.request]
path = "/hello/you"
expect = {{ hello = "you", base = "/usr", flags = 1 }}
"""


def missing(reason: str) -> NoReturn:
    """Skip on a developer's machine; in CI a missing part must not pass for a passed test."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def call(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=900)


@dataclass(kw_only=True)
class Registry:
    """A docker-registry of our own; ``log`` is its access log."""

    host: str
    log: Path
    offset: int = 0

    def forget(self) -> None:
        """Count from here."""
        self.offset = self.log.stat().st_size

    def requests(self, method: str, part: str) -> list[str]:
        """Return the requests since, by method and a part of the path."""
        time.sleep(0.2)
        with self.log.open() as log:
            log.seek(self.offset)
            found = [line.split('"')[1] for line in log if '"' in line]
        return [one for one in found if one.startswith(f"{method} ") and part in one]

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """Return a manifest as the registry has it."""
        accept = (
            "application/vnd.docker.distribution.manifest.v2+json,"
            "application/vnd.oci.image.manifest.v1+json"
        )
        url = f"http://{self.host}/v2/{repository}/manifests/{reference}"
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return document | {"digest": answer.headers["Docker-Content-Digest"]}


@pytest.fixture(scope="module")
def place(shell: Any) -> Iterator[Path]:
    path = shell.work / "base"
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def registry(place: Path) -> Iterator[Registry]:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            missing(f"needs {tool}: apt-get install {' '.join(TOOLS)}")
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{trial.getsockname()[1]}"
    config, log = place / "registry.yml", place / "registry.log"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{place / 'registry'}'}}}}\n"
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["/usr/bin/docker-registry", "serve", config], stdout=out, stderr=out
        )
    try:
        for _ in range(100):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", int(host.rpartition(":")[2]))) == 0:
                    break
            time.sleep(0.1)
        yield Registry(host=host, log=log)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def base(place: Path, registry: Registry) -> str:
    """Debian with its own Python in a Docker manifest; a second layer takes bytecode away."""
    root, layout = place / "root.tar", place / "layout"
    packages = "--include=python3.11,ca-certificates"
    call("mmdebstrap", "--variant=minbase", packages, "bookworm", root)
    upper = place / "upper.tar"
    upper.write_bytes(tar_of({f"{LIBRARY}/encodings/.wh.__pycache__": b"", "etc/marker": b"one\n"}))
    call("umoci", "init", "--layout", layout)
    call("umoci", "new", "--image", f"{layout}:one")
    call("umoci", "raw", "add-layer", "--image", f"{layout}:one", root)
    root.unlink()
    call("umoci", "raw", "add-layer", "--image", f"{layout}:one", upper)
    path = "PATH=/usr/local/bin:/usr/bin:/bin"
    call("umoci", "config", "--image", f"{layout}:one", f"--config.env={path}")
    push(layout, "one", f"{registry.host}/team/python:3.11")
    return f"{registry.host}/team/python:3.11"


def push(layout: Path, tag: str, reference: str) -> None:
    options = ("--quiet", "--dest-tls-verify=false", "--format=v2s2")
    call("skopeo", "copy", *options, f"oci:{layout}:{tag}", f"docker://{reference}")


def files_of(base: str, bytecode: str = "all") -> dict[str, str]:
    return {
        "pyproject.toml": PROJECT.format(base=base, bytecode=bytecode),
        "hello/__init__.py": "",
        "hello/app.py": APP,
    }


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The project and its first build."""

    root: Path
    store: Path
    image: dict[str, Any]


@pytest.fixture(scope="module")
def hello(shell: Any, base: str) -> Iterator[Hello]:
    root, store = shell.project("on-base", files_of(base)), shell.store("base-store")
    ran = shell.run("build", root, "--json", store=store)
    shell.keep(store)
    yield Hello(root=root, store=store, image=ran.image)
    shutil.rmtree(root)
    shutil.rmtree(store)


def test_the_bases_layers_are_the_registrys_own(
    hello: Hello, registry: Registry, base: str
) -> None:
    theirs = registry.manifest("team/python", "3.11")
    own = [layer for layer in hello.image["layers"] if layer["kind"] == "base"]
    assert [one["digest"] for one in own] == [one["digest"] for one in theirs["layers"]]
    layout = hello.root / "dist" / "hello"
    assert validate(layout, foreign=[one["digest"] for one in own]).problems == ()
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_bytes())
    assert manifest["annotations"]["org.opencontainers.image.base.digest"] == theirs["digest"]
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == base
    # skopeo converts images only where all media types are of one kind.
    archive = f"docker-archive:{hello.root / 'other.tar'}:hello:1"
    call("skopeo", "copy", "--quiet", f"oci:{layout}:cpu", archive)


def test_every_byte_of_debian_and_of_the_image_on_it_has_an_owner(
    hello: Hello, place: Path, base: str, every_byte: Callable[..., Contents]
) -> None:
    assert base
    debian = every_byte(place / "layout", "one")
    types = _types(debian)
    assert types["debian"] > 0.8 * debian.sizes.unpacked
    assert types.get("unknown", 0) < debian.sizes.unpacked / 10_000
    hidden = [item for item in debian.items if item.deleted]
    assert hidden, "the second layer takes bytecode away"
    assert {item.owner.name for item in hidden} == {"bytecode", "image"}
    contents = every_byte(hello.root / "dist" / "hello")
    assert contents.sizes.transfer == hello.image["transfer_bytes"]
    assert contents.sizes.unpacked == hello.image["unpacked_bytes"]
    names = {item.owner.name for item in contents.items if item.owner.type == "python"}
    assert {"fastapi", "uvicorn", "pydantic-core"} <= names
    assert _types(contents)["application"] > 0
    assert _types(contents).get("unknown", 0) < contents.sizes.unpacked / 10_000


def _types(contents: Contents) -> Counter[str]:
    """Return unpacked bytes by type of owner."""
    found: Counter[str] = Counter()
    for item in contents.items:
        found[item.owner.type] += item.entry.unpacked_bytes
    return found


def test_it_becomes_healthy_and_answers_in_docker(
    shell: Any, hello: Hello, docker_client: tuple[Path, dict[str, str]]
) -> None:
    """Its user has a name, the root is read-only, and Python finds bytecode that the base lacks."""
    _, environment = docker_client
    ran = shell.run(
        *("check", hello.root, "--engine=docker", "--json"), store=hello.store, env=environment
    )
    assert ran.document["ok"] is True
    outcomes = {step["name"]: step["outcome"] for step in ran.document["steps"]}
    assert outcomes["healthy"] == outcomes["user"] == outcomes["answers"] == "passed"
    assert outcomes["read-only-root"] == "passed"


def test_only_missing_bytecode_of_the_library_is_added(hello: Hello) -> None:
    """Debian's postinst compiled the library; one package of it was taken away again."""
    layout = hello.root / "dist" / "hello"
    (layer,) = (one for one in hello.image["layers"] if one["title"].endswith(": environment"))
    blob = layout / "blobs" / layer["digest"].replace(":", "/")
    listed = subprocess.run(
        ["/usr/bin/tar", "tzf", blob], check=True, capture_output=True, text=True
    )
    paths = [one for one in listed.stdout.split() if one.startswith("usr/") and one[-1] != "/"]
    assert f"{LIBRARY}/encodings/__pycache__/__init__.cpython-311.pyc" in paths
    assert all(one.startswith(f"{LIBRARY}/encodings/__pycache__/") for one in paths)
    # What the interpreter left there itself would be taken for the base's by the next build.
    (root,) = (hello.store / "roots").glob("*/tree")
    assert (root / LIBRARY / "json" / "__pycache__").is_dir()
    assert not (root / LIBRARY / "encodings" / "__pycache__").exists()


def test_pinned_and_built_elsewhere_it_is_the_same(
    shell: Any, hello: Hello, base: str, registry: Registry
) -> None:
    digest = registry.manifest("team/python", "3.11")["digest"]
    first = shell.project("pinned", files_of(f"{base}@{digest}"))
    built = shell.run("build", first, "--json", store=hello.store).image
    # The tag moves on; whoever builds from the digest does not notice.
    second = shell.work / "another" / "pinned"
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("dist"))
    store = shell.store("pinned-store")
    ran = shell.run("build", second, "--locked", "--json", store=store, umask=0o077)
    assert ran.image["digest"] == built["digest"]
    keys = ("title", "digest", "diff_id")
    assert [[one[key] for key in keys] for one in ran.image["layers"]] == [
        [one[key] for key in keys] for one in built["layers"]
    ]
    for path in (first, second.parent, store):
        shutil.rmtree(path)


def test_a_machine_without_the_base_pushes_to_where_it_is(
    shell: Any, hello: Hello, base: str, registry: Registry
) -> None:
    """Nothing of the base is fetched: the registry mounts it from one repository into another."""
    root = shell.project("far", files_of(base, bytecode="none"))
    shell.run("lock", root, store=hello.store)
    store = shell.store("far-store")
    registry.forget()
    target = f"registry:{registry.host}/team/service:1"
    ran = shell.run("build", root, "--locked", "--json", f"--output={target}", store=store)
    layers = [one for one in ran.image["layers"] if one["kind"] == "base"]
    assert len(layers) == 2
    for layer in layers:
        assert registry.requests("POST", f"mount={layer['digest'].replace(':', '%3A')}") or (
            registry.requests("POST", f"mount={layer['digest']}")
        )
        assert registry.requests("GET", layer["digest"]) == []
        assert not (store / "blobs" / "sha256" / layer["digest"].partition(":")[2]).exists()
    assert registry.requests("GET", "/blobs/sha256") == []
    pushed = registry.manifest("team/service", "1")
    assert pushed["digest"] == ran.image["digest"]
    assert [one["digest"] for one in pushed["layers"][:2]] == [one["digest"] for one in layers]
    registry.forget()
    again = shell.run("build", root, "--locked", "--json", f"--output={target}", store=store)
    assert again.image["digest"] == ran.image["digest"]
    assert registry.requests("GET", "/blobs/sha256") == []
    # Only what holds the bytes itself needs them.
    registry.forget()
    shell.run("build", root, "--locked", "--quiet", store=store)
    fetched = [one["digest"] for one in layers if registry.requests("GET", one["digest"])]
    assert fetched == [one["digest"] for one in layers]
    assert len(registry.requests("GET", "/blobs/sha256")) == len(layers)
    shutil.rmtree(root)
    shutil.rmtree(store)


def test_a_tag_that_moved_is_followed_only_on_upgrade(
    shell: Any, hello: Hello, base: str, place: Path, registry: Registry
) -> None:
    root = shell.work / "moving"
    shutil.copytree(hello.root, root, ignore=shutil.ignore_patterns("dist", "*.tar"))
    old = registry.manifest("team/python", "3.11")["digest"]
    newer = place / "newer.tar"
    newer.write_bytes(tar_of({"etc/marker": b"two\n"}))
    layout = place / "layout"
    call("umoci", "tag", "--image", f"{layout}:one", "two")
    call("umoci", "raw", "add-layer", "--image", f"{layout}:two", newer)
    push(layout, "two", base)
    try:
        lock = root / "wheelship.lock"
        for options in ((), ("--locked",), ("--frozen", "--offline")):
            ran = shell.run("build", root, "--json", *options, store=hello.store)
            assert ran.image["digest"] == hello.image["digest"]
        assert json.loads(lock.read_text())["images"][0]["digest"] == old
        shell.run("lock", root, "--upgrade", store=hello.store)
        new = json.loads(lock.read_text())["images"][0]
        assert new["digest"] == registry.manifest("team/python", "3.11")["digest"] != old
        assert len(new["layers"]) == 3
    finally:
        push(layout, "one", base)
        shutil.rmtree(root)
    assert registry.manifest("team/python", "3.11")["digest"] == old


def test_offline_says_what_is_missing(shell: Any, hello: Hello) -> None:
    root = shell.work / "offline"
    shutil.copytree(hello.root, root, ignore=shutil.ignore_patterns("dist", "*.tar"))
    store = shell.store("offline-store")
    ran = shell.run("build", root, "--offline", "--json", store=store, status=4)
    assert ran.document["error"]["code"] == "offline"
    assert "--offline" in ran.document["error"]["hint"]
    (root / "wheelship.lock").unlink()
    ran = shell.run("build", root, "--locked", "--json", store=store, status=3)
    assert ran.document["error"]["code"] == "lock-out-of-date"
    shutil.rmtree(root)
    shutil.rmtree(store)


@pytest.mark.parametrize(
    ("named", "python", "code", "hint"),
    [
        ("{base}", "3.12", "base-lacks-python", 'python = "3.11"'),
        ("{host}/team/nothing:1", "3.11", "image-not-found", ""),
        ("oci:nowhere", "3.11", "invalid-base", "oci:DIR:TAG"),
    ],
)
def test_a_base_that_does_not_do_is_refused(
    shell: Any, hello: Hello, registry: Registry, named: str, python: str, code: str, hint: str
) -> None:
    base = named.format(base=f"{registry.host}/team/python:3.11", host=registry.host)
    files = files_of(base)
    files["pyproject.toml"] = files["pyproject.toml"].replace('"3.11"', f'"{python}"')
    root = shell.project(f"bad-{code}", files)
    ran = shell.run("lock", root, "--json", store=hello.store, status=4 if not hint else 3)
    assert ran.document["error"]["code"] == code
    assert hint in (ran.document["error"]["hint"] or "")
    assert not (root / "wheelship.lock").exists()
    assert not list(root.glob("pylock.*"))
    shutil.rmtree(root)
