# SPDX-License-Identifier: Apache-2.0
"""The real service of ``examples/``, from its requirements to an answer from a running container.

It is built twice, in two stores; everything else looks at what these builds gave.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from zlib_ng import gzip_ng

from parity.compare import SITE, differences, is_record
from parity.environment import (
    bytecode_of,
    gather_wheels,
    modules_of,
    relocated,
    tree_of_layers,
)
from parity.installers import open_bench
from parity.rules import explain, read_rules
from parity.tree import Tree
from wheelship.cli.services import native_platform
from wheelship.oci.validate import problems_of_layout

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[3] / "examples" / "speech-service"
PARITY = Path(__file__).parents[2] / "parity"
BUILT = ("dist", "pylock.*", "wheelship.lock", ".venv", "__pycache__", ".*_cache")
BUDGET_BYTES = 340_000_000
MEMORY_BYTES = 300_000_000
FOREIGN = re.compile(r"nvidia|cuda|cublas|cudnn|nccl|triton|rocm", re.IGNORECASE)

WATCHED = """
import os, sys
log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
KINDS = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork",
         "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
def watch(kind, arguments):
    if kind in KINDS:
        os.write(log, f"{kind} {arguments[0]!r}\\n".encode())
sys.addaudithook(watch)
from wheelship.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line under an audit hook (PEP 578) that notes files, connections and processes."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """The project after its first build."""

    root: Path
    store: Path
    first: Any

    @property
    def layout(self) -> Path:
        return self.root / "dist" / "speech-service"

    @property
    def image(self) -> dict[str, Any]:
        image: dict[str, Any] = self.first.image
        return image


@pytest.fixture(scope="module")
def speech(shell: Any) -> Iterator[Speech]:
    """Build the example in a store that holds no layer yet, and watch its memory."""
    root = shell.work / "speech"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(*BUILT))
    with socket.socket() as trial:  # one engine runs it in the network of this machine
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    table = root / "pyproject.toml"
    both, one = '["linux/amd64", "linux/arm64"]', f'["{native_platform()}"]'
    assert both in table.read_text()  # the other one is for the tests of foreign platforms
    table.write_text(table.read_text().replace("8000", str(port)).replace(both, one))
    store = shell.store("speech-store")
    first = shell.run("build", root, "--variant=cpu", "--json", store=store, measured=True)
    shell.keep(store)
    yield Speech(root=root, store=store, first=first)
    shutil.rmtree(root)
    shutil.rmtree(store)


# --- the first build ---


def test_the_report_agrees_with_the_image(speech: Speech) -> None:
    """DESIGN §5 names these fields; every sum is made again from the layout's own documents."""
    image = speech.image
    assert speech.first.document["schema"] == "wheelship.build/1"
    assert image["variant"] == "cpu"
    assert image["platform"] == f"linux/{'amd64' if os.uname().machine == 'x86_64' else 'arm64'}"
    assert image["reference"] == "speech-service:cpu"
    assert image["outputs"] == [f"oci:{speech.layout}"]
    assert image["seconds"] > 0
    (entry,) = json.loads((speech.layout / "index.json").read_text())["manifests"]
    assert entry["digest"] == image["digest"]
    manifest = json.loads(blob(speech.layout, entry["digest"]).read_text())
    config = json.loads(blob(speech.layout, manifest["config"]["digest"]).read_text())
    assert [one["digest"] for one in image["layers"]] == [
        one["digest"] for one in manifest["layers"]
    ]
    assert [one["diff_id"] for one in image["layers"]] == config["rootfs"]["diff_ids"]
    sizes = [one["size"] for one in manifest["layers"]]
    assert [one["transfer_bytes"] for one in image["layers"]] == sizes
    assert image["transfer_bytes"] == sum(sizes) + manifest["config"]["size"] + entry["size"]
    assert image["unpacked_bytes"] == sum(one["unpacked_bytes"] for one in image["layers"])
    for what in ("transfer_bytes", "unpacked_bytes"):
        for kind, row in image["by_kind"].items():
            assert row[what] == sum(one[what] for one in image["layers"] if one["kind"] == kind), (
                f"{what} of {kind}"
            )
    assert sum(row["layers"] for row in image["by_kind"].values()) == len(image["layers"])


def test_it_is_within_its_budget(speech: Speech) -> None:
    assert speech.image["budget"]["ok"] is True
    assert speech.image["budget"]["limit_bytes"] == BUDGET_BYTES
    assert 150_000_000 < speech.image["transfer_bytes"] <= BUDGET_BYTES
    assert len(speech.image["layers"]) <= 40


def test_it_was_built_from_nothing_in_little_memory(speech: Speech) -> None:
    """DESIGN §9: 300 MB at most, for the whole process tree, whatever the wheel."""
    assert not any(layer["reused"] for layer in speech.image["layers"])
    assert 40_000_000 < speech.first.peak_bytes <= MEMORY_BYTES


def test_every_package_is_named_with_its_version(speech: Speech) -> None:
    packages = [one for layer in speech.image["layers"] for one in layer["packages"]]
    assert {one["type"] for one in packages} == {"python", "debian", "application"}
    names = {(one["type"], one["name"]) for one in packages}
    assert len(names) == len(packages), "each is in one layer"
    for expected in ("torch", "fastapi", "numpy", "silero-vad", "soundfile", "sqlalchemy"):
        assert ("python", expected) in names
    assert ("debian", "libc6") in names
    assert ("application", "speech-service") in names
    assert all(re.match(r"\d", one["version"]) for one in packages)
    (torch,) = (one for one in packages if one["name"] == "torch")
    assert torch["version"] == "2.13.0+cpu"


def test_nothing_of_cuda_is_in_any_layer(speech: Speech) -> None:
    """By the names of packages, and by what really lies in the layers."""
    assert not [
        one["name"]
        for layer in speech.image["layers"]
        for one in layer["packages"]
        if FOREIGN.search(one["name"])
    ]
    installed: set[str] = set()
    libraries: set[str] = set()
    for layer in speech.image["layers"]:
        if layer["kind"] in ("wheels", "application"):
            for path in paths_of(blob(speech.layout, layer["digest"])):
                if found := re.search(r"/site-packages/([^/]+)\.dist-info/METADATA$", path):
                    installed.add(found[1])
                elif ".so" in (name := path.rpartition("/")[2]):
                    libraries.add(name)
    assert "torch-2.13.0+cpu" in installed
    assert "libtorch_cpu.so" in libraries
    assert not [name for name in installed if FOREIGN.search(name)]
    assert not [name for name in libraries if FOREIGN.search(name)]
    named = {
        f"{one['name']}-{one['version']}"
        for layer in speech.image["layers"]
        for one in layer["packages"]
        if one["type"] != "debian"
    }
    assert {name.lower().replace("_", "-") for name in installed} == {
        name.lower().replace("_", "-") for name in named
    }


def test_the_layout_is_valid(speech: Speech) -> None:
    assert problems_of_layout(speech.layout) == []


# --- the second build ---


@pytest.fixture
def watched(shell: Any, speech: Speech, tmp_path: Path) -> Callable[..., tuple[Any, list[str]]]:
    """Build again, without the store's downloads; return the report and what was touched."""

    def build(*options: str) -> tuple[Any, list[str]]:
        downloads, aside = speech.store / "downloads", speech.store.parent / "aside"
        downloads.rename(aside)
        downloads.mkdir()
        try:
            ran = shell.run(
                *("build", speech.root, "--variant=cpu", "--json", *options),
                store=speech.store,
                env={"WATCH_LOG": str(tmp_path / "log"), "PATH": "/nonexistent"},
                command=(sys.executable, "-P", "-c", WATCHED),
            )
        finally:
            assert list(downloads.iterdir()) == [], "something was fetched"
            downloads.rmdir()
            aside.rename(downloads)
        return ran, (tmp_path / "log").read_text().splitlines()

    return build


def test_nothing_changed_means_that_nothing_is_done(
    speech: Speech, watched: Callable[..., tuple[Any, list[str]]]
) -> None:
    ran, touched = watched("--offline")
    assert all(layer["reused"] for layer in ran.image["layers"])
    assert ran.image["digest"] == speech.image["digest"]
    assert ran.image["lock"] == "unchanged"
    assert any("pylock.cpu.toml" in line for line in touched), "the hook sees files"
    assert not [line for line in touched if ".whl" in line or "/downloads/" in line]
    assert [line for line in touched if not line.startswith("open ")] == [], (
        "neither a process nor a connection"
    )


def test_one_changed_line_makes_one_layer(
    speech: Speech, watched: Callable[..., tuple[Any, list[str]]]
) -> None:
    source = speech.root / "src" / "speech_service" / "service.py"
    before = source.read_bytes()
    source.write_bytes(before + b"# changed\n")
    try:
        ran, touched = watched()
        changed = [layer for layer in ran.image["layers"] if not layer["reused"]]
        assert [layer["packages"][0]["type"] for layer in changed] == ["application"]
        assert ran.image["digest"] != speech.image["digest"]
        same = {layer["digest"] for layer in ran.image["layers"]}
        same &= {layer["digest"] for layer in speech.image["layers"]}
        assert len(same) == len(speech.image["layers"]) - 1
        assert not [line for line in touched if ".whl" in line or line.startswith("socket.")]
        assert [line for line in touched if "subprocess.Popen" in line], "bytecode was compiled"
        # Neither uv nor its package; request/uv.py of ours only reads what projects tell uv.
        processes = [line for line in touched if "subprocess.Popen" in line]
        assert not [line for line in processes if "/uv" in line]
        assert not [line for line in touched if "/uv/" in line]
    finally:
        source.write_bytes(before)
        back, _ = watched()
    assert back.image["digest"] == speech.image["digest"]


def test_another_store_gives_the_same_bytes(shell: Any, speech: Speech) -> None:
    """Layers are made again one after the other, in another place, by the same locks."""
    root = shell.work / "elsewhere" / "a-longer-path" / "speech"
    root.parent.mkdir(parents=True)
    shutil.copytree(speech.root, root, ignore=shutil.ignore_patterns("dist"))
    store = shell.store("other-store")
    again = shell.run(
        *("build", ".", "--variant=cpu", "--json", "--locked", "--jobs=1"),
        store=store,
        cwd=root,
        umask=0o077,
        env={"TZ": "Pacific/Kiritimati", "LANG": "C", "PYTHONHASHSEED": "7"},
    )
    assert not any(layer["reused"] for layer in again.image["layers"])
    titles = [layer["title"] for layer in speech.image["layers"]]
    pairs = zip(again.image["layers"], speech.image["layers"], titles, strict=True)
    assert [title for one, other, title in pairs if one["digest"] != other["digest"]] == []
    assert again.image["digest"] == speech.image["digest"]
    for name in ("pylock.cpu.toml", "wheelship.lock"):
        assert (root / name).read_bytes() == (speech.root / name).read_bytes()
    shutil.rmtree(root)
    shutil.rmtree(store)


# --- what others make of it ---


def test_skopeo_reads_it(speech: Speech, tool: Callable[[str], str], tmp_path: Path) -> None:
    skopeo, source = tool("skopeo"), f"oci:{speech.layout}:cpu"
    shown = subprocess.run([skopeo, "inspect", source], check=True, capture_output=True, text=True)
    document = json.loads(shown.stdout)
    assert document["Digest"] == speech.image["digest"]
    assert document["Layers"] == [layer["digest"] for layer in speech.image["layers"]]
    assert document["Labels"]["wheelship.variant"] == "cpu"
    target = tmp_path / "dir"
    subprocess.run(
        [skopeo, "--insecure-policy", "copy", "--quiet", source, f"dir:{target}"], check=True
    )
    copied = {path.name for path in target.iterdir()}
    assert {layer["digest"].removeprefix("sha256:") for layer in speech.image["layers"]} <= copied
    shutil.rmtree(target)


def test_umoci_unpacks_it(speech: Speech, tool: Callable[[str], str], shell: Any) -> None:
    root = shell.work / "rootfs"
    image = f"{speech.layout}:cpu"
    # Without "raw" it unpacks the same, and then hashes all of it for a later "umoci repack".
    command = [tool("umoci"), "raw", "unpack", "--rootless", "--image", image, str(root)]
    subprocess.run(command, check=True, capture_output=True)
    site = root / "opt/venv/lib/python3.11/site-packages"
    assert (site / "speech_service/app.py").read_bytes() == (
        speech.root / "src/speech_service/app.py"
    ).read_bytes()
    assert (site / "torch/lib/libtorch_cpu.so").stat().st_size > 100_000_000
    assert (root / "opt/venv/bin/python").readlink() == Path("/usr/bin/python3.11")
    assert not [path for path in ("bin/sh", "usr/bin/sh", "bin/bash") if (root / path).exists()]
    setid = [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000
    ]
    assert setid == []
    shutil.rmtree(root)


def test_docker_loads_and_runs_it(
    speech: Speech, shell: Any, docker_client: tuple[Path, dict[str, str]]
) -> None:
    client, environment = docker_client
    archive = shell.work / "speech.tar"
    ran = shell.run(
        *("build", speech.root, "--variant=cpu", "--json", "--tag=example.org/speech:1"),
        f"--output=docker-archive:{archive}",
        store=speech.store,
    )
    assert all(layer["reused"] for layer in ran.image["layers"])

    def docker(*arguments: str) -> str:
        done = subprocess.run(
            [client, *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert docker("load", "--quiet", "--input", str(archive)) == (
        "Loaded image: example.org/speech:1"
    )
    archive.unlink()
    manifest = json.loads(blob(speech.layout, speech.image["digest"]).read_text())
    known = docker("image", "inspect", "--format", "{{.Id}}", "example.org/speech:1")
    assert known in (manifest["config"]["digest"], speech.image["digest"])
    checked = shell.run(
        *("check", speech.root, "--variant=cpu", "--engine=docker", f"--docker={client}", "--json"),
        store=speech.store,
        env=environment,
    )
    require_answer(checked.document, "docker")
    assert "load speech-service:cpu" not in checked.err, "Docker has it already"


def test_the_embedded_engine_runs_it(speech: Speech, shell: Any, embedded: Any) -> None:
    del embedded  # skips where namespaces are forbidden
    checked = shell.run(
        *("check", speech.root, "--variant=cpu", "--engine=embedded", "--json"), store=speech.store
    )
    report = checked.document
    require_answer(report, "embedded")
    assert report["digest"] == speech.image["digest"]
    details = {step["name"]: step["detail"] for step in report["steps"]}
    assert details["user"].startswith("65532:65532, no capabilities")
    assert "/, /opt/venv read-only; /tmp, /data writable" in details["read-only-root"]
    assert "torch 2.13.0+cpu" in details["imports"]
    assert not list((speech.store / "tmp").iterdir())


def require_answer(report: dict[str, Any], engine: str) -> None:
    assert report["engine"] == engine
    assert report["ok"] is True
    outcomes = {step["name"]: step["outcome"] for step in report["steps"]}
    expected = {"starts", "healthy", "user", "read-only-root", "imports", "answers", "stops"}
    assert expected <= outcomes.keys()
    assert {outcomes[name] for name in expected} == {"passed"}
    first, second = report["answer"]["segments"]
    assert first["start"] == pytest.approx(3.0, abs=0.3)
    assert first["end"] == pytest.approx(6.7, abs=0.3)
    assert second["start"] == pytest.approx(8.6, abs=0.3)
    assert second["end"] == pytest.approx(11.7, abs=0.3)


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def paths_of(path: Path) -> Iterator[str]:
    with gzip_ng.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            yield member.name


# --- parity (docs/explanation/parity.md) ---

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
"""


@dataclass(frozen=True, kw_only=True)
class ByUv:
    """The same locked wheels installed by uv: the environment and what uv put there.

    Attributes:
        empty: what was there before.
    """

    prefix: Path
    empty: Tree
    installed: Tree


@pytest.fixture(scope="module")
def by_uv(speech: Speech) -> Iterator[ByUv]:
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        wheels = gather_wheels(speech.root / "pylock.cpu.toml", speech.store, Path(name, "wheels"))
        with open_bench(Path(name, "b")) as bench:
            yield ByUv(prefix=bench.prefix, empty=bench.empty, installed=bench.by_uv(*wheels))


def test_the_wheel_layers_are_what_uv_installs(speech: Speech, by_uv: ByUv) -> None:
    """All wheels of the lock in one environment: no file lost, added or changed."""
    theirs = relocated(by_uv.installed, by_uv.prefix)
    layers = tree_of_layers(layers_of(speech, "wheels"))
    ours = {path: item for path, item in layers.items() if path not in by_uv.empty}
    found = list(differences(theirs, ours))
    rules = read_rules(PARITY / "rules.toml").differences
    assert [str(one) for one in found if explain(rules, "uv", one) is None] == []
    packages = sum(is_record(path) for path in ours)
    assert packages > 25
    assert len(ours) > 10_000
    scripts = [one for one in found if one.path.startswith("bin/") and one.aspect != "row"]
    assert {one.aspect for one in scripts} == {"content"}, "scripts of entry points are reworded"


def test_every_module_has_its_bytecode(speech: Speech, by_uv: ByUv) -> None:
    layers = tree_of_layers(layers_of(speech, "bytecode"))
    compiled = {path for path in layers if path.startswith(SITE) and path.endswith(".pyc")}
    modules = bytecode_of(tree_of_layers(layers_of(speech, "wheels")))
    assert compiled - modules.keys() == set()
    assert len(compiled) > 5_000
    for path in modules.keys() - compiled:
        source = (by_uv.prefix / modules[path]).read_bytes()
        with pytest.raises(SyntaxError):
            compile(source, modules[path], "exec")


def test_what_can_be_imported_from_uvs_environment_can_be_in_the_image(
    speech: Speech, by_uv: ByUv, shell: Any, embedded: Any
) -> None:
    del embedded  # skips where namespaces are forbidden
    modules = modules_of(tree_of_layers(layers_of(speech, "wheels")))
    command = [by_uv.prefix / "bin/python", "-I", "-B", "-W", "ignore", "-c", IMPORT, *modules]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    failed = {line.partition(":")[0] for line in ran.stdout.splitlines()}
    importable = [name for name in modules if name not in failed]
    assert {"torch", "numpy", "uvloop", "pydantic_core", "silero_vad"} <= set(importable)
    assert len(failed) < 5, ran.stdout
    table = speech.root / "pyproject.toml"
    before = table.read_text()
    wanted = re.sub(r"(?m)^imports = .*$", f"imports = {json.dumps(importable)}", before)
    assert wanted != before
    table.write_text(wanted)
    try:
        checked = shell.run(
            *("check", speech.root, "--variant=cpu", "--engine=embedded", "--json"),
            store=speech.store,
        )
    finally:
        table.write_text(before)
    (step,) = (one for one in checked.document["steps"] if one["name"] == "imports")
    assert step["outcome"] == "passed", step["detail"]
    assert all(name in step["detail"] for name in importable)


def layers_of(speech: Speech, kind: str) -> list[Path]:
    return [
        blob(speech.layout, layer["digest"])
        for layer in speech.image["layers"]
        if layer["kind"] == kind
    ]
