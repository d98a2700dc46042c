# SPDX-License-Identifier: Apache-2.0
"""What a valid request becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.model import (
    Accelerator,
    Budget,
    Check,
    CheckRequest,
    Health,
    Request,
    Waiver,
)
from wheelship.request.read import read_request

Read = Callable[[Mapping[str, str]], Request]
EXAMPLE = Path(__file__).parents[3] / "examples" / "speech-service"

PROJECT = """\
[project]
name = "My.Service"
version = "1.2.0"
requires-python = ">=3.11"
dependencies = ["uvicorn[standard]>=0.30", "torch==2.13.0"]
optional-dependencies = { Diarize = ["pyannote.audio"] }
"""
COMMAND = '[tool.wheelship]\ncommand = ["serve"]\n'


def pyproject(text: str = "", project: str = PROJECT) -> dict[str, str]:
    return {"pyproject.toml": project + COMMAND + text}


def test_the_example_service_is_read_as_written() -> None:
    request = read_request(EXAMPLE)
    variant = request.variants["cpu"]
    assert request.default_variant == "cpu"
    assert request.project.name == "speech-service"
    assert "silero-vad>=6.2.3" in request.project.dependencies
    assert request.project.groups["dev"] == ("httpx2", "mypy", "onnxruntime", "pytest", "ruff")
    assert variant.command == (
        "uvicorn", "speech_service.app:app", "--host", "0.0.0.0", "--port", "8000",  # noqa: S104
    )  # fmt: skip
    assert variant.health == Health(path="/healthz", port=8000)
    assert variant.budget == Budget(transfer_bytes=340_000_000)
    assert variant.check.request is not None
    assert variant.check.request.file == "samples/two-sentences.wav"


def test_defaults_of_a_minimal_project(read: Read) -> None:
    request = read(pyproject())
    assert list(request.variants) == ["cpu"]
    variant = request.variants["cpu"]
    assert variant.accelerator is Accelerator.CPU
    assert variant.accelerator_version is None
    assert variant.platforms == (Platform("amd64"),)
    assert variant.python == "3.13"  # the newest that requires-python allows
    assert variant.workdir == "/app"
    assert variant.user == (65532, 65532)
    assert variant.bytecode == "all"
    assert variant.layers == 40
    assert variant.port is None
    assert variant.health is None
    assert request.project.name == "my-service"
    assert request.image_name == "my-service"
    assert request.project.extras == {"diarize": ("pyannote.audio",)}
    assert request.notes == ()


def test_variants_inherit_and_override(read: Read) -> None:
    request = read(
        pyproject(
            """\
env = { A = "project", B = "project" }
omit = { Torchaudio = ["torchaudio/lib/*.so"], scipy = ["scipy/a"] }
labels = { team = "x" }
port = 8000
health = "/up"
writable = ["/data"]
budget = "1 GB"
default-variant = "gpu"
repository = "ghcr.io/example/service"

[tool.wheelship.variants.gpu]
accelerator = "cuda"
version = "13.0"
gpu-targets = ["sm_90", "sm_120a"]
platforms = ["linux/amd64", "linux/arm64/v8"]
port = 9000
writable = []
env = { B = "variant", C = "variant" }
labels = { tier = "y" }
omit = { scipy = ["scipy/b"] }
budget = { transfer = "2.5 GB", unpacked = "6 GiB", layers = 30 }

[tool.wheelship.variants.rocm]
version = "6.4"
gpu-targets = ["gfx942"]
extras = ["Diarize"]
"""
        )
    )
    assert request.default_variant == "gpu"
    assert request.repository == "ghcr.io/example/service"
    gpu, rocm = request.variants["gpu"], request.variants["rocm"]
    assert (gpu.accelerator, gpu.accelerator_version) == (Accelerator.CUDA, "13.0")
    assert gpu.gpu_targets == ("sm_90", "sm_120a")
    assert gpu.platforms == (Platform("amd64"), Platform("arm64"))
    assert gpu.env == {"A": "project", "B": "variant", "C": "variant"}
    assert gpu.omit == {"torchaudio": ("torchaudio/lib/*.so",), "scipy": ("scipy/b",)}
    assert gpu.labels == {"team": "x", "tier": "y"}
    assert gpu.health == Health(path="/up", port=9000)
    assert gpu.writable == ()  # an empty list is a value and wins
    assert gpu.budget == Budget(transfer_bytes=2_500_000_000, unpacked_bytes=6 * 1024**3, layers=30)
    assert gpu.budget.of(Platform("arm64")) == gpu.budget
    assert rocm.accelerator is Accelerator.ROCM  # from the variant's name
    assert rocm.extras == ("diarize",)
    assert rocm.health == Health(path="/up", port=8000)
    assert rocm.env == {"A": "project", "B": "project"}
    assert rocm.budget == Budget(transfer_bytes=1_000_000_000)


def test_a_platform_has_limits_of_its_own_and_those_for_all_for_the_rest(read: Read) -> None:
    text = """\
platforms = ["linux/amd64", "linux/arm64"]
budget = { transfer = "340 MB", layers = 30, "linux/arm64" = "360 MB" }

[tool.wheelship.variants.gpu]
accelerator = "cpu"
budget = { unpacked = "1 GB", "linux/amd64" = { transfer = "1 MB", unpacked = "2 GB" } }
"""
    variants = read(pyproject(f'default-variant = "gpu"\n{text}')).variants
    budget = variants["gpu"].budget
    amd64, arm64 = budget.of(Platform("amd64")), budget.of(Platform("arm64"))
    assert amd64 == Budget(transfer_bytes=1_000_000, unpacked_bytes=2_000_000_000)
    assert arm64 == Budget(unpacked_bytes=1_000_000_000)
    alone = read(pyproject(text.partition("[tool")[0])).variants["cpu"]
    assert alone.budget.of(Platform("amd64")) == Budget(transfer_bytes=340_000_000, layers=30)
    assert alone.budget.of(Platform("arm64")) == Budget(transfer_bytes=360_000_000, layers=30)


def test_every_other_key(read: Read) -> None:
    request = read(
        {
            "answer.wav": "RIFF",
            **pyproject(
                """\
name = "speech"
python = "3.11"
base = "debian"
system-packages = ["libgomp1", "libstdc++6"]
debian-mirror = "http://mirror.example.org/debian"
waive-scripts = [{ package = "libpython3.11-minimal", reason = "only links" }]
waive-record = [{ package = "Odd_Wheel", version = "1.0", reason = "known upstream" }]
exclude = ["Hf_Xet"]
find-links = ["wheels", "../shared"]
index = ["https://user:secret@a.example.org/simple", "https://b.example.org/simple"]
torch-index = "torch"
app = { include = ["data/*.json"], exclude = ["**/*.md"], mode = "source" }
entrypoint = ["python", "-m"]
stop-signal = "SIGINT"
workdir = "/srv/app/"
user = "1000:0"
bytecode = "none"
layers = 60
codec = "splice"
slim = "none"
[tool.wheelship.check]
imports = ["torch", "my.module"]
[tool.wheelship.check.request]
path = "/v1?x=1"
method = "PUT"
status = 201
json = { a = [1, 2.5, true] }
expect = []
[tool.wheelship.health]
path = "/live"
interval = "1m30s"
timeout = "500ms"
retries = 5
[tool.wheelship.variants.cpu]
port = 80
"""
            ),
        }
    )
    root = request.project.root
    variant = request.variants["cpu"]
    assert request.image_name == "speech"
    assert variant.python == "3.11"
    assert variant.system_packages == ("libgomp1", "libstdc++6")
    assert variant.waive_scripts == (
        Waiver(package="libpython3.11-minimal", version=None, reason="only links"),
    )
    assert variant.waive_record == (
        Waiver(package="odd-wheel", version="1.0", reason="known upstream"),
    )
    assert variant.exclude_packages == ("hf-xet",)
    assert variant.sources.find_links == (root / "wheels", root.parent / "shared")
    assert variant.sources.index == "https://user:secret@a.example.org/simple"
    assert variant.sources.extra_indexes == ("https://b.example.org/simple",)
    assert variant.sources.torch_index == str(root / "torch")
    assert variant.sources.debian_mirror == "http://mirror.example.org/debian"
    assert (variant.include, variant.exclude) == (("data/*.json",), ("**/*.md",))
    assert variant.entrypoint == ("python", "-m")
    assert variant.stop_signal == "SIGINT"
    assert variant.workdir == "/srv/app"
    assert variant.user == (1000, 0)
    assert variant.bytecode == "none"
    assert variant.layers == 60
    assert variant.health == Health(
        path="/live", port=80, interval_seconds=90.0, timeout_seconds=0.5, retries=5
    )
    assert variant.check.imports == ("torch", "my.module")
    assert variant.check.request == CheckRequest(
        path="/v1?x=1", method="PUT", status=201, json={"a": [1, 2.5, True]}, expect=[]
    )


def test_a_check_that_sends_a_file_is_a_post(read: Read) -> None:
    text = '[tool.wheelship.check]\nrequest = { path = "/v1", file = "./a.wav" }\n'
    request = read({"a.wav": "RIFF", **pyproject(text)})
    assert request.variants["cpu"].check.request == CheckRequest(
        path="/v1", method="POST", file="a.wav"
    )


def test_wheelship_toml_has_the_same_keys_at_the_top(read: Read) -> None:
    own = 'command = ["serve"]\nport = 8000\n[variants.cuda]\nversion = "13.0"\n'
    request = read({"pyproject.toml": PROJECT, "wheelship.toml": own})
    assert request.variants["cuda"].port == 8000
    assert request.default_variant == "cuda"  # the only one
    assert request.project.config_file == request.project.root / "wheelship.toml"
    assert request.project.name == "my-service"


def test_a_project_of_requirements_txt(read: Read) -> None:
    request = read(
        {
            "requirements.txt": "torch==2.13.0\n",
            "wheelship.toml": 'command = ["python", "main.py"]\nname = "My_Image"\n',
        }
    )
    assert request.project.dependencies == ("torch==2.13.0",)
    assert request.project.declared is False
    assert request.project.version == "0"
    assert request.image_name == "my-image"


def test_a_variants_own_imports_leave_the_projects_request(read: Read) -> None:
    common = '[tool.wheelship.check]\nimports = ["torch"]\nrequest = { path = "/a" }\n'
    variant = "[tool.wheelship.variants.{0}]\naccelerator = 'cpu'\n"
    tables = "".join(
        variant.format(name) + (f"[tool.wheelship.variants.{name}.check]\n{text}" if text else "")
        for name, text in {
            "cpu": "",
            "onnx": 'imports = ["onnxruntime"]\n',
            "none": "imports = []\n",
            "other": 'request = { path = "/b" }\n',
        }.items()
    )
    checks = {name: one.check for name, one in read(pyproject(common + tables)).variants.items()}
    assert checks == {
        "cpu": Check(imports=("torch",), request=CheckRequest(path="/a")),
        "onnx": Check(imports=("onnxruntime",), request=CheckRequest(path="/a")),
        "none": Check(imports=(), request=CheckRequest(path="/a")),
        "other": Check(imports=("torch",), request=CheckRequest(path="/b")),
    }


def test_groups_include_each_other(read: Read) -> None:
    groups = """\
[dependency-groups]
Base_Group = ["torch"]
serve = [{ include-group = "base.group" }, "uvicorn", "torch"]
"""
    request = read(pyproject('groups = ["serve"]\n' + groups))
    assert request.project.groups == {"base-group": ("torch",), "serve": ("torch", "uvicorn")}
    assert request.variants["cpu"].groups == ("serve",)


@pytest.mark.parametrize(
    ("requires", "python"),
    [
        (">=3.11,<3.13", "3.11"),
        ("~=3.11.0", "3.11"),
        (">=3.12", "3.13"),
        ("!=3.13.*", "3.11"),
        (">=3.9,!=3.9.7", "3.13"),
    ],
)
def test_the_newest_python_that_is_allowed(read: Read, requires: str, python: str) -> None:
    files = pyproject(project=PROJECT.replace(">=3.11", requires))
    assert read(files).variants["cpu"].python == python


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        (
            '[tool.hatch.version]\npath = "src/x.py"\n',
            {"src/x.py": "a = 1\n__version__ = 'v2.1'\n"},
        ),
        (
            '[tool.setuptools.dynamic]\nversion = { attr = "x.y.VERSION" }\n',
            {"x/y/__init__.py": 'VERSION = "2.1"\n'},
        ),
        ('[tool.setuptools.dynamic]\nversion = { file = "VERSION" }\n', {"VERSION": "2.1\n"}),
    ],
)
def test_a_dynamic_version_that_stands_in_a_file(
    read: Read, tool: str, files: dict[str, str]
) -> None:
    project = PROJECT.replace('version = "1.2.0"', 'dynamic = ["version", "readme"]')
    request = read({**files, **pyproject(tool, project)})
    assert request.project.version == "2.1"


def test_dynamic_dependencies_in_a_requirements_file(read: Read) -> None:
    project = '[project]\nname = "a"\nversion = "1"\ndynamic = ["dependencies"]\n'
    tool = '[tool.setuptools.dynamic]\ndependencies = { file = ["base.txt"] }\n'
    request = read({"base.txt": "torch\n", **pyproject(tool, project)})
    assert request.project.dependencies == ("torch",)


def test_scripts_and_entry_points(read: Read) -> None:
    project = (
        PROJECT
        + """\
[project.scripts]
serve = "my_service.cli : main"
[project.entry-points."my.plugins"]
one = "my_service.plugin"
"""
    )
    request = read(pyproject(project=project))
    assert request.project.scripts == {"serve": "my_service.cli:main"}
    assert request.project.entry_points == {"my.plugins": {"one": "my_service.plugin"}}
