# SPDX-License-Identifier: Apache-2.0
"""Which route is taken for the health check: its full path, and only where it is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wheelship.discover.model import Discovery

Find = Callable[[Mapping[str, str]], Discovery]

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"


def route(path: str, *, on: str = "app", verb: str = "get", more: str = "") -> str:
    return f'\n@{on}.{verb}("{path}"{more})\ndef view():\n    return {{}}\n'


def fastapi(code: str, **files: str) -> dict[str, str]:
    more = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return {"requirements.txt": "fastapi\nuvicorn", "main.py": APP + code, **more}


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        (fastapi(route("/health") + route("/healthz") + route("/other")), ["/healthz", "/health"]),
        (fastapi(route("/api/health") + route("/readyz")), ["/api/health", "/readyz"]),
        (fastapi(route("/health", verb="post") + route("/users/{name}/status")), []),
        (fastapi(route("/ready", verb="api_route", more=', methods=["GET", "HEAD"]')), ["/ready"]),
        (fastapi(route("/ready", verb="api_route", more=', methods=["POST"]')), []),
        (fastapi("\napp.add_api_route('/livez', print)\n"), ["/livez"]),
        # a prefix of the router, one it is included with, and one from another module
        (
            fastapi(
                "\nfrom api.v1 import router as v1\napp.include_router(v1, prefix='/api')\n",
                api__v1="from fastapi import APIRouter\nfrom api import inner\n"
                "router = APIRouter(prefix='/v1')\nrouter.include_router(inner.checks)\n",
                api__inner="from fastapi import APIRouter\nchecks = APIRouter(prefix='/internal')\n"
                + route("/health", on="checks"),
            ),
            ["/api/v1/internal/health"],
        ),
        # two places, two paths
        (
            fastapi(
                "\nfrom fastapi import APIRouter\nrouter = APIRouter()\n"
                + route("/ping", on="router")
                + "\napp.include_router(router)\napp.include_router(router, prefix='/api')\n"
            ),
            ["/ping", "/api/ping"],
        ),
        # nobody serves it
        (
            fastapi(
                "",
                spare="from fastapi import APIRouter\nrouter = APIRouter()\n"
                + route("/health", on="router"),
            ),
            [],
        ),
        # no route, though it looks like one
        (fastapi("\nfrom pathlib import path\npath('/health')\nopen('/healthz')\n"), []),
    ],
)
def test_the_routes_of_fastapi(find: Find, files: dict[str, str], paths: list[str]) -> None:
    found = find(files)
    assert found.start is not None
    assert [one.value for one in found.health] == paths


def test_the_place_is_where_the_route_is_written(find: Find) -> None:
    (found,) = find(fastapi(route("/healthz"))).health
    assert str(found) == "a route (main.py:5)"


def test_a_blueprint_with_a_prefix(find: Find) -> None:
    files = {
        "requirements.txt": "flask\ngunicorn",
        "shop/__init__.py": "from flask import Flask\n\ndef create_app():\n"
        "    app = Flask('shop')\n    from . import views\n"
        "    app.register_blueprint(views.bp, url_prefix='/shop')\n"
        "    return app\n",
        "shop/views.py": "from flask import Blueprint\nbp = Blueprint('x', __name__)\n"
        + route("/health", on="bp", verb="route"),
    }
    assert [one.value for one in find(files).health] == ["/shop/health"]


def test_the_routes_of_django_with_their_slash(find: Find) -> None:
    files = {
        "requirements.txt": "django\ngunicorn",
        "manage.py": "",
        "site1/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n",
        "site1/urls.py": "from django.urls import include, path\n"
        "urlpatterns = [path('api/', include('checks.urls')), path('status', print)]\n",
        "checks/urls.py": "from django.urls import path\nurlpatterns = [path('health/', print)]\n",
    }
    assert [one.value for one in find(files).health] == ["/api/health/", "/status"]


def test_routes_of_starlette(find: Find) -> None:
    code = (
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
        "app = Starlette(routes=[Route('/livez', print),"
        " Route('/health', print, methods=['POST'])])"
    )
    files = {"requirements.txt": "starlette\nuvicorn", "main.py": code}
    assert [one.value for one in find(files).health] == ["/livez"]


def test_streamlit_brings_its_own(find: Find) -> None:
    files = {"requirements.txt": "streamlit", "app.py": "import streamlit as st\nst.write(1)\n"}
    assert [str(one) for one in find(files).health] == ["Streamlit has it"]


def test_what_a_dockerfile_asks_comes_first(find: Find) -> None:
    check = (
        "FROM x\nHEALTHCHECK --interval=5s \\\n  CMD curl -f http://localhost:8080/up || exit 1\n"
    )
    found = find({**fastapi(route("/healthz")), "Dockerfile": check})
    assert [str(one.value) for one in found.health] == ["/up", "/healthz"]
    assert str(found.health[0].place) == "Dockerfile:3"
