# SPDX-License-Identifier: Apache-2.0
"""The default command of a project that names none: its web application, found by reading it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wheelship.errors import InputError
from wheelship.request.ignore import is_never_shipped
from wheelship.request.layout import find_layout
from wheelship.request.model import Project
from wheelship.request.requirement import requirement_name
from wheelship.request.table import quoted

__all__ = ["Application", "NoCommand", "default_command", "find_applications"]

_MAKERS = {
    "fastapi.FastAPI": "FastAPI",
    "starlette.applications.Starlette": "Starlette",
    "flask.Flask": "Flask",
    "django.core.asgi.get_asgi_application": "Django (ASGI)",
    "django.core.wsgi.get_wsgi_application": "Django (WSGI)",
}
_MAKER_NAMES = tuple({maker.rpartition(".")[2].encode() for maker in _MAKERS})
_SERVERS = {
    "FastAPI": ("uvicorn", "hypercorn"),
    "Starlette": ("uvicorn", "hypercorn"),
    "Flask": ("gunicorn", "waitress", "flask"),
    "Django (ASGI)": ("uvicorn", "hypercorn"),
    "Django (WSGI)": ("gunicorn", "waitress"),
}
_USUAL_MODULES = ("app", "main", "asgi", "wsgi", "server", "api")
_ANY = "0.0.0.0"  # noqa: S104 - inside a container, "all interfaces" is its own
_LARGEST_MODULE_BYTES = 1_000_000


class NoCommand(InputError):
    """There is no command, and none can be told from the code."""

    code = "no-command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A web application object at the top level of a module."""

    framework: str
    module: str
    attribute: str
    path: str
    line: int

    @property
    def target(self) -> str:
        """The object as servers want it: ``module:attribute``."""
        return f"{self.module}:{self.attribute}"

    def __str__(self) -> str:
        return f"{self.framework} application {self.target} ({self.path}:{self.line})"


def default_command(project: Project, port: int) -> tuple[tuple[str, ...], str]:
    """Return the command that serves the project's application on ``port``, and a note on it.

    Raises:
        NoCommand: no application, several equally likely ones, or no server for it.
    """
    applications = sorted(find_applications(project), key=_likelihood)
    if not applications:
        message = "there is no command, and no web application was found in the code"
        raise NoCommand(message, hint=_line(_example(project, port)))
    servable = [(one, server) for one in applications if (server := _server(one, project))]
    if not servable:
        first = applications[0]
        raise NoCommand(
            f"there is no command, and no dependency that could serve {first}",
            hint=f'add "{_SERVERS[first.framework][0]}" to the dependencies',
        )
    best, server = servable[0]
    command = _serve(server, best.target, port)
    rivals = [one for one, _ in servable if _likelihood(one) == _likelihood(best)]
    if len(rivals) > 1:
        found = ", ".join(map(str, rivals))
        message = f"there is no command, and several applications were found: {found}"
        raise NoCommand(message, hint=_line(command))
    note = f"no command is given, so {server} starts {best}"
    if server == "flask":
        note += ", with a server meant for development: better add gunicorn to the dependencies"
    return command, note


def find_applications(project: Project) -> Iterator[Application]:
    """Yield the application objects in the project's modules; files that do not parse have none."""
    layout = find_layout(project)
    roots = {**layout.installed, **{name: name for name in layout.placed}}
    for start, name in sorted(roots.items()):
        for path in _modules(project.root / start):
            relative = path.relative_to(project.root).as_posix()
            if is_never_shipped(relative) or "tests" in relative.split("/"):
                continue
            module = name + relative.removeprefix(start)
            module = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            if all(part.isidentifier() for part in module.split(".")):
                yield from _applications(path, relative, module)


def _modules(start: Path) -> Iterator[Path]:
    if start.is_file():
        yield start
    else:
        yield from sorted(start.rglob("*.py"))


def _applications(path: Path, relative: str, module: str) -> Iterator[Application]:
    try:
        if path.stat().st_size > _LARGEST_MODULE_BYTES:
            return
        source = path.read_bytes()
        if not any(name in source for name in _MAKER_NAMES):
            return
        tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    known = _imported(tree)
    seen: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=attribute)], value=ast.Call(func=function)):
                pass
            case ast.AnnAssign(target=ast.Name(id=attribute), value=ast.Call(func=function)):
                pass
            case _:
                continue
        framework = _MAKERS.get(_dotted(function, known))
        if framework is not None and attribute not in seen:
            seen.add(attribute)
            yield Application(
                framework=framework,
                module=module,
                attribute=attribute,
                path=relative,
                line=statement.lineno,
            )


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return local name → what it was imported from."""
    known: dict[str, str] = {}
    for statement in tree.body:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    local = alias.asname or alias.name.partition(".")[0]
                    known[local] = alias.name if alias.asname else local
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for alias in names:
                    known[alias.asname or alias.name] = f"{module}.{alias.name}"
            case _:
                pass
    return known


def _dotted(function: ast.expr, known: dict[str, str]) -> str:
    match function:
        case ast.Name(id=name):
            return known.get(name, "")
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value, known)}.{attribute}"
        case _:
            return ""


def _likelihood(application: Application) -> tuple[int, int, int]:
    """Order applications: the usual names first, then those nearest to the top."""
    tail = application.module.rpartition(".")[2]
    usual = _USUAL_MODULES.index(tail) if tail in _USUAL_MODULES else len(_USUAL_MODULES)
    attribute = 0 if application.attribute in ("app", "application") else 1
    return attribute, usual, application.module.count(".")


def _server(application: Application, project: Project) -> str | None:
    """Return the first of the framework's servers among the direct dependencies."""
    available = set()
    for requirement in project.dependencies:
        name = requirement_name(requirement)
        available.add(name)
        extras = requirement.partition(";")[0].partition("[")[2].partition("]")[0]
        if name == "fastapi" and {"standard", "all"} & set(extras.replace(" ", "").split(",")):
            available.add("uvicorn")
    servers = _SERVERS[application.framework]
    return next((name for name in servers if name in available), None)


def _serve(server: str, target: str, port: int) -> tuple[str, ...]:
    if server == "uvicorn":
        return ("uvicorn", target, "--host", _ANY, "--port", str(port))
    if server == "waitress":
        return ("waitress-serve", f"--listen={_ANY}:{port}", target)
    if server == "flask":
        return ("flask", "--app", target, "run", "--host", _ANY, "--port", str(port))
    return (server, "--bind", f"{_ANY}:{port}", target)


def _example(project: Project, port: int) -> tuple[str, ...]:
    """Return the command that most likely only needs a name corrected."""
    names = {requirement_name(requirement) for requirement in project.dependencies}
    if "streamlit" in names:
        options = ("--server.address", _ANY, "--server.port", str(port))
        return ("streamlit", "run", "app.py", *options)
    if project.scripts:
        return (min(project.scripts),)
    if "gradio" in names:
        return ("python", "app.py")
    return _serve("uvicorn", "package.module:app", port)


def _line(command: tuple[str, ...]) -> str:
    return f"command = [{', '.join(map(quoted, command))}]"
