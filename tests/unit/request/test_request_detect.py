# SPDX-License-Identifier: Apache-2.0
"""The default command of projects without configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wheelship.request.errors import Finding
from wheelship.request.model import Request

Read = Callable[[Mapping[str, str]], Request]
Findings = Callable[[Mapping[str, str]], tuple[Finding, ...]]

FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"
FLASK = "import flask\n\napplication: flask.Flask = flask.Flask(__name__)\n"
GRADIO = "import gradio as gr\n\nwith gr.Blocks() as demo:\n    demo.launch()\n"
UVICORN = ("--host", "0.0.0.0", "--port", "8000")  # noqa: S104 - the expected argument


@pytest.mark.parametrize(
    ("requirements", "files", "command"),
    [
        ("fastapi\nuvicorn", {"main.py": FASTAPI}, ("uvicorn", "main:app", *UVICORN)),
        ("fastapi[standard]", {"main.py": FASTAPI}, ("uvicorn", "main:app", *UVICORN)),
        (
            "fastapi\nhypercorn",
            {"main.py": FASTAPI},
            ("hypercorn", "--bind", "0.0.0.0:8000", "main:app"),
        ),
        (
            "fastapi\nuvicorn",
            {"app/api/server.py": FASTAPI, "app/tests/main.py": FASTAPI},
            ("uvicorn", "app.api.server:app", *UVICORN),
        ),
        (
            "flask\ngunicorn",
            {"web.py": FLASK},
            ("gunicorn", "--bind", "0.0.0.0:8000", "web:application"),
        ),
        (
            "flask\nwaitress",
            {"web.py": FLASK},
            ("waitress-serve", "--listen=0.0.0.0:8000", "web:application"),
        ),
        ("flask", {"web.py": FLASK}, ("flask", "--app", "web:application", "run", *UVICORN)),
        (
            "django\ngunicorn",
            {
                "manage.py": "",
                "site1/asgi.py": "from django.core.asgi import get_asgi_application as make\n"
                "application = make()\n",
                "site1/wsgi.py": "from django.core import wsgi\n"
                "application = wsgi.get_wsgi_application()\n",
            },
            ("gunicorn", "--bind", "0.0.0.0:8000", "site1.wsgi:application"),
        ),
        (
            "fastapi\nuvicorn",
            {
                "main.py": FASTAPI,
                "demo.py": FASTAPI,  # a less usual name
                "tests/main.py": FASTAPI,
                "broken.py": "from fastapi import FastAPI\napp = FastAPI(\n",
                "inner.py": "from fastapi import FastAPI\ndef make():\n    app = FastAPI()\n",
                "other.py": "from mine import FastAPI\napp = FastAPI()\n",
            },
            ("uvicorn", "main:app", *UVICORN),
        ),
    ],
)
def test_the_application_is_found(
    read: Read, requirements: str, files: dict[str, str], command: tuple[str, ...]
) -> None:
    request = read({"requirements.txt": requirements, **files})
    variant = request.variants["cpu"]
    assert variant.command == command
    assert variant.port == 8000
    (note,) = request.notes
    assert command[0].removesuffix("-serve") in note


def test_the_port_of_the_table_is_used(read: Read) -> None:
    files = {"requirements.txt": "fastapi\nuvicorn", "main.py": FASTAPI}
    request = read({**files, "wheelship.toml": "port = 5000\n"})
    assert request.variants["cpu"].command == (
        "uvicorn", "main:app", "--host", "0.0.0.0", "--port", "5000",  # noqa: S104
    )  # fmt: skip
    assert request.variants["cpu"].port == 5000


def test_two_variants_share_one_note(read: Read) -> None:
    files = {"requirements.txt": "fastapi\nuvicorn", "main.py": FASTAPI}
    variants = '[variants.cpu]\n[variants.cuda]\nversion = "13.0"\n'
    request = read({**files, "wheelship.toml": variants})
    assert request.variants["cuda"].command == request.variants["cpu"].command
    assert len(request.notes) == 1


def test_packages_below_src(read: Read) -> None:
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = ["fastapi", "uvicorn"]\n'
    request = read({"pyproject.toml": project, "src/a/__init__.py": FASTAPI})
    assert request.variants["cpu"].command == ("uvicorn", "a:app", *UVICORN)


def test_no_command_is_looked_for_when_there_is_an_entrypoint(read: Read) -> None:
    files = {"requirements.txt": "fastapi\nuvicorn", "main.py": FASTAPI}
    request = read({**files, "wheelship.toml": 'entrypoint = ["python"]\n'})
    assert request.variants["cpu"].command is None
    assert request.notes == ()


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {"requirements.txt": "fastapi", "main.py": FASTAPI},
            "could serve FastAPI application main:app (main.py:3)",
            'add "uvicorn" to the dependencies',
        ),
        (
            {
                "pyproject.toml": '[project]\nname="a"\nversion="1"\n',
                "services/api/pyproject.toml": "",
                "services/api/main.py": FASTAPI,
            },
            "services/api is a project of its own, with FastAPI application services.api.main:app",
            "run wheelship in services/api",
        ),
        (
            {
                "pyproject.toml": '[project]\nname="a"\nversion="1"\ndependencies=["fastapi"]\n',
                "a.py": FASTAPI,
            },
            "could serve FastAPI application a:app",
            'add "uvicorn" to the dependencies',
        ),
        (
            {"requirements.txt": "torch", "main.py": "print()"},
            "no web application was found",
            'command = ["uvicorn", "package.module:app"',
        ),
        (
            {"requirements.txt": "streamlit", "app.py": ""},
            "no web application was found",
            'command = ["streamlit", "run", "app.py"',
        ),
        (
            {"requirements.txt": "gradio", "app.py": ""},
            "no web application was found",
            'command = ["python", "app.py"]\nstop-signal = "SIGINT"',
        ),
        (
            {"requirements.txt": "fastapi\nuvicorn", "one.py": FASTAPI, "two.py": FASTAPI},
            "several applications were found",
            'command = ["uvicorn", "one:app"',
        ),
        (
            {
                "pyproject.toml": '[project]\nname="a"\nversion="1"\n'
                'scripts = { go = "a:b", come = "a:c" }\n',
                "a.py": "",
            },
            "several console scripts (come, go)",
            '[tool.wheelship]\ncommand = ["come"]',
        ),
        (
            {
                "pyproject.toml": '[project]\nname="a"\nversion="1"\ndependencies = ["fastapi"]\n'
                'optional-dependencies = { serve = ["uvicorn>=0.30"] }\n',
                "a.py": FASTAPI,
            },
            "no dependency that could serve FastAPI application a:app",
            '[tool.wheelship]\nextras = ["serve"]',
        ),
        (
            {"requirements.txt": "gradio", "a.py": GRADIO, "b.py": GRADIO},
            "several applications were found: Gradio script a.py (a.py:4), Gradio script b.py",
            'command = ["python", "a.py"]\nstop-signal = "SIGINT"',
        ),
    ],
)
def test_nothing_to_start_shows_the_line_to_paste(
    findings: Findings, files: dict[str, str], message: str, hint: str
) -> None:
    (found,) = findings(files)
    assert found.key is not None
    assert found.key.endswith("command")
    assert message in found.message
    assert found.hint is not None
    assert found.hint.startswith(hint)
