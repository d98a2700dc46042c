# SPDX-License-Identifier: Apache-2.0
"""Starting projects without configuration beyond an object in a module: factories, scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wheelship.oci.platform import Platform
from wheelship.request.errors import ConfigurationError
from wheelship.request.model import Request
from wheelship.request.read import read_request

Read = Callable[[Mapping[str, str]], Request]
Write = Callable[[Mapping[str, str]], Path]

FACTORY = """
def create_app(settings=None):
    from flask import Flask
    app = Flask("shop")
    return app
"""
ASGI_FACTORY = """
import fastapi

def build_app() -> fastapi.FastAPI:
    return fastapi.FastAPI()
"""
NEEDS_SETTINGS = """
from fastapi import FastAPI

def create_app(settings):
    return FastAPI()
"""
GRADIO = """
import gradio as gr

with gr.Blocks() as demo:
    gr.Textbox()

if __name__ == "__main__":
    demo.launch({arguments})
"""
GRADIO_IN_MAIN = """
from gradio import Interface

def main():
    Interface(str, "text", "text").launch()

if __name__ == "__main__":
    main()
"""
STREAMLIT = "import streamlit as st\n\nst.title('Hello')\n"
HERE = ("--host", "0.0.0.0", "--port", "8000")  # noqa: S104 - the expected argument
PAGE = ("--server.headless", "true", "--server.address", "0.0.0.0", "--server.port")  # noqa: S104


def project(dependencies: str, more: str = "") -> str:
    return f'[project]\nname = "a"\nversion = "1"\ndependencies = [{dependencies}]\n{more}'


@pytest.mark.parametrize(
    ("requirements", "files", "command"),
    [
        (
            "flask\ngunicorn",
            {"shop.py": FACTORY},
            ("gunicorn", "--bind", "0.0.0.0:8000", "shop:create_app()"),
        ),
        (
            "flask\nwaitress",
            {"shop.py": FACTORY},
            ("waitress-serve", "--listen=0.0.0.0:8000", "--call", "shop:create_app"),
        ),
        ("flask", {"shop.py": FACTORY}, ("flask", "--app", "shop:create_app", "run", *HERE)),
        (
            "fastapi\nuvicorn",
            {"web.py": ASGI_FACTORY},
            ("uvicorn", "web:build_app", "--factory", *HERE),
        ),
        (
            "fastapi\ngranian",
            {"web.py": ASGI_FACTORY},
            ("granian", "--interface", "asgi", "--factory", *HERE, "web:build_app"),
        ),
        (
            "flask\ngranian",
            {"shop.py": FACTORY},
            ("granian", "--interface", "wsgi", "--factory", *HERE, "shop:create_app"),
        ),
        # what calls the factory is an object, and wins over the factory itself
        (
            "flask\ngunicorn",
            {
                "shop/__init__.py": "from .making import create_app\n",
                "shop/making.py": FACTORY,
                "wsgi.py": "from shop import create_app\n\napp = create_app()\n",
            },
            ("gunicorn", "--bind", "0.0.0.0:8000", "wsgi:app"),
        ),
        # the only application there is cannot be made without arguments, so another one is started
        (
            "fastapi\nuvicorn",
            {"web.py": NEEDS_SETTINGS, "main.py": "import web\n\nservice = web.create_app(1)\n"},
            ("uvicorn", "main:service", *HERE),
        ),
        (
            "litestar\nuvicorn",
            {"app.py": "from litestar import Litestar\napp = Litestar([])\n"},
            ("uvicorn", "app:app", *HERE),
        ),
        # an interface mounted into an application is served with it; gradio requires uvicorn
        (
            "fastapi\ngradio",
            {
                "main.py": "import gradio as gr\nfrom fastapi import FastAPI\n\napp = FastAPI()\n"
                "app = gr.mount_gradio_app(app, gr.Blocks(), path='/')\n"
            },
            ("uvicorn", "main:app", *HERE),
        ),
        (
            "streamlit",
            {"app.py": STREAMLIT, "pages/more.py": STREAMLIT},
            ("streamlit", "run", "app.py", *PAGE, "8501"),
        ),
        (
            "streamlit",
            {"ui/home.py": STREAMLIT, "tool.py": "import streamlit\n"},
            ("streamlit", "run", "ui/home.py", *PAGE, "8501"),
        ),
    ],
)
def test_the_command_that_serves_it(
    read: Read, requirements: str, files: dict[str, str], command: tuple[str, ...]
) -> None:
    variant = read({"requirements.txt": requirements, **files}).variants["cpu"]
    assert variant.command == command
    assert variant.env == {}
    assert variant.stop_signal is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"app.py": GRADIO.format(arguments="")}, ("app.py",)),
        ({"app.py": GRADIO_IN_MAIN}, ("app.py",)),
        ({"demo/app.py": GRADIO.format(arguments="")}, ("demo/app.py",)),
        (
            {"src/demo/app.py": GRADIO.format(arguments=""), "src/demo/__init__.py": ""},
            ("-m", "demo.app"),
        ),
    ],
)
def test_a_gradio_script_is_run_so_that_it_can_be_stopped(
    read: Read, files: dict[str, str], words: tuple[str, ...]
) -> None:
    variant = read({"requirements.txt": "gradio", **files}).variants["cpu"]
    assert (variant.command, variant.stop_signal) == (("python", *words), "SIGINT")
    assert variant.env == {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7860"}  # noqa: S104
    assert variant.port == 7860


def test_a_page_is_not_the_script_it_belongs_to(read: Read) -> None:
    """Even where its name is the more usual one."""
    files = {"requirements.txt": "streamlit", "ui.py": STREAMLIT, "pages/main.py": STREAMLIT}
    assert "ui.py" in (read(files).variants["cpu"].command or ())


def test_relative_imports_lead_to_the_factory(read: Read) -> None:
    files = {
        "requirements.txt": "flask\ngunicorn",
        "shop/__init__.py": "",
        "shop/making.py": FACTORY.replace("create_app", "assemble"),
        "shop/web/__init__.py": "",
        "shop/web/wsgi.py": "from ..making import assemble\n\nweb_app = assemble()\n",
    }
    command = read(files).variants["cpu"].command
    assert command == ("gunicorn", "--bind", "0.0.0.0:8000", "shop.web.wsgi:web_app")


def test_a_factory_that_needs_arguments_cannot_be_called(write: Write) -> None:
    root = write({"requirements.txt": "fastapi\nuvicorn", "web.py": NEEDS_SETTINGS})
    with pytest.raises(ConfigurationError, match="no web application was found"):
        read_request(root, native=Platform("amd64"))


def test_the_port_and_the_variables_of_the_table_win(read: Read) -> None:
    table = 'port = 9000\n[env]\nGRADIO_SERVER_NAME = "10.0.0.1"\n'
    files = {"requirements.txt": "gradio", "app.py": GRADIO.format(arguments="")}
    variant = read({**files, "wheelship.toml": table}).variants["cpu"]
    assert variant.port == 9000
    assert variant.env == {"GRADIO_SERVER_NAME": "10.0.0.1", "GRADIO_SERVER_PORT": "9000"}


def test_the_stop_signal_of_the_table_wins_and_a_given_command_brings_none(read: Read) -> None:
    files = {"requirements.txt": "gradio", "app.py": GRADIO.format(arguments="")}
    own = read({**files, "wheelship.toml": 'stop-signal = "SIGHUP"\n'}).variants["cpu"]
    assert (own.command, own.stop_signal) == (("python", "app.py"), "SIGHUP")
    given = read({**files, "wheelship.toml": 'command = ["serve"]\n'}).variants["cpu"]
    assert given.stop_signal is None


def test_what_the_code_insists_on_is_said(read: Read) -> None:
    script = GRADIO.format(arguments="server_name='127.0.0.1', server_port=7000")
    request = read({"requirements.txt": "gradio", "app.py": script})
    assert request.variants["cpu"].port == 7000
    (note,) = request.notes
    assert "nobody outside can reach it while the code says '127.0.0.1'" in note
    (note,) = read(
        {"requirements.txt": "gradio", "app.py": script, "wheelship.toml": "port = 8080\n"}
    ).notes
    assert "the code insists on port 7000, not 8080" in note


def test_a_module_that_only_defines_an_interface_is_no_script(read: Read) -> None:
    files = {
        "requirements.txt": "gradio",
        "parts.py": "import gradio\n\ndef show(demo):\n    demo.launch()\n",
        "run.py": GRADIO.format(arguments=""),
    }
    (note,) = read(files).notes
    assert "run.py" in note


def test_a_console_script_needs_no_port(read: Read) -> None:
    text = project("", 'scripts = { work = "a:main" }\n')
    request = read({"pyproject.toml": text, "a.py": ""})
    variant = request.variants["cpu"]
    assert (variant.command, variant.port) == (("work",), None)
    assert request.notes == ("no command is given, so the console script work is started",)


def test_a_chosen_extra_brings_the_server(read: Read) -> None:
    text = project('"flask"', 'optional-dependencies = { serve = ["gunicorn"] }\n')
    chosen = text + '[tool.wheelship]\nextras = ["serve"]\n'
    assert read({"pyproject.toml": text, "a.py": FACTORY}).variants["cpu"].command[0] == "flask"  # type: ignore[index]
    command = read({"pyproject.toml": chosen, "a.py": FACTORY}).variants["cpu"].command
    assert command == ("gunicorn", "--bind", "0.0.0.0:8000", "a:create_app()")


def test_the_settings_of_streamlit_are_shipped(read: Read) -> None:
    from wheelship.request.layout import find_layout

    files = {"requirements.txt": "streamlit", "app.py": STREAMLIT, ".streamlit/config.toml": ""}
    layout = find_layout(read(files).project)
    assert layout.placed == (".streamlit", "app.py")
