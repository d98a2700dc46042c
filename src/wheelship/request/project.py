# SPDX-License-Identifier: Apache-2.0
"""The project itself: ``[project]``, ``[dependency-groups]`` or ``requirements.txt``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from wheelship.errors import InputError
from wheelship.request.document import Document, Findings
from wheelship.request.dynamic import IRRELEVANT, dynamic_requirements, dynamic_version
from wheelship.request.errors import InvalidValue
from wheelship.request.group import check_requirements, read_extras, read_groups
from wheelship.request.model import Project
from wheelship.request.requirement import PYTHONS, allows
from wheelship.request.requirements_file import Requirements, read_requirements
from wheelship.request.table import Table
from wheelship.request.tool_uv import read_uv_settings
from wheelship.request.uv import UvSettings
from wheelship.request.value import canonical_name

__all__ = ["read_project"]

_REQUIREMENTS = "requirements.txt"
_PLAIN_FILE = re.compile(r"[\w./-]+", re.ASCII)
_OF_DEVELOPERS = re.compile(r"(?<![a-z])(?:dev|test|doc|lint|ci|build)")
_FINAL = re.compile(r"\d{1,9}(\.\d{1,9}){0,9}", re.ASCII)
_GROUP_NAME = re.compile(r"\w+(?:\.\w+)*", re.ASCII)
_ENTRY_NAME = re.compile(r"[^\s=\[](?:[^=]*[^\s=])?")
_SCRIPT_NAME = re.compile(r"[\w.-]+", re.ASCII)
_INTERPRETER = re.compile(
    r"(python|pythonw|pypy|graalpy)[\d.]*(-config)?|activate(\.\w+|_this\.py)?", re.IGNORECASE
)
_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_SCRIPT = re.compile(rf"({_DOTTED})\s*:\s*({_DOTTED})")
_OBJECT = re.compile(rf"({_DOTTED})(?:\s*:\s*({_DOTTED}))?")
_UV_LOCK = "uv.lock"


def read_project(
    root: Path, document: Document | None, findings: Findings, *, config_file: Path | None
) -> tuple[Project, Requirements]:
    """Read the project in ``root``; ``document`` is its ``pyproject.toml``, if there is one.

    The second value holds what its requirements files say about where packages come from.
    """
    whole = None if document is None else Table(document, (), document.data, findings)
    declared = None if whole is None else whole.table("project")
    if whole is not None and declared is not None:
        return _declared(root, whole, declared, config_file)
    files = Requirements()
    if (root / _REQUIREMENTS).is_file():
        files = read_requirements(root, _REQUIREMENTS, findings)
    elif config_file is None and (document is None or "project" not in document.data):
        _report_nothing(root, document, findings)
        findings.raise_if_any()  # what else is missing follows from it
    uv = UvSettings() if whole is None else read_uv_settings(root, whole)
    project = Project(
        root=root,
        name=_directory_name(root),
        version="0",
        requires_python=None,
        dependencies=tuple(files.requirements),
        constraints=(*uv.constraints, *files.constraints),
        extras={},
        groups={} if whole is None else read_groups(whole),
        scripts={},
        config_file=config_file,
        declared=False,
        # Sources are for the requirements of a [project] table; uv ignores them without one.
        uv=replace(uv, sources=()),
        hashes=files.allowed_files(),
    )
    return project, files


def _declared(
    root: Path, whole: Table, table: Table, config_file: Path | None
) -> tuple[Project, Requirements]:
    dynamic = _dynamic(table)
    files = Requirements()
    if "dependencies" in dynamic:
        files = dynamic_requirements(root, whole, table.findings) or _unread(table, "dependencies")
    name = table.parsed("name", canonical_name)
    if name is None and "name" not in table:
        table.report(None, "has no name", hint='name = "my-service"')
    if "gui-scripts" in table:
        table.report("gui-scripts", "not supported yet", hint="use [project.scripts]")
    uv = read_uv_settings(root, whole)
    project = Project(
        root=root,
        name=name or _directory_name(root),
        version=_version(root, whole, table, dynamic),
        requires_python=_requires_python(table),
        dependencies=(*check_requirements(table, "dependencies"), *files.requirements),
        constraints=(*uv.constraints, *files.constraints),
        extras=read_extras(table),
        groups=read_groups(whole),
        scripts=_objects(table, "scripts", _SCRIPT, _check_script_name),
        entry_points=_entry_points(table),
        config_file=config_file,
        uv=uv,
        uv_lock=_digest(root / _UV_LOCK, table.findings),
        hashes=files.allowed_files(),
    )
    return project, files


def _dynamic(table: Table) -> frozenset[str]:
    dynamic = frozenset(table.texts("dynamic") or ())
    for name in sorted(dynamic - IRRELEVANT):
        table.report(
            "dynamic", f"{name!r} is made by the build backend, which is not supported yet"
        )
    return dynamic


def _unread(table: Table, name: str) -> Requirements:
    hint = f"write {name} into [project] and take it out of dynamic"
    table.report("dynamic", f"{name!r} is made by the build backend, which is not asked", hint=hint)
    return Requirements()


def _version(root: Path, whole: Table, table: Table, dynamic: frozenset[str]) -> str:
    if "version" in dynamic:
        found = dynamic_version(root, whole)
        if found is None:
            _unread(table, "version")
        return found or "0"
    version = table.parsed("version", _check_version)
    if version is None and "version" not in table:
        table.report(None, "has neither a version nor a dynamic one", hint='version = "0.1.0"')
    return version or "0"


def _check_version(text: str) -> str:
    if not _FINAL.fullmatch(text):
        from packaging.version import InvalidVersion, Version

        try:
            Version(text)
        except InvalidVersion as error:
            raise InvalidValue(f"{text!r} is no version (PEP 440)", hint='"1.0.0"') from error
    return text


def _requires_python(table: Table) -> str | None:
    text = table.text("requires-python")
    try:
        allows(text, next(iter(PYTHONS)))
    except InputError as error:
        table.report("requires-python", error.message, hint=error.hint)
        return None
    return text


def _entry_points(table: Table) -> dict[str, dict[str, str]]:
    groups = table.table("entry-points")
    if groups is None:
        return {}
    for reserved in ("console_scripts", "gui_scripts"):
        if reserved in groups:
            groups.report(reserved, "does not belong here", hint="use [project.scripts]")
    for group in groups.data:
        if not _GROUP_NAME.fullmatch(group):
            groups.report(group, "is no name for a group of entry points")
    return {group: _objects(groups, group, _OBJECT, _check_entry_name) for group in groups.data}


def _objects(
    table: Table,
    key: str,
    shape: re.Pattern[str],
    check_name: Callable[[str], None],
) -> dict[str, str]:
    """Return name → ``module:attribute`` without blanks (entry points specification)."""
    inner = table.table(key)
    if inner is None:
        return {}
    found: dict[str, str] = {}
    for name, target in (table.strings(key) or {}).items():
        match = shape.fullmatch(target.strip())
        if match is None:
            inner.report(
                name, f"{target!r} names no object", hint=f'{name} = "package.module:main"'
            )
            continue
        try:
            check_name(name)
        except InputError as error:
            inner.report(name, error.message, hint=error.hint)
            continue
        found[name] = ":".join(part for part in match.groups() if part)
    return found


def _check_script_name(name: str) -> None:
    """Refuse names that leave ``bin`` or replace the interpreter (GHSA-4gg8-gxpx-9rph)."""
    if not _SCRIPT_NAME.fullmatch(name) or name in (".", "..") or name.startswith(".wh."):
        raise InvalidValue("is no name for a script", hint="letters, digits, '.', '_' and '-'")
    if _INTERPRETER.fullmatch(name):
        raise InvalidValue("would replace the environment's own file", hint="choose another name")


def _check_entry_name(name: str) -> None:
    if not _ENTRY_NAME.fullmatch(name) or not name.isprintable():
        raise InvalidValue("is no name for an entry point", hint="no '=' and no '[' at its start")


def _digest(path: Path, findings: Findings) -> str:
    """Return the SHA-256 of a file's content; empty when there is no such file."""
    from hashlib import sha256

    try:
        return sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        findings.add(path.name, f"cannot be read: {error.strerror}")
        return ""


def _report_nothing(root: Path, document: Document | None, findings: Findings) -> None:
    others = [
        name
        for name in ("setup.py", "setup.cfg", "Pipfile", "environment.yml")
        if (root / name).is_file()
    ]
    if document is not None:
        message = "has no [project] table, and there is no requirements.txt"
        hint = '[project]\nname = "…"\nversion = "…"\ndependencies = []'
        tool = document.data.get("tool")
        if isinstance(tool, dict) and "poetry" in tool:
            message += "; the dependencies of [tool.poetry] are not read"
            hint = f"poetry export --output requirements.txt\nor, which Poetry 2 reads too:\n{hint}"
        findings.add(document.name, message, hint=hint)
        return
    message = "no pyproject.toml, wheelship.toml or requirements.txt here"
    if others:
        message += f" ({', '.join(others)} cannot be read)"
    hint = "run wheelship in the project's directory, or write its packages into requirements.txt"
    named = next(_other_requirements(root), None)
    if named is not None:
        message = f"no pyproject.toml, wheelship.toml or requirements.txt here, but {named}"
        hint = f"echo '-r {named}' > requirements.txt"
    findings.add(str(root), message, hint=hint)


def _other_requirements(root: Path) -> Iterator[str]:
    """Yield requirements files of other names that do not look like those of developers."""
    for path in (*sorted(root.glob("requirements*.txt")), *sorted(root.glob("requirements/*.txt"))):
        name = path.relative_to(root).as_posix()
        if path.is_file() and _PLAIN_FILE.fullmatch(name) and not _OF_DEVELOPERS.search(name):
            yield name


def _directory_name(root: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", root.name).strip("-").lower()
    return name or "app"
