# SPDX-License-Identifier: Apache-2.0
"""How a project is started that does not say so: which server serves what was found in its code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from wheelship.errors import InputError
from wheelship.request.detect import Application, find_applications, likelihood
from wheelship.request.model import Project
from wheelship.request.requirement import requirement_name
from wheelship.request.table import quoted

__all__ = ["SERVERS", "NoCommand", "Start", "command_line", "default_start", "possible_starts"]

_ASGI = ("uvicorn", "hypercorn", "granian")
_WSGI = ("gunicorn", "waitress", "granian")
SERVERS: Mapping[str, tuple[str, ...]] = {
    "FastAPI": _ASGI,
    "Litestar": _ASGI,
    "Quart": ("hypercorn", "uvicorn", "granian"),
    "Starlette": _ASGI,
    "Flask": (*_WSGI, "flask"),
    "Django (ASGI)": _ASGI,
    "Django (WSGI)": _WSGI,
    "Gradio": ("gradio",),
    "Streamlit": ("streamlit",),
}
"""Framework → the packages that can serve it, the best first."""

_BRINGS = {"gradio": "uvicorn", "litestar[standard]": "uvicorn"}
_BRINGS |= {f"fastapi[{extra}]": "uvicorn" for extra in ("standard", "all")}
_USUAL_PORTS = {"Gradio": 7860, "Streamlit": 8501}
_DEFAULT_PORT = 8000
_ANY = "0.0.0.0"  # noqa: S104 - inside a container, "all interfaces" is its own
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoCommand(InputError):
    """There is no command, and none can be told from the code."""

    code = "no-command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One way to start the project.

    Attributes:
        command: argument vector.
        port: where it will listen; None for a console script, which need not listen at all.
        env: variables that make it listen there.
        server: the package that serves, or the console script's name.
        application: what it serves; None for a console script.
        warnings: what will not work as it stands, one clause each.
    """

    command: tuple[str, ...]
    server: str
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    application: Application | None = None
    warnings: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What was decided, in one sentence."""
        if self.application is None:
            what = f"the console script {self.server} is started"
        else:
            what = f"{self.server} starts {self.application}"
        return "; ".join([f"no command is given, so {what}", *self.warnings])


def default_start(
    project: Project,
    port: int | None,
    extras: Collection[str] = (),
    groups: Collection[str] = (),
) -> Start:
    """Return how to start the project, its application listening on ``port`` (None: the usual).

    Raises:
        NoCommand: nothing to start, several equally likely things, or no server for one.
        SourceError: a directory of the project cannot be listed.
    """
    applications = find_applications(project)
    starts = possible_starts(project, applications, port, extras, groups)
    if not starts:
        raise _nothing(project, applications, port or _DEFAULT_PORT)
    best = starts[0]
    rivals = [one for one in starts if _rank(one) == _rank(best)]
    if len(rivals) > 1:
        if best.application is None:
            found = f"console scripts ({', '.join(one.server for one in rivals)})"
        else:
            found = f"applications were found: {', '.join(str(one.application) for one in rivals)}"
        message = f"there is no command, and several {found}"
        raise NoCommand(message, hint=command_line(best.command))
    return best


def possible_starts(
    project: Project,
    applications: Collection[Application],
    port: int | None,
    extras: Collection[str] = (),
    groups: Collection[str] = (),
) -> list[Start]:
    """Return every way to start what can be served with the chosen dependencies, likeliest first.

    Console scripts come into it only where no application was found at all: a script beside an
    application is more often a tool of its developers.
    """
    available = set(_available(project, extras, groups))
    starts: list[Start] = []
    for application in applications:
        names = SERVERS[application.framework]
        server = next((name for name in names if name in available), None)
        if server is not None and (application.placed or server != "streamlit"):
            starts.append(_start(application, server, port))
    if not applications:
        starts = [
            Start(command=(name,), server=name, port=port) for name in sorted(project.scripts)
        ]
    return starts


def command_line(command: Collection[str]) -> str:
    """Return the line of the table that sets ``command``."""
    return f"command = [{', '.join(map(quoted, command))}]"


def _rank(start: Start) -> tuple[int, ...]:
    return () if start.application is None else likelihood(start.application)


def _available(project: Project, extras: Collection[str], groups: Collection[str]) -> Iterator[str]:
    """Yield the names of the direct dependencies, and of the servers these are known to bring."""
    chosen = [*project.dependencies]
    for name in extras:
        chosen += project.extras.get(name, ())
    for name in groups:
        chosen += project.groups.get(name, ())
    for requirement in chosen:
        name = requirement_name(requirement)
        wanted = requirement.partition(";")[0].partition("[")[2].partition("]")[0]
        spellings = [name, *(f"{name}[{extra.strip()}]" for extra in wanted.split(","))]
        yield name
        yield from (_BRINGS[one] for one in spellings if one in _BRINGS)


def _start(application: Application, server: str, port: int | None) -> Start:
    number = application.port or port or _USUAL_PORTS.get(application.framework, _DEFAULT_PORT)
    env: dict[str, str] = {}
    if server == "gradio":
        env = {"GRADIO_SERVER_NAME": _ANY, "GRADIO_SERVER_PORT": str(number)}
    return Start(
        command=_serve(server, application, number),
        server=server,
        port=number,
        env=env,
        application=application,
        warnings=tuple(_warnings(application, server, port)),
    )


def _warnings(application: Application, server: str, port: int | None) -> Iterator[str]:
    if server == "flask":
        yield "its server is meant for development: better add gunicorn to the dependencies"
    if application.listens in _LOOPBACK:
        yield f"nobody outside can reach it while the code says {application.listens!r}"
    if port is not None and application.port not in (None, port):
        yield f"the code insists on port {application.port}, not {port}"


def _serve(server: str, application: Application, port: int) -> tuple[str, ...]:
    target, factory = application.target, application.kind == "factory"
    here = ("--host", _ANY, "--port", str(port))
    match server:
        case "gradio" | "streamlit":
            return _run(application, port)
        case "uvicorn":
            return ("uvicorn", target, *(("--factory",) if factory else ()), *here)
        case "granian":
            interface = "wsgi" if application.framework in ("Flask", "Django (WSGI)") else "asgi"
            flags = ("--factory",) if factory else ()
            return ("granian", "--interface", interface, *flags, *here, target)
        case "waitress":
            flags = ("--call",) if factory else ()
            return ("waitress-serve", f"--listen={_ANY}:{port}", *flags, target)
        case "flask":
            return ("flask", "--app", target, "run", *here)
        case _:
            return (server, "--bind", f"{_ANY}:{port}", f"{target}()" if factory else target)


def _run(script: Application, port: int) -> tuple[str, ...]:
    if script.framework == "Gradio":
        return _interruptible(script)
    options = ("--server.headless", "true", "--server.address", _ANY, "--server.port", str(port))
    return ("streamlit", "run", script.path, *options)


def _interruptible(script: Application) -> tuple[str, ...]:
    """Return the command for a script that SIGTERM ends as Ctrl-C would.

    The kernel keeps SIGTERM from the first process of a container unless that handles it, and
    Python does not: Gradio, which tidies up on Ctrl-C, would be killed after ten seconds.
    """
    code = "import runpy, signal, sys; signal.signal(signal.SIGTERM, signal.default_int_handler); "
    if not script.placed:
        run = f"runpy.run_module({script.module!r}, run_name='__main__', alter_sys=True)"
        return ("python", "-c", code + run)
    folder = script.path.rpartition("/")[0]
    if folder:  # as for any script, its neighbours can be imported
        code += f"sys.path.insert(0, {folder!r}); "
    return ("python", "-c", f"{code}runpy.run_path({script.path!r}, run_name='__main__')")


def _nothing(project: Project, applications: Collection[Application], port: int) -> NoCommand:
    if applications:
        first = next(iter(applications))
        if (below := _project_below(project.root, first.path)) is not None:
            return NoCommand(
                f"there is no command here, but {below} is a project of its own, with {first}",
                hint=f"run wheelship in {below}",
            )
        server = SERVERS[first.framework][0]
        place = _bringing(project, server)
        hint = f'add "{server}" to the dependencies'
        return NoCommand(
            f"there is no command, and no dependency that could serve {first}",
            hint=place or hint,
        )
    message = "there is no command, and no web application was found in the code"
    return NoCommand(message, hint=command_line(_example(project, port)))


def _project_below(root: Path, path: str) -> str | None:
    """Return the directory of the project below ``root`` that a file is of, as in monorepos."""
    folders = (folder for folder in PurePosixPath(path).parents if folder.name)
    below = (one for one in folders if (root / one / "pyproject.toml").is_file())
    return next((str(one) for one in below), None)


def _bringing(project: Project, server: str) -> str | None:
    """Return the line that chooses the extra or group which has ``server``, if one has."""
    for key, named in (("extras", project.extras), ("groups", project.groups)):
        for name, requirements in named.items():
            if server in map(requirement_name, requirements):
                return f"{key} = [{quoted(name)}]"
    return None


def _example(project: Project, port: int) -> tuple[str, ...]:
    """Return the command that most likely only needs a name corrected."""
    names = {requirement_name(requirement) for requirement in project.dependencies}
    if "streamlit" in names:
        options = ("--server.address", _ANY, "--server.port", str(port))
        return ("streamlit", "run", "app.py", *options)
    if "gradio" in names:
        return ("python", "app.py")
    return ("uvicorn", "package.module:app", "--host", _ANY, "--port", str(port))
