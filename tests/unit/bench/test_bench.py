# SPDX-License-Identifier: Apache-2.0
"""What the bench claims must be measured right, so its instruments are tested."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from wheelship.archive.entry import File, InMemory
from wheelship.oci.validate import validate
from wheelship.store.layout_writer import write_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image

BENCH = Path(__file__).resolve().parents[3] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCH)):
            del sys.modules[name]


def a_wheel(directory: Path) -> Path:
    """A wheel with a large deflated file and a data directory, as torch and numpy have them."""
    members = {
        "demo/__init__.py": b"x = 1\n" * 40_000,
        "demo-1.0+cpu.data/scripts/demo": b"#!python\n",
        "demo-1.0+cpu.dist-info/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0+cpu\n",
        "demo-1.0+cpu.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    }
    rows = [f"{name},sha256={urlsafe(data)},{len(data)}\n" for name, data in members.items()]
    members["demo-1.0+cpu.dist-info/RECORD"] = (
        "".join(rows) + "demo-1.0+cpu.dist-info/RECORD,,\n"
    ).encode()
    path = directory / "demo-1.0+cpu-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_a_wheel_under_a_new_version_is_a_right_wheel(bench: object, tmp_path: Path) -> None:
    made = bench("wheels").new_version(a_wheel(tmp_path), "1.0.post1+cpu", tmp_path)
    assert made.name == "demo-1.0.post1+cpu-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {name for name in names if "-1.0+cpu." in name} == set()
        assert b"Version: 1.0.post1+cpu\n" in archive.read("demo-1.0.post1+cpu.dist-info/METADATA")
        record = archive.read("demo-1.0.post1+cpu.dist-info/RECORD").decode().splitlines()
        rows = list(csv.reader(record))
        assert {row[0] for row in rows} == names
        for name, digest, size in rows[:-1]:
            data = archive.read(name)
            assert (digest, int(size)) == (f"sha256={urlsafe(data)}", len(data))


def test_its_other_members_keep_their_compressed_bytes(bench: object, tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path)
    made = bench("wheels").new_version(wheel, "2.0", tmp_path)
    raw = []
    for path in (wheel, made):
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            info = archive.getinfo("demo/__init__.py")
            file.seek(info.header_offset + 30 + len(info.filename))
            raw.append(file.read(info.compress_size))
    assert raw[0] == raw[1]


def test_cpu_time_of_ended_descendants_counts(bench: object) -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    script = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])\n"
        "print(flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert bench("usage").cpu_seconds(parent.pid) >= 0.5
        parent.communicate()


def test_steps_of_buildkits_log_are_added_up(bench: object) -> None:
    log = (
        "#7 [context wheels] load from client\n#7 transferring wheels: 3GB 9.0s done\n"
        "#7 DONE 9.1s\n"
        "#9 [heavy 1/1] RUN --mount=from=uv uv pip install -q torch\n"
        "#10 [light 1/1] RUN --mount=from=uv uv pip install -q anyio\n"
        "#10 DONE 2.0s\n#9 DONE 30.5s\n"
        "#11 [split 1/3] COPY --link --from=heavy /opt/venv /opt/venv\n#11 CACHED\n"
        "#12 exporting to image\n#12 DONE 4.0s\n#13 [internal] load metadata\n#13 DONE 1.0s\n"
    )
    steps = bench("buildkit")._seconds_by_step(log)
    assert steps == {"wheels": 9.1, "install": 32.5, "export": 4.0}


def test_an_interrupted_measurement_leaves_no_process(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(BENCH)!r})\n"
        "import signal, usage\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        'child = \'import os, time; open("pid", "w").write(str(os.getpid()));\'\n'
        "usage.measure([sys.executable, '-c', child + 'time.sleep(60)'])\n"
    )
    bench_process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    bench_process.terminate()
    assert bench_process.wait(30) == 143
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the command goes on")


@pytest.mark.parametrize("project", ["examples/speech-service", "bench/projects/cuda"])
def test_a_subject_is_changed_where_it_says_so(bench: object, project: str) -> None:
    subject = bench("subject")
    text = (BENCH.parent / project / "pyproject.toml").read_text()
    one = tomllib.loads(subject.only_for("linux/arm64")(text))["tool"]["wheelship"]
    tables = [one, *one["variants"].values()]
    named = [table["platforms"] for table in tables if "platforms" in table]
    assert named
    assert all(platforms == ["linux/arm64"] for platforms in named)
    before = tomllib.loads(text)
    after = tomllib.loads(subject.pinned("torch", "2.13.0.post7")(text))
    changed = set(after["project"]["dependencies"]) - set(before["project"]["dependencies"])
    assert changed == {"torch==2.13.0.post7"}
    after["project"]["dependencies"] = before["project"]["dependencies"]
    assert after == before


def test_layouts_are_laid_on_one_another(bench: object, tmp_path: Path) -> None:
    """What is measured must be an image that every reader takes, with all layers of all."""
    scan = bench("scan")
    layouts = []
    for number in range(2):
        store = Store(tmp_path / f"store{number}")
        files = [[File(path=f"f{number}{n}", content=InMemory(b"x" * 900))] for n in range(2)]
        same = [File(path="same", content=InMemory(b"1"))]
        image = make_image(store, same, *files)
        layouts.append(tmp_path / f"layout{number}")
        write_layout(layouts[-1], image, "a", store.blob)
        store.close()
    blobs = scan.joined(layouts, tmp_path / "joined")
    assert len(blobs) == 5, "a layer that both have is there once"
    assert validate(tmp_path / "joined", foreign=None).problems == ()
    done = subprocess.run(scan._shell(blobs, "tar -t"), check=True, capture_output=True)
    assert done.stdout == b""
