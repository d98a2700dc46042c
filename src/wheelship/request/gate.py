# SPDX-License-Identifier: Apache-2.0
"""The parts of the wheelship table that judge an image: probe, check, budget, waivers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, cast

from wheelship.oci.platform import InvalidPlatform, Platform
from wheelship.request.errors import InvalidValue
from wheelship.request.model import Budget, CheckRequest, Json, Waiver
from wheelship.request.table import Table
from wheelship.request.value import parse_duration, parse_relative, parse_size

__all__ = ["URL_PATH", "Probe", "read_budget", "read_check", "read_health", "read_waivers"]

URL_PATH = re.compile(r"/[!-~]*")
"""A path as it stands in a request."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class Probe(TypedDict, total=False):
    """The fields of :class:`Health` that the table gives; the port is the variant's."""

    path: str
    interval_seconds: float
    timeout_seconds: float
    start_period_seconds: float
    retries: int


def read_health(table: Table) -> Probe | None:
    """Read ``health``: the path alone, or a table with the probe's timing."""
    value = table.data.get("health")
    if value is None:
        return None
    if isinstance(value, str):
        path = table.parsed("health", _url_path)
        return None if path is None else Probe(path=path)
    inner = table.table("health")
    if inner is None:
        return None
    inner.only({"path", "interval", "timeout", "start-period", "retries"})
    if "path" not in inner:
        inner.report(None, "names no path", hint='health = { path = "/healthz" }')
    given = {
        "path": inner.parsed("path", _url_path),
        "interval_seconds": inner.parsed("interval", parse_duration),
        "timeout_seconds": inner.parsed("timeout", parse_duration),
        "start_period_seconds": inner.parsed("start-period", parse_duration),
        "retries": inner.integer("retries", low=1, high=100),
    }
    # Without a path there is a finding, so the probe is never used.
    probe = {"path": "/"} | {key: value for key, value in given.items() if value is not None}
    return cast("Probe", probe)


def read_check(table: Table, root: Path) -> tuple[tuple[str, ...] | None, CheckRequest | None]:
    """Read ``check``: extra imports and one request with its answer; None for what is absent."""
    inner = table.table("check")
    if inner is None:
        return None, None
    inner.only({"imports", "request"})
    request = inner.table("request")
    return (
        inner.each("imports", _module),
        None if request is None else _read_request(request, root),
    )


def read_budget(table: Table) -> Budget | None:
    """Read ``budget``: the transfer size alone, or a table of limits.

    In the table a platform's name leads to limits of its own, in the same two forms.
    """
    if "budget" not in table:
        return None
    return _budget(table, "budget", per_platform=True)


def _budget(table: Table, key: str, *, per_platform: bool) -> Budget:
    if not isinstance(table.data[key], dict):
        return Budget(transfer_bytes=table.size(key, parse_size))
    inner = table.descend(key)
    named = [one for one in inner.data if per_platform and "/" in one]
    inner.only({"transfer", "unpacked", "layers", *named})
    platforms: dict[Platform, Budget] = {}
    for name in named:
        try:
            platform = Platform.parse(name)
        except InvalidPlatform as error:
            inner.report(name, error.message, hint=error.hint)
            continue
        if platform in platforms:
            inner.report(name, f"gives limits for {platform} once more", hint="remove one of them")
        platforms[platform] = _budget(inner, name, per_platform=False)
    return Budget(
        transfer_bytes=inner.size("transfer", parse_size),
        unpacked_bytes=inner.size("unpacked", parse_size),
        layers=inner.integer("layers", low=1, high=127),
        platforms=tuple(sorted(platforms.items(), key=lambda row: row[0])),
    )


def read_waivers(
    table: Table, key: str, parse_package: Callable[[str], str], *, version_needed: bool
) -> tuple[Waiver, ...] | None:
    """Read a list of ``{ package, version, reason }``."""
    items = table.tables(key)
    if items is None:
        return None
    waivers: list[Waiver] = []
    for item in items:
        item.only({"package", "version", "reason"})
        needed = ("package", "version", "reason") if version_needed else ("package", "reason")
        missing = [name for name in needed if name not in item]
        if missing:
            hint = f'{key} = [{{ package = "…", version = "…", reason = "…" }}]'
            table.report(key, f"an entry has no {' and no '.join(missing)}", hint=hint)
        package, reason = item.parsed("package", parse_package), item.text("reason")
        version = item.text("version")
        if package is not None and reason is not None:
            waivers.append(Waiver(package=package, version=version, reason=reason))
    return tuple(waivers)


def _read_request(table: Table, root: Path) -> CheckRequest:
    table.only({"path", "method", "status", "file", "field", "json", "expect"})
    if "path" not in table:
        table.report(None, "names no path", hint='path = "/v1/predict"')
    file = table.parsed("file", lambda text: _existing(text, root))
    if "file" in table and "json" in table:
        table.report("json", "a request sends a file or JSON, not both", hint="remove one of them")
    if "field" in table and "file" not in table:
        table.report("field", "names the form field of a file, but there is no file")
    has_body = "file" in table or "json" in table
    method = table.choice("method", _METHODS) or ("POST" if has_body else "GET")
    if has_body and method in ("GET", "HEAD"):
        table.report("method", f"a {method} request has no body", hint='method = "POST"')
    return CheckRequest(
        path=table.parsed("path", _url_path) or "/",
        method=method,
        status=table.integer("status", low=100, high=599) or 200,
        file=file,
        field=table.text("field") or "file",
        json=_json(table, "json"),
        expect=_json(table, "expect"),
    )


def _json(table: Table, key: str) -> Json:
    """Return the value of ``key``, which TOML allows more kinds of than JSON."""
    value = table.data.get(key)
    if not _is_json(value):
        table.report(key, "holds a date, a time or a number that JSON cannot write")
        return None
    return cast("Json", value)


def _is_json(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    return value is None or isinstance(value, bool | int | str)


def _existing(text: str, root: Path) -> str:
    path = parse_relative(text)
    if not (root / path).is_file():
        raise InvalidValue(f"there is no file {text!r} in the project")
    return path


def _url_path(text: str) -> str:
    if not URL_PATH.fullmatch(text):
        raise InvalidValue(f"{text!r} is no path of a URL", hint='write it like "/healthz"')
    return text


def _module(text: str) -> str:
    if not _MODULE.fullmatch(text):
        raise InvalidValue(f"{text!r} is no module name", hint='write it like "package.module"')
    return text
