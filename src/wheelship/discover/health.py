# SPDX-License-Identifier: Apache-2.0
"""The route that says whether the service is well.

Routes are collected with the routers they are declared on; what a router is included with gives the
beginning of the path. A router that nobody includes serves nothing, so its routes do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wheelship.discover.dockerfile import Dockerfile
from wheelship.discover.model import Found, Place
from wheelship.request.code import Module, keyword
from wheelship.request.detect import Application
from wheelship.request.gate import URL_PATH

__all__ = ["find_health"]

_OWN = {"Gradio": "/", "Streamlit": "/_stcore/health"}
_NAMES = (
    "healthz",
    "health",
    "livez",
    "live",
    "liveness",
    "alive",
    "healthcheck",
    "health-check",
    "health_check",
    "-/healthy",
    "heartbeat",
    "ping",
    "readyz",
    "ready",
    "readiness",
    "status",
)
_ROUTERS = ("APIRouter", "Blueprint", "Router")
_GET = ("get", "route", "api_route")
_CALLS = ("Route", "path", "add_api_route", "add_url_rule", "add_route")
_INCLUDES = ("include_router", "register_blueprint", "mount")
_ASKED = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\S+?)?(/[^\s\"'|]*)"
)
_DEEPEST = 6


def find_health(
    application: Application | None, dockerfile: Dockerfile | None, modules: Sequence[Module]
) -> tuple[Found[str], ...]:
    """Return the paths that could be asked, the likeliest first."""
    found = [one for one in _of_dockerfile(dockerfile) if URL_PATH.fullmatch(one.value)]
    if application is None:
        return tuple(found)
    if application.framework in _OWN:
        path = _OWN[application.framework]
        return (*found, Found(value=path, why=f"{application.framework} has it"))
    routes = _Routes(modules, django=application.framework.startswith("Django"))
    named = [
        (rank, one)
        for one in routes.found()
        if (rank := _rank(one.value)) is not None and URL_PATH.fullmatch(one.value)
    ]
    named.sort(key=lambda pair: (pair[0], pair[1].value))
    unique = {one.value: one for _, one in reversed(named)}
    best = sorted(unique.values(), key=lambda one: (_rank(one.value), one.value))
    return (*found, *best)


def _of_dockerfile(dockerfile: Dockerfile | None) -> Iterator[Found[str]]:
    instruction = None if dockerfile is None else dockerfile.last("HEALTHCHECK")
    match = None if instruction is None else _ASKED.search(instruction.text)
    if dockerfile is not None and instruction is not None and match is not None:
        place = Place(dockerfile.path, instruction.line_of(match[1].strip("/")))
        yield Found(value=match[1], why="HEALTHCHECK asks it", place=place)


def _rank(path: str) -> tuple[int, int] | None:
    """Return how likely ``path`` is a health check: by its last part, then by its depth."""
    parts = path.strip("/").lower().split("/")
    for index, name in enumerate(_NAMES):
        tail = "/".join(parts[-2:]) if "/" in name else parts[-1].strip("_")
        if tail == name:
            return index, len(parts)
    return None


@dataclass(frozen=True, slots=True)
class _Route:
    owner: str
    path: str
    place: Place


class _Routes:
    """The GET routes of some modules, and which router is included where."""

    def __init__(self, modules: Sequence[Module], *, django: bool) -> None:
        self._django = django
        self._routes: list[_Route] = []
        self._prefixes: dict[str, str] = {}
        self._included: dict[str, list[tuple[str, str]]] = {}
        self._aliases = {
            f"{module.name}.{local}": origin
            for module in modules
            for local, origin in module.names.items()
        }
        for module in modules:
            self._read(module)

    def found(self) -> Iterator[Found[str]]:
        """Yield every route under each of its full paths."""
        for route in self._routes:
            for before in self._before(route.owner, 0):
                path = "/" + "/".join(part for part in f"{before}/{route.path}".split("/") if part)
                if route.path.endswith("/") and path != "/":
                    path += "/"
                yield Found(value=path, why="a route", place=route.place)

    def _before(self, owner: str, depth: int) -> Iterator[str]:
        own = self._prefixes.get(owner)
        parents = self._included.get(owner, [])
        if not parents and (own is None or self._django):
            yield own or ""
        for parent, prefix in parents if depth < _DEEPEST else ():
            for before in self._before(parent, depth + 1):
                yield f"{before}/{prefix}/{own or ''}"

    def _read(self, module: Module) -> None:
        for statement in ast.walk(module.tree):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                    self._router(module, name, call)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    for decorator in statement.decorator_list:
                        if isinstance(decorator, ast.Call):
                            self._decorated(module, decorator)
                case ast.Call():
                    self._called(module, statement)
                case _:
                    pass

    def _router(self, module: Module, name: str, call: ast.Call) -> None:
        if module.resolve(call.func).rpartition(".")[2] in _ROUTERS:
            prefix = _text(keyword(call, "prefix")) or _text(keyword(call, "url_prefix"))
            self._prefixes[f"{module.name}.{name}"] = prefix or ""

    def _decorated(self, module: Module, call: ast.Call) -> None:
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr=verb), args=[path, *_]):
                text = _text(path)
                if verb in _GET and text is not None and _gets(call):
                    self._add(module, self._origin(module.resolve(owner)), text, call)
            case _:
                pass

    def _called(self, module: Module, call: ast.Call) -> None:
        name = module.resolve(call.func).rpartition(".")[2]
        first = call.args[0] if call.args else None
        if name in _INCLUDES and first is not None and isinstance(call.func, ast.Attribute):
            prefix = _text(keyword(call, "prefix")) or _text(keyword(call, "url_prefix")) or ""
            router = first
            if name == "mount" and len(call.args) > 1:
                prefix, router = _text(first) or "", call.args[1]
            parent = self._origin(module.resolve(call.func.value))
            self._included.setdefault(self._origin(module.resolve(router)), []).append(
                (parent, prefix)
            )
            return
        text = _text(first)
        if name not in _CALLS or text is None:
            return
        if name == "path" and self._included_by(module, text, call.args[1:2]):
            return
        if (name != "path" or self._django) and _gets(call):
            self._add(module, module.name if name in ("path", "Route") else "", text, call)

    def _included_by(self, module: Module, prefix: str, view: Sequence[ast.expr]) -> bool:
        """Record Django's ``path("api/", include("shop.urls"))``; anything else is a route."""
        call = view[0] if view else None
        if not isinstance(call, ast.Call) or not call.args:
            return False
        if module.resolve(call.func).rpartition(".")[2] != "include":
            return False
        target = _text(call.args[0]) or self._origin(module.resolve(call.args[0]))
        self._included.setdefault(target, []).append((module.name, prefix))
        return True

    def _origin(self, name: str) -> str:
        for _ in range(_DEEPEST):
            if name in self._prefixes or name not in self._aliases:
                return name
            name = self._aliases[name]
        return name

    def _add(self, module: Module, owner: str, path: str, call: ast.Call) -> None:
        if not re.search(r"[<{*?]", path):
            self._routes.append(_Route(owner, path, Place(module.path, call.lineno)))


def _text(expression: ast.expr | None) -> str | None:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return expression.value
    return None


def _gets(call: ast.Call) -> bool:
    """Say whether the route answers GET, which is what frameworks assume without ``methods``."""
    methods = keyword(call, "methods")
    if not isinstance(methods, ast.List | ast.Tuple | ast.Set):
        return True
    return any((_text(one) or "").upper() == "GET" for one in methods.elts)
