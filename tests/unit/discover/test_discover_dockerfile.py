# SPDX-License-Identifier: Apache-2.0
"""What an existing Dockerfile tells: ports, packages, variables, directories, bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelship.discover.dockerfile import read_dockerfiles
from wheelship.discover.environment import find_env, find_stop_signal, find_writable
from wheelship.discover.model import Discovery
from wheelship.discover.packages import system_packages
from wheelship.discover.port import find_ports
from wheelship.discover.propose import propose, settle

Find = Callable[[Mapping[str, str]], Discovery]
Project = Callable[[Mapping[str, str]], Path]

FASTAPI = {
    "requirements.txt": "fastapi\nuvicorn",
    "main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
}


@pytest.mark.parametrize(
    ("dockerfile", "ports"),
    [
        ('FROM x\nEXPOSE 9000\nCMD ["uvicorn", "a:b", "--port", "8080"]\n', [8080, 9000]),
        ("FROM x\nCMD gunicorn --bind=0.0.0.0:5000 a:b\n", [5000]),
        ('FROM x\nCMD ["sh", "-c", "exec gunicorn -b :${PORT:-7000} a:b"]\n', [7000]),
        ("FROM x\nENV PORT=6000\nCMD uvicorn a:b --port $PORT\n", [6000]),
        ("FROM x\nENV PORT 6001\n", [6001]),
        ("FROM x\nARG port=6002\nEXPOSE $port/tcp 53/udp\n", [6002]),
        ("FROM x AS a\nEXPOSE 1111\nFROM y\nEXPOSE 2222\n", [2222]),
        ("FROM x AS a\nEXPOSE 1111\nFROM a\nEXPOSE 2222\n", [1111, 2222]),
        ("FROM x\nEXPOSE 8000-8010\nEXPOSE 99999\nCMD tool --verbose\n", []),
    ],
)
def test_ports(project: Project, dockerfile: str, ports: list[int]) -> None:
    root = project({"Dockerfile": dockerfile})
    (found,) = read_dockerfiles(root)
    values = [one.value for one in find_ports(root, found, ())]
    assert list(dict.fromkeys(values)) == ports


def test_the_place_of_a_port_is_its_own_line(project: Project) -> None:
    root = project({"Dockerfile": 'FROM x\n# a comment\nCMD ["uvicorn", \\\n  "--port", "8080"]\n'})
    (found,) = find_ports(root, read_dockerfiles(root)[0], ())
    assert str(found) == "CMD listens there (Dockerfile:4)"


def test_packages_for_run_time_are_kept_and_the_others_named(project: Project) -> None:
    text = """FROM python:3.11 AS build
RUN apt-get update && apt-get install -y libleptonica-dev tesseract-ocr-only-in-build
FROM python:3.11
RUN apt-get update \\
    # sound
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \\
        ffmpeg=7:5.1.6-0+deb12u1 libsndfile1:amd64 \\
        -t stable libgl1-mesa-glx $EXTRA ./local.deb \\
        git build-essential libpq-dev python3-pip curl cuda-toolkit-12-4 ca-certificates \\
    && rm -rf /var/lib/apt/lists/*; apt-get purge -y gnupg2
RUN <<EOF
apt-get update
apt-get install -y libpq5
EOF
RUN echo apt-get install nothing-of-this && pip install torch
"""
    root = project({"Dockerfile": text})
    kept, dropped = system_packages(read_dockerfiles(root)[0])
    assert {one.value: str(one.place) for one in kept} == {
        "ffmpeg": "Dockerfile:7",
        "libsndfile1": "Dockerfile:7",
        "libgl1": "Dockerfile:8",
        "libpq5": "Dockerfile:13",
    }
    assert {one.value: one.why for one in dropped} == {
        "git": "only for building",
        "build-essential": "only for building",
        "libpq-dev": "only for building",
        "python3-pip": "in every image already",
        "curl": "for people in a shell, and there is none",
        "cuda-toolkit-12-4": "comes with the wheels",
        "ca-certificates": "in every image already",
    }


def test_variables_are_taken_over_but_no_secrets(project: Project) -> None:
    text = """FROM x
ENV PYTHONUNBUFFERED=1 LOG_LEVEL="very loud" \\
    MODEL_DIR=/models
ENV GREETING Hello there
ENV API_KEY=abc OPENAI_TOKEN=def DB_PASSWORD=ghi TOKENIZERS_PARALLELISM=false
ENV SHOWN=$UNKNOWN/x PATH=/opt:$PATH
"""
    root = project({"Dockerfile": text})
    env, remarks = find_env(read_dockerfiles(root)[0])
    assert {name: found.value for name, found in env} == {
        "LOG_LEVEL": "very loud",
        "MODEL_DIR": "/models",
        "GREETING": "Hello there",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert [str(found.place) for name, found in env if name == "MODEL_DIR"] == ["Dockerfile:3"]
    said = "\n".join(map(str, remarks))
    assert {one.value for one in remarks} == {"API_KEY", "OPENAI_TOKEN", "DB_PASSWORD", "SHOWN"}
    assert not any(secret in said for secret in ("abc", "def", "ghi"))


def test_directories(project: Project) -> None:
    text = 'FROM x\nVOLUME ["/data", "/data/more/"]\nVOLUME /proc /tmp/x relative /srv/files\n'
    root = project({"Dockerfile": text})
    found, _ = find_writable(read_dockerfiles(root)[0], ())
    assert [one.value for one in found] == ["/data", "/data/more", "/srv/files"]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("STOPSIGNAL SIGQUIT", ("SIGQUIT", "STOPSIGNAL (Dockerfile:2)")),
        ("STOPSIGNAL quit", ("SIGQUIT", "STOPSIGNAL (Dockerfile:2)")),
        ("STOPSIGNAL SIGTERM", None),
        ("STOPSIGNAL SIGKILL", None),
        ("STOPSIGNAL $SIGNAL", None),
        ("STOPSIGNAL 9", None),
        ("USER app", None),
    ],
)
def test_the_stop_signal(find: Find, line: str, value: tuple[str, str] | None) -> None:
    found = find({**FASTAPI, "Dockerfile": f"FROM x\n{line}\n"})
    stop = found.stop_signal
    assert (None if stop is None else (stop.value, str(stop))) == value
    assert found.start is not None
    proposed = propose(found, settle(found, found.start)).settings
    settings = [one.value for one in proposed if one.key == "stop-signal"]
    assert settings == ([] if value is None else [value[0]])


def test_databases_in_files(find: Find) -> None:
    code = (
        "\nA = 'sqlite:////var/lib/shop/shop.db'\nB = 'sqlite:///./local.db'\nC = 'sqlite://'\n"
        "D = 'sqlite+aiosqlite:///:memory:'\n"
    )
    found = find({**FASTAPI, "main.py": FASTAPI["main.py"] + code})
    assert [str(one) for one in found.writable] == ["a database there (main.py:5)"]
    assert [one.value for one in found.writable] == ["/var/lib/shop"]
    (remark,) = found.remarks
    assert str(remark).startswith("the database ./local.db is below /app, which is read-only")


def test_a_port_for_root_is_not_taken(find: Find) -> None:
    found = find({**FASTAPI, "Dockerfile": "FROM x\nEXPOSE 80\n"})
    assert found.start is not None
    assert found.start.port == 8000
    assert found.ports == ()
    assert "docker run --publish 80:8000" in str(found.remarks[0])


def test_the_file_called_just_dockerfile_comes_first(project: Project) -> None:
    names = ["Dockerfile.cuda", "docker/Dockerfile", "Dockerfile", "app.Dockerfile"]
    root = project({name: f"FROM {name.lower()}\n" for name in names})
    (root / "Dockerfile.dockerignore").write_text("x")
    assert [one.path for one in read_dockerfiles(root)] == [
        "Dockerfile",
        "Dockerfile.cuda",
        "app.Dockerfile",
        "docker/Dockerfile",
    ]


@given(text=st.text(alphabet="FROMRUNENV apt-get installCMD[]\"'\\\n$={}<>EOF:#&0/", max_size=200))
def test_no_dockerfile_is_too_strange(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A proposal may miss something; it may not fail because of a file that Docker would refuse."""
    root = tmp_path_factory.mktemp("strange")
    (root / "Dockerfile").write_text(f"FROM x\n{text}")
    (found,) = read_dockerfiles(root)
    system_packages(found)
    find_env(found)
    find_stop_signal(found)
    find_writable(found, ())
    assert all(0 < one.value <= 65535 for one in find_ports(root, found, ()))
