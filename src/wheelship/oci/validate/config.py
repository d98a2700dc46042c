# SPDX-License-Identifier: Apache-2.0
"""Checks an image configuration (image-spec, config.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["problems_of_config"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PORT = re.compile(r"\d{1,5}(?:/(?:tcp|udp))?")
_VARIABLE = re.compile(r"[^=]+=.*", re.DOTALL)


def problems_of_config(where: str, config: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a configuration.

    Raises:
        KeyError, TypeError, AttributeError: a required field is missing or of another type.
    """
    for key in ("architecture", "os"):
        if not isinstance(config[key], str) or not config[key]:
            yield f"{where} has no {key}"
    rootfs = config["rootfs"]
    if rootfs.get("type") != "layers":
        yield f"{where} has a rootfs of the type {rootfs.get('type')!r}"
    for diff_id in rootfs["diff_ids"]:
        if not isinstance(diff_id, str) or not _DIGEST.fullmatch(diff_id):
            yield f"{where} has the diff_id {diff_id!r}, which is none"
    created = [config.get("created"), *(row.get("created") for row in config.get("history", ()))]
    for moment in created:
        if moment is not None and not (isinstance(moment, str) and _TIME.fullmatch(moment)):
            yield f"{where} was created at {moment!r}, which is no time"
    yield from _run(where, config.get("config") or {})


def _run(where: str, run: dict[str, Any]) -> Iterator[str]:
    yield from _environment(where, run.get("Env") or [])
    for key in ("Entrypoint", "Cmd"):
        words = run.get(key) or []
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            yield f"{where} has a malformed {key}"
    for port in run.get("ExposedPorts") or {}:
        if not _PORT.fullmatch(port):
            yield f"{where} exposes {port!r}, which is no port"
    for path in [*(run.get("Volumes") or {}), run.get("WorkingDir") or "/"]:
        if not path.startswith("/"):
            yield f"{where} has the path {path!r}, which is not absolute"
    for key, value in (run.get("Labels") or {}).items():
        if not key or not isinstance(value, str):
            yield f"{where} has a malformed label {key!r}"


def _environment(where: str, variables: list[object]) -> Iterator[str]:
    names = []
    for variable in variables:
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            yield f"{where} has the variable {variable!r}, which is none"
        else:
            names.append(variable.partition("=")[0])
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where} has the variable {name} twice"
