# SPDX-License-Identifier: Apache-2.0
"""Looks at everything: one :class:`Discovery` from the files of one project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wheelship.discover.accelerator import find_variants, unused_bases
from wheelship.discover.dockerfile import read_dockerfiles
from wheelship.discover.environment import find_env, find_stop_signal, find_writable
from wheelship.discover.health import find_health
from wheelship.discover.model import Discovery, Found, Place
from wheelship.discover.packages import system_packages
from wheelship.discover.port import find_ports
from wheelship.discover.runtime import find_runtime
from wheelship.request.code import read_modules
from wheelship.request.detect import Application, find_applications, likelihood
from wheelship.request.document import Findings, load
from wheelship.request.model import Project
from wheelship.request.project import read_project
from wheelship.request.start import SERVERS, Start, possible_starts

__all__ = ["discover"]

_LOWEST_PORT = 1024
_FOR_DEVELOPERS = frozenset({"dev", "develop", "docs", "doc", "lint", "test", "tests", "typing"})


def discover(root: Path) -> Discovery:
    """Find out how to ship the project in the directory ``root``.

    Raises:
        ConfigurationError: the project's own files cannot be read as a project.
        SourceError: a directory of the project cannot be listed.
    """
    root = root.resolve()
    findings = Findings()
    document = load(root, "pyproject.toml", findings)
    findings.raise_if_any()
    project, _ = read_project(root, document, findings, config_file=None)
    findings.raise_if_any()
    dockerfiles = read_dockerfiles(root)
    main = next(iter(dockerfiles), None)
    modules = list(read_modules(project))
    applications = find_applications(project)
    extras, groups = _bringing_a_server(project, applications)
    ports = find_ports(root, main, modules)
    usable = [one for one in ports if one.value >= _LOWEST_PORT]
    chosen = (extras.value if extras else (), groups.value if groups else ())
    port = usable[0].value if usable else None
    starts = possible_starts(project, applications, port, *chosen)
    start = next(iter(starts), None)
    ports, remarks = _ports(start, usable, ports)
    runtime, about_python = find_runtime(root, project, main)
    kept, dropped = system_packages(main)
    env, about_env = find_env(main)
    writable, about_files = find_writable(main, modules)
    served = None if start is None else start.application
    variants = find_variants(
        root, project, dockerfiles, _uv({} if document is None else document.data), modules
    )
    return Discovery(
        project=project,
        starts=tuple(starts),
        rivals=_rivals(starts),
        ports=ports,
        health=find_health(served, main, modules),
        runtime=runtime,
        extras=extras,
        groups=groups,
        variants=variants,
        system_packages=kept,
        dropped_packages=dropped,
        env=env,
        stop_signal=find_stop_signal(main),
        writable=writable,
        remarks=(
            *_warnings(start),
            *remarks,
            *about_python,
            *unused_bases(variants, dockerfiles),
            *about_env,
            *about_files,
        ),
    )


def _uv(data: Mapping[str, object]) -> Mapping[str, object]:
    tool = data.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return uv if isinstance(uv, dict) else {}


def _rivals(starts: Sequence[Start]) -> int:
    ranks = [likelihood(one.application) if one.application else () for one in starts]
    return ranks.count(ranks[0]) if ranks else 0


def _bringing_a_server(
    project: Project, applications: Sequence[Application]
) -> tuple[Found[tuple[str, ...]] | None, Found[tuple[str, ...]] | None]:
    """Return the extra or the group to choose because it brings a better server.

    Many projects keep gunicorn out of their dependencies: who imports them needs it not.
    """
    if not applications:
        return None, None
    servers = SERVERS[applications[0].framework]

    def best(extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> int:
        starts = possible_starts(project, applications[:1], None, extras, groups)
        return servers.index(starts[0].server) if starts else len(servers)

    now = best()
    offers = [(best(extras=(name,)), 0, name) for name in sorted(project.extras)]
    offers += [(best(groups=(name,)), 1, name) for name in sorted(project.groups)]
    better = [one for one in offers if one[0] < now and one[2] not in _FOR_DEVELOPERS]
    if not better:
        return None, None
    rank, is_group, name = min(better)
    found: Found[tuple[str, ...]] = Found(
        value=(name,), why=f"brings {servers[rank]}", place=Place("pyproject.toml")
    )
    return (None, found) if is_group else (found, None)


def _ports(
    start: Start | None, usable: Sequence[Found[int]], ports: Sequence[Found[int]]
) -> tuple[tuple[Found[int], ...], list[Found[str]]]:
    """Return the ports for ``start``, and a remark on those an ordinary user cannot have."""
    remarks = [
        Found(
            value=str(one.value),
            why=f"port {one.value} is for root: publish it outside (docker run --publish "
            f"{one.value}:{start.port or _LOWEST_PORT})",
            place=one.place,
        )
        for one in ports
        if one.value < _LOWEST_PORT and start is not None and start.port is not None
    ]
    application = None if start is None else start.application
    if application is not None and application.port is not None:
        place = Place(application.path, application.line)
        return (Found(value=application.port, why="the code insists on it", place=place),), remarks
    return tuple(usable), remarks


def _warnings(start: Start | None) -> list[Found[str]]:
    if start is None or start.application is None:
        return []
    place = Place(start.application.path, start.application.line)
    return [Found(value=start.server, why=text, place=place) for text in start.warnings]
