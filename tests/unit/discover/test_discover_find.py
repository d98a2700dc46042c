# SPDX-License-Identifier: Apache-2.0
"""Accelerators, Python, server, ports of the code: what is found, and what wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wheelship.discover.model import Discovery, Runtime
from wheelship.discover.propose import propose, settle
from wheelship.variant.accelerator import accelerator_versions

Find = Callable[[Mapping[str, str]], Discovery]

MAIN = "from fastapi import FastAPI\n\napp = FastAPI()\n"
LOCK = '[[package]]\nname = "torch"\n'
CUDA, ROCM = (accelerator_versions(name)[0] for name in ("cuda", "rocm"))


def service(*requirements: str, **files: str) -> dict[str, str]:
    names = "\n".join(["fastapi", "uvicorn", *requirements])
    return {"requirements.txt": names, "main.py": MAIN, **files}


def variants(found: Discovery) -> dict[str, str | None]:
    return {one.value.name: one.value.version for one in found.variants}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (service(), {}),
        (service("onnxruntime", "jax", "tensorflow"), {}),
        (service("torch"), {"cpu": None, "cuda": CUDA}),
        (service("torchaudio>=2"), {"cpu": None, "cuda": CUDA}),
        (service("silero-vad", **{"uv.lock": LOCK}), {"cpu": None, "cuda": CUDA}),
        (service("onnxruntime-gpu"), {"cuda": CUDA}),
        (service("jax[cuda12]"), {"cuda": CUDA}),
        (service("onnxruntime-migraphx"), {"rocm": ROCM}),
        (
            service("torch", Dockerfile="FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04\n"),
            {"cpu": None, "cuda": "12.6"},
        ),
        (
            service("torch", **{"Dockerfile.rocm": "FROM rocm/pytorch:rocm6.4_ubuntu22.04\n"}),
            {"cpu": None, "cuda": CUDA, "rocm": "6.4"},
        ),
        # a release that is not known is not invented
        (service("torch", Dockerfile="FROM nvidia/cuda:9.0\n"), {"cpu": None, "cuda": CUDA}),
        (service(Dockerfile="FROM nvidia/cuda:12.6.3-base\n"), {}),
        (service("torch", **{"requirements-cu126.txt": ""}), {"cpu": None, "cuda": "12.6"}),
        (service(**{"requirements/gpu.txt": "onnxruntime-gpu"}), {"cpu": None, "cuda": CUDA}),
        (service(**{"requirements_rocm.txt": ""}), {"cpu": None, "rocm": ROCM}),
        (service(**{"requirements-dev.txt": "", "requirements-cpu.txt": ""}), {}),
    ],
)  # fmt: skip
def test_variants(find: Find, files: dict[str, str], expected: dict[str, str | None]) -> None:
    assert variants(find(files)) == expected


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("nvidia/cuda:12.4.1-base", "the default, since nothing is known of 12.4: the base image "),
        ("nvidia/cuda:12.6.3-base", "the base image "),
        ("nvidia/cuda", "the base image "),
    ],
)
def test_a_release_that_was_not_found_is_not_said_to_be(find: Find, base: str, why: str) -> None:
    cuda = find(service("torch", Dockerfile=f"FROM {base}\n")).variants[1]
    assert cuda.why == f"{why}{base}"


def test_a_base_image_for_an_accelerator_is_not_dropped_in_silence(find: Find) -> None:
    """Without a package for it nothing is proposed, and the reader learns why."""
    dockerfile = "FROM nvidia/cuda:12.6.3-base\n"
    (remark,) = find(service(Dockerfile=dockerfile)).remarks
    assert str(remark).startswith("the base image nvidia/cuda:12.6.3-base is for cuda, but no dep")
    assert not find(service("torch", Dockerfile=dockerfile)).remarks


def test_requirements_files_named_like_accelerators_are_the_variants_own(find: Find) -> None:
    files = service("torch", **{"requirements-cuda.txt": "onnxruntime-gpu"})
    assert [one.value.requirements for one in find(files).variants] == [
        (),
        ("requirements.txt", "requirements-cuda.txt"),
    ]
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = ["fastapi", "uvicorn"]\n'
    declared = {"pyproject.toml": project, "a.py": MAIN, "requirements-cuda.txt": "torch"}
    assert find(declared).variants[1].value.requirements == ("requirements-cuda.txt",)


def test_extras_named_like_accelerators_become_variants(find: Find) -> None:
    """The way uv's guide to PyTorch recommends."""
    text = """[project]
name = "a"
version = "1"
dependencies = ["fastapi", "uvicorn"]
[project.optional-dependencies]
cpu = ["torch"]
cu128 = ["torch"]
[[tool.uv.index]]
name = "pytorch-cu128"
url = "https://download.pytorch.org/whl/cu128"
explicit = true
"""
    found = find({"pyproject.toml": text, "a.py": MAIN})
    assert variants(found) == {"cpu": None, "cuda": "12.8"}
    assert [one.value.extras for one in found.variants] == [("cpu",), ("cu128",)]
    assert found.extras is None


@pytest.mark.parametrize(
    ("files", "runtime", "remark"),
    [
        ({}, None, ""),
        ({".python-version": "3.13\n"}, None, ""),
        ({".python-version": "# ours\ncpython-3.11.9\n"}, Runtime(python="3.11"), ""),
        ({"runtime.txt": "python-3.11.4"}, Runtime(python="3.11"), ""),
        ({"Dockerfile": "ARG V=3.11\nFROM python:${V}-slim\n"}, Runtime(python="3.11"), ""),
        ({".python-version": "3.12"}, None, 'base = "python:3.12-slim", python = "3.12"'),
        ({".python-version": "3.8"}, None, "Debian has 3.11 and 3.13, so 3.13 is used"),
    ],
)
def test_the_python(
    find: Find, files: dict[str, str], runtime: Runtime | None, remark: str
) -> None:
    found = find(service(**files))
    assert (found.runtime and found.runtime.value) == runtime
    assert remark in "\n".join(map(str, found.remarks))
    assert len(found.remarks) == (1 if remark else 0)


def test_a_python_that_debian_lacks_needs_another_base(find: Find) -> None:
    text = '[project]\nname = "a"\nversion = "1"\nrequires-python = "==3.12.*"\n'
    text += 'dependencies = ["fastapi", "uvicorn"]\n'
    found = find({"pyproject.toml": text, "a.py": MAIN})
    assert found.runtime is not None
    assert found.runtime.value == Runtime(python="3.12", base="python:3.12-slim")


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("import uvicorn\nuvicorn.run(app, port=9001)", 9001),
        ("import os, uvicorn\nuvicorn.run(app, port=int(os.environ.get('PORT', 9002)))", 9002),
        ("import os, uvicorn\nuvicorn.run(app, port=int(os.getenv('PORT', '9003')))", 9003),
        ("import os, uvicorn\nuvicorn.run(app, port=int(os.environ['PORT']))", 8000),
        ("import uvicorn\nuvicorn.run(app, port=True)", 8000),
        ("def start(**settings): ...\nstart(port=9004)", 8000),
    ],
)
def test_the_port_of_the_code(find: Find, line: str, port: int) -> None:
    found = find({**service(), "main.py": f"{MAIN}\n{line}\n"})
    assert found.start is not None
    assert found.start.port == port


def test_a_dockerfile_says_more_about_production_than_the_code(find: Find) -> None:
    code = f"{MAIN}\nimport uvicorn\nuvicorn.run(app, port=5001)\n"
    files = {
        "Dockerfile": "FROM x\nEXPOSE 6001\n",
        "Procfile": "web: uvicorn main:app --port 7001\n",
    }
    found = find({**service(**files), "main.py": code})
    assert [one.value for one in found.ports] == [6001, 7001, 5001]
    assert found.ambiguous_port
    assert found.start is not None
    assert found.start.command[-1] == "6001"


def test_the_port_the_code_insists_on_is_the_only_one(find: Find) -> None:
    script = "import gradio as gr\ngr.Interface(str, 'text', 'text').launch(server_port=7001)\n"
    files = {"requirements.txt": "gradio", "app.py": script, "Dockerfile": "FROM x\nEXPOSE 9000\n"}
    found = find(files)
    assert [one.value for one in found.ports] == [7001]
    assert found.start is not None
    assert found.start.port == 7001
    settings = {one.key: one.value for one in propose(found, settle(found, found.start)).settings}
    assert (settings["command"], settings["stop-signal"]) == (("python", "app.py"), "SIGINT")


@pytest.mark.parametrize(
    ("optional", "chosen", "server"),
    [
        ('[project.optional-dependencies]\nserve = ["gunicorn"]\n', (("serve",), None), "gunicorn"),
        ('[dependency-groups]\nprod = ["gunicorn"]\n', (None, ("prod",)), "gunicorn"),
        ('[dependency-groups]\ndev = ["gunicorn"]\n', (None, None), "flask"),
        (
            '[project.optional-dependencies]\na = ["waitress"]\nb = ["gunicorn"]\n',
            (("b",), None),
            "gunicorn",
        ),
    ],
)
def test_the_extra_that_brings_the_better_server(
    find: Find, optional: str, chosen: tuple[object, object], server: str
) -> None:
    text = f'[project]\nname = "a"\nversion = "1"\ndependencies = ["flask"]\n{optional}'
    code = "from flask import Flask\n\napp = Flask('a')\n"
    found = find({"pyproject.toml": text, "a.py": code})
    assert found.start is not None
    assert found.start.server == server
    assert (found.extras and found.extras.value, found.groups and found.groups.value) == chosen


def test_equally_likely_applications_are_counted(find: Find) -> None:
    found = find({"requirements.txt": "fastapi\nuvicorn", "one.py": MAIN, "two.py": MAIN})
    assert found.rivals == 2
    assert [one.application and one.application.module for one in found.starts] == ["one", "two"]
    assert find(service()).rivals == 1
