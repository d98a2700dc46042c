# SPDX-License-Identifier: Apache-2.0
"""The web applications of a project, found by reading its code; nothing of it is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from wheelship.request.code import Module, calls_at_import, keyword, read_modules
from wheelship.request.model import Project

__all__ = ["Application", "find_applications", "likelihood"]

_MAKERS = {
    "fastapi.FastAPI": "FastAPI",
    "fastapi.applications.FastAPI": "FastAPI",
    "litestar.Litestar": "Litestar",
    "quart.Quart": "Quart",
    "starlette.applications.Starlette": "Starlette",
    "flask.Flask": "Flask",
    "flask.app.Flask": "Flask",
    "django.core.asgi.get_asgi_application": "Django (ASGI)",
    "django.core.wsgi.get_wsgi_application": "Django (WSGI)",
}
_FACTORY = re.compile(r"(?:create|make|build|get)_(?:\w+_)?app(?:lication)?|app_factory")
_WORDS = (
    *sorted({maker.rpartition(".")[2].encode() for maker in _MAKERS}),
    b"_app",  # the factory and who calls it may stand in different modules
    b"app_factory",
    b"gradio",
    b"streamlit",
)
_USUAL_MODULES = ("app", "main", "asgi", "wsgi", "server", "api", "streamlit_app", "home")
_KINDS = ("object", "factory", "script")
_MOST_ALIASES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What serves: an object or factory at the top level of a module, or a script to be run.

    Attributes:
        attribute: the object's or factory's name; empty for a script.
        placed: the module can be run by its path below the working directory.
        listens: the address a script insists on in its code, where it does.
        port: the port a script insists on in its code, where it does.
    """

    framework: str
    module: str
    attribute: str
    path: str
    line: int
    kind: Literal["object", "factory", "script"] = "object"
    placed: bool = True
    listens: str | None = None
    port: int | None = None

    @property
    def target(self) -> str:
        """The object as servers want it, ``module:attribute``; a script's own path."""
        return f"{self.module}:{self.attribute}" if self.attribute else self.path

    def __str__(self) -> str:
        what = "application" if self.kind == "object" else self.kind
        return f"{self.framework} {what} {self.target} ({self.path}:{self.line})"


def find_applications(project: Project) -> list[Application]:
    """Return what serves in the project's modules, the likeliest first.

    Raises:
        SourceError: a directory of the project cannot be listed.
    """
    modules = [
        module
        for module in read_modules(project, _WORDS)
        if all(part.isidentifier() for part in module.name.split("."))
    ]
    origins = _Origins(modules)
    found: list[Application] = []
    for module in modules:
        found += _objects(module, origins)
        found += _factories(module, origins)
        found += _gradio(module)
        found += _streamlit(module)
    return sorted(found, key=lambda one: (likelihood(one), one.path, one.line))


def likelihood(application: Application) -> tuple[int, int, int, int]:
    """Order applications: objects, the usual names, and those nearest to the top come first."""
    tail = application.module.rpartition(".")[2].lower()
    usual = _USUAL_MODULES.index(tail) if tail in _USUAL_MODULES else len(_USUAL_MODULES)
    named = 0 if application.attribute in ("app", "application", "create_app", "") else 1
    return _KINDS.index(application.kind), named, usual, application.module.count(".")


class _Origins:
    """Which functions of the project make an application, whatever they are imported as."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self._aliases = {
            f"{module.name}.{local}": origin
            for module in modules
            for local, origin in module.names.items()
        }
        self._made: dict[str, str] = {}
        for module in modules:
            for function in module.tree.body:
                if isinstance(function, ast.FunctionDef):
                    framework = _made_inside(module, function)
                    if framework is not None:
                        self._made[f"{module.name}.{function.name}"] = framework

    def framework(self, name: str) -> str | None:
        """Return the framework whose application calling ``name`` makes."""
        for _ in range(_MOST_ALIASES):
            if name in _MAKERS:
                return _MAKERS[name]
            if name in self._made:
                return self._made[name]
            if name not in self._aliases:
                return None
            name = self._aliases[name]
        return None


def _made_inside(module: Module, function: ast.FunctionDef) -> str | None:
    returns = any(isinstance(one, ast.Return) and one.value for one in ast.walk(function))
    made = (
        _MAKERS.get(module.resolve(one.func))
        for one in ast.walk(function)
        if isinstance(one, ast.Call)
    )
    return next((one for one in made if one is not None), None) if returns else None


def _objects(module: Module, origins: _Origins) -> Iterator[Application]:
    seen: set[str] = set()
    for statement in module.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=attribute)], value=ast.Call(func=function)):
                pass
            case ast.AnnAssign(target=ast.Name(id=attribute), value=ast.Call(func=function)):
                pass
            case _:
                continue
        framework = origins.framework(module.resolve(function))
        if framework is not None and attribute not in seen:
            seen.add(attribute)
            yield _application(module, statement, framework, attribute)


def _factories(module: Module, origins: _Origins) -> Iterator[Application]:
    for statement in module.tree.body:
        if not isinstance(statement, ast.FunctionDef) or not _FACTORY.fullmatch(statement.name):
            continue
        framework = origins.framework(f"{module.name}.{statement.name}")
        if framework is not None and not _needs_arguments(statement.args):
            one = _application(module, statement, framework, statement.name, kind="factory")
            yield one


def _needs_arguments(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional > len(arguments.defaults) or None in arguments.kw_defaults


def _gradio(module: Module) -> Iterator[Application]:
    """Find a script that launches an interface when it is run, directly or by its main guard."""
    if not module.imports("gradio"):
        return
    calls = [one for one in calls_at_import(module.tree) if _is_launch(one)]
    if not calls and module.has_main:
        calls = [
            one for one in ast.walk(module.tree) if isinstance(one, ast.Call) and _is_launch(one)
        ]
    if calls:
        first = min(calls, key=lambda call: call.lineno)
        settings = {
            "listens": _literal(keyword(first, "server_name"), str),
            "port": _literal(keyword(first, "server_port"), int),
        }
        yield _application(module, first, "Gradio", "", kind="script", settings=settings)


def _is_launch(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "launch"


def _streamlit(module: Module) -> Iterator[Application]:
    """Find a script that draws a page when it is run; those in ``pages`` belong to another."""
    if not module.imports("streamlit") or "pages" in module.path.split("/"):
        return
    drawing = [
        call
        for call in calls_at_import(module.tree)
        if module.resolve(call.func).startswith("streamlit.")
    ]
    if drawing or module.has_main:
        line = min(drawing, key=lambda call: call.lineno) if drawing else module.tree.body[0]
        yield _application(module, line, "Streamlit", "", kind="script")


def _literal(expression: ast.expr | None, kind: type) -> object:
    if isinstance(expression, ast.Constant) and type(expression.value) is kind:
        return expression.value
    return None


def _application(
    module: Module,
    node: ast.stmt | ast.expr,
    framework: str,
    attribute: str,
    *,
    kind: Literal["object", "factory", "script"] = "object",
    settings: Mapping[str, object] | None = None,
) -> Application:
    given = settings or {}
    listens, port = given.get("listens"), given.get("port")
    return Application(
        framework=framework,
        module=module.name,
        attribute=attribute,
        path=module.path,
        line=node.lineno,
        kind=kind,
        placed=module.placed,
        listens=listens if isinstance(listens, str) else None,
        port=port if isinstance(port, int) else None,
    )
