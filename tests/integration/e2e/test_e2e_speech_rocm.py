# SPDX-License-Identifier: Apache-2.0
"""The example's image for AMD GPUs: ONNX Runtime in the place of torch, shown as far as a CPU goes.

Nothing here runs on a GPU. What is shown: the image holds what it should and nothing of torch; and
without the ROCm libraries it falls back to the CPU, says so and answers as the others do.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        native_platform().architecture != "amd64", reason="there is no ROCm for this machine"
    ),
]

EXAMPLE = Path(__file__).parents[3] / "examples" / "speech-service"
BUILT = ("dist", "pylock.*", "wheelship.lock", ".venv", "__pycache__", ".*_cache")
BUDGET_BYTES = 140_000_000
HEALTH = """
[tool.wheelship.check.request]
path = "/healthz"
expect = { status = "ok" }

"""


@dataclass(frozen=True, kw_only=True)
class Rocm:
    root: Path
    store: Path
    image: dict[str, Any]

    @property
    def packages(self) -> dict[str, str]:
        """Versions of all Python packages in the image."""
        return {
            one["name"]: one["version"]
            for layer in self.image["layers"]
            for one in layer["packages"]
            if one["type"] == "python"
        }


@pytest.fixture(scope="module")
def rocm(shell: Any) -> Iterator[Rocm]:
    root = shell.work / "speech-rocm"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(*BUILT))
    with socket.socket() as trial:  # one engine runs it in the network of this machine
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    table = root / "pyproject.toml"
    table.write_text(table.read_text().replace("8000", str(port)))
    store = shell.store("rocm-store")
    first = shell.run("build", root, "--variant=rocm", "--json", store=store)
    shell.keep(store)
    yield Rocm(root=root, store=store, image=first.image)
    shutil.rmtree(root)
    shutil.rmtree(store)


def test_it_holds_onnx_runtime_and_nothing_of_torch(rocm: Rocm) -> None:
    assert rocm.image["platform"] == "linux/amd64"
    assert {"onnxruntime-migraphx", "silero-vad", "numpy", "fastapi"} <= rocm.packages.keys()
    torch = {"torch", "torchgen", "triton", "sympy", "networkx", "onnxruntime", "pyannote-audio"}
    assert torch & rocm.packages.keys() == set()
    assert not [name for name in rocm.packages if name.startswith(("nvidia", "cuda"))]


def test_it_is_within_its_budget(rocm: Rocm) -> None:
    assert rocm.image["budget"] == {**rocm.image["budget"], "limit_bytes": BUDGET_BYTES, "ok": True}
    assert 70_000_000 < rocm.image["transfer_bytes"] <= BUDGET_BYTES


def test_the_environment_is_amds(rocm: Rocm) -> None:
    blobs = rocm.root / "dist" / "speech-service" / "blobs" / "sha256"
    manifest = json.loads((blobs / rocm.image["digest"].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())[
        "config"
    ]
    names = {one.partition("=")[0] for one in config["Env"]}
    assert {"HIP_FORCE_DEV_KERNARG", "MIOPEN_USER_DB_PATH"} <= names
    assert "NVIDIA_VISIBLE_DEVICES" not in names
    assert config["Labels"]["wheelship.variant"] == "rocm"


def test_without_a_gpu_it_answers_on_the_cpu(rocm: Rocm, shell: Any, embedded: Any) -> None:
    del embedded  # skips where namespaces are forbidden
    report = check(rocm, shell)
    assert report["digest"] == rocm.image["digest"]
    found = [(one["start"], one["end"]) for one in report["answer"]["segments"]]
    assert len(found) == 2
    assert found[0] == (pytest.approx(3.0, abs=0.3), pytest.approx(6.7, abs=0.3))
    assert found[1] == (pytest.approx(8.6, abs=0.3), pytest.approx(11.7, abs=0.3))
    details = {step["name"]: step["detail"] for step in report["steps"]}
    assert "onnxruntime 1.27.1" in details["imports"]


def test_and_says_what_it_runs_on(rocm: Rocm, shell: Any, embedded: Any) -> None:
    """The provider that only lists itself is not what the health route names."""
    del embedded
    table = rocm.root / "pyproject.toml"
    before = table.read_text()
    head, found, rest = before.partition("[tool.wheelship.check.request]\n")
    _, following, variants = rest.partition("[tool.wheelship.variants.cpu]\n")
    assert found
    assert following
    try:
        table.write_text(head + HEALTH + following + variants)
        answer = check(rocm, shell)["answer"]
    finally:
        table.write_text(before)
    assert answer == {"status": "ok", "backend": "onnx", "device": "CPUExecutionProvider"}


def check(rocm: Rocm, shell: Any) -> dict[str, Any]:
    ran = shell.run(
        *("check", rocm.root, "--variant=rocm", "--engine=embedded", "--json"), store=rocm.store
    )
    report: dict[str, Any] = ran.document
    return report
