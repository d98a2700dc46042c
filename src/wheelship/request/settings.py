# SPDX-License-Identifier: Apache-2.0
"""The wheelship table: what each key may hold (DESIGN §6), for the project and for one variant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from posixpath import join, normpath
from typing import TypedDict, cast

from wheelship.oci.platform import Platform
from wheelship.request.errors import InvalidValue
from wheelship.request.gate import Probe, read_budget, read_check, read_health, read_waivers
from wheelship.request.model import PUBLIC, Budget, CheckRequest, Waiver
from wheelship.request.requirement import BASE_PYTHONS
from wheelship.request.sdist import SdistRules, merge_sdist, read_sdist
from wheelship.request.table import Table, quoted
from wheelship.request.value import (
    canonical_name,
    parse_absolute,
    parse_base,
    parse_debian_name,
    parse_glob,
    parse_relative,
    parse_signal,
    parse_url,
    parse_user,
)

__all__ = ["COMMON_KEYS", "UNSUPPORTED", "Settings", "merge", "read_settings"]

UNSUPPORTED = {
    "commands": "start other commands with: wheelship run IMAGE -- COMMAND",
}
"""Keys that DESIGN §6 promises and this release does not read: refused, never ignored."""

COMMON_KEYS = frozenset(
    {
        "app",
        "base",
        "budget",
        "bytecode",
        "check",
        "codec",
        "command",
        "debian-mirror",
        "entrypoint",
        "env",
        "exclude",
        "extras",
        "find-links",
        "groups",
        "health",
        "index",
        "labels",
        "layers",
        "omit",
        "platforms",
        "port",
        "python",
        "requirements",
        "sdist",
        "slim",
        "stop-signal",
        "system-packages",
        "torch-index",
        "user",
        "waive-record",
        "waive-scripts",
        "workdir",
        "writable",
        *UNSUPPORTED,
    }
)
"""Keys that may stand in the project's table and in a variant's."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_MOST_LAYERS = 100  # Docker's overlay2 refuses the 126th; DESIGN §10 leaves room for derived images


class Settings(TypedDict):
    """The common keys of one table; None stands for a key that is absent."""

    keys: frozenset[str]
    platforms: tuple[Platform, ...] | None
    python: str | None
    base: str | None
    system_packages: tuple[str, ...] | None
    waive_scripts: tuple[Waiver, ...] | None
    waive_record: tuple[Waiver, ...] | None
    extras: tuple[str, ...] | None
    groups: tuple[str, ...] | None
    exclude_packages: tuple[str, ...] | None
    requirements: tuple[str, ...] | None
    omit: dict[str, tuple[str, ...]] | None
    find_links: tuple[Path, ...] | None
    indexes: tuple[str, ...] | None
    torch_index: str | None
    sdist: SdistRules | None
    debian_mirror: str | None
    app: tuple[tuple[str, ...], tuple[str, ...]] | None
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    env: dict[str, str] | None
    port: int | None
    stop_signal: str | None
    workdir: str | None
    user: tuple[int, int] | None
    writable: tuple[str, ...] | None
    labels: dict[str, str] | None
    health: Probe | None
    check_imports: tuple[str, ...] | None
    check_request: CheckRequest | None
    budget: Budget | None
    bytecode: str | None
    layers: int | None


def read_settings(table: Table, root: Path) -> Settings:
    """Read the common keys of ``table``; relative paths are resolved against ``root``."""
    _refuse_unsupported(table)
    imports, request = read_check(table, root)
    return Settings(
        keys=frozenset(table.data),
        platforms=_platforms(table),
        python=table.choice("python", BASE_PYTHONS),
        base=table.parsed("base", parse_base),
        system_packages=table.each("system-packages", parse_debian_name),
        waive_scripts=read_waivers(table, "waive-scripts", parse_debian_name, version_needed=False),
        waive_record=read_waivers(table, "waive-record", canonical_name, version_needed=True),
        extras=table.each("extras", canonical_name),
        groups=table.each("groups", canonical_name),
        exclude_packages=table.each("exclude", canonical_name),
        requirements=table.each("requirements", parse_relative),
        omit=_omit(table),
        find_links=table.each("find-links", lambda text: _directory(text, root)),
        indexes=_indexes(table),
        torch_index=table.parsed("torch-index", lambda text: _torch_index(text, root)),
        sdist=read_sdist(table),
        debian_mirror=table.parsed("debian-mirror", parse_url),
        app=_app(table),
        command=_arguments(table, "command"),
        entrypoint=_arguments(table, "entrypoint"),
        env=_env(table),
        port=table.integer("port", low=1, high=65535),
        stop_signal=table.parsed("stop-signal", parse_signal),
        workdir=table.parsed("workdir", parse_absolute),
        user=table.parsed("user", parse_user),
        writable=table.each("writable", parse_absolute),
        labels=_labels(table),
        health=read_health(table),
        check_imports=imports,
        check_request=request,
        budget=read_budget(table),
        bytecode=_bytecode(table),
        layers=table.integer("layers", low=1, high=_MOST_LAYERS),
    )


def merge(project: Settings, variant: Settings) -> Settings:
    """Return the settings of a variant: its own keys win.

    ``env``, ``omit``, ``labels``, ``check`` and ``sdist`` are merged by key.
    """
    own = {key: value for key, value in variant.items() if value is not None}
    merged = {**project, **own, "keys": project["keys"] | variant["keys"]}
    merged["sdist"] = merge_sdist(project["sdist"], variant["sdist"])
    for key in ("env", "omit", "labels"):
        tables = cast("list[Mapping[str, object] | None]", [project[key], variant[key]])
        merged[key] = {name: value for one in tables for name, value in (one or {}).items()}
    return cast("Settings", merged)


def _refuse_unsupported(table: Table) -> None:
    for key, hint in UNSUPPORTED.items():
        if key in table:
            table.report(key, "is not supported yet", hint=hint)
    for key, only in (("slim", "none"), ("codec", "splice")):
        value = table.text(key)
        if value is not None and value != only:
            table.report(key, f"{value!r} is not supported yet", hint=f'{key} = "{only}"')


def _platforms(table: Table) -> tuple[Platform, ...] | None:
    platforms = table.each("platforms", Platform.parse)
    if platforms == ():
        table.report("platforms", "must name at least one platform", hint='["linux/amd64"]')
    return None if platforms is None else tuple(dict.fromkeys(platforms))


def _bytecode(table: Table) -> str | None:
    bytecode = table.choice("bytecode", ("all", "imported", "none"))
    if bytecode == "imported":
        hint = 'bytecode = "all"'
        table.report("bytecode", "'imported' is not supported yet", hint=hint)
    return bytecode


def _indexes(table: Table) -> tuple[str, ...] | None:
    """Read ``index``: one address or a list, the main index first."""
    if isinstance(table.data.get("index"), list):
        return table.each("index", parse_url)
    index = table.parsed("index", parse_url)
    return None if index is None else (index,)


def _app(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    app = table.table("app")
    if app is None:
        return None
    app.only({"include", "exclude", "mode"})
    mode = app.choice("mode", ("source", "wheel"))
    if mode == "wheel":
        hint = "build it (uv build) and name the wheel's directory in find-links"
        app.report("mode", "'wheel' is not supported yet", hint=hint)
    return app.each("include", parse_glob) or (), app.each("exclude", parse_glob) or ()


def _arguments(table: Table, key: str) -> tuple[str, ...] | None:
    value = table.data.get(key)
    if isinstance(value, str) and value.strip():
        from shlex import split

        try:
            words = split(value)
        except ValueError:  # an open quotation mark
            words = value.split()
        hint = f"{key} = [{', '.join(map(quoted, words))}]"
        table.report(key, "must be a list: no shell splits it inside the image", hint=hint)
        return None
    arguments = table.texts(key)
    if arguments == ():
        table.report(key, "must not be empty")
    return arguments


def _env(table: Table) -> dict[str, str] | None:
    variables = table.strings("env")
    inner = table.table("env") if variables else None
    for name in variables or ():
        if inner is not None and not _VARIABLE.fullmatch(name):
            inner.report(name, "is no name for an environment variable")
    return variables


def _labels(table: Table) -> dict[str, str] | None:
    labels = table.strings("labels")
    inner = table.table("labels") if labels else None
    for name in labels or ():
        if inner is not None and (not name.isprintable() or name.strip() != name or not name):
            inner.report(name, "is no name for a label", hint='"org.example.team" = "speech"')
    return labels


def _omit(table: Table) -> dict[str, tuple[str, ...]] | None:
    inner = table.table("omit")
    if inner is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for key in inner.data:
        globs = inner.each(key, parse_glob)
        try:
            name = canonical_name(key)
        except InvalidValue as error:
            inner.report(key, error.message, hint=error.hint)
            continue
        if name in found:
            inner.report(key, f"is a second spelling of {name!r}", hint="keep one of them")
        found[name] = globs or ()
    return found


def _directory(text: str, root: Path) -> Path:
    if "://" in text:
        raise InvalidValue(
            "only local directories are supported here", hint="name an index with the key index"
        )
    path = Path(normpath(join(root, text)))
    if path.exists() and not path.is_dir():
        raise InvalidValue(f"{text!r} is not a directory", hint="name the directory of the wheels")
    return path


def _torch_index(text: str, root: Path) -> str:
    if text == PUBLIC:  # a directory of that name is "./public"
        return text
    return parse_url(text) if "://" in text else str(_directory(text, root))
