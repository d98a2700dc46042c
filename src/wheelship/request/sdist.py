# SPDX-License-Identifier: Apache-2.0
"""The key ``sdist``: how packages are built that have no wheel, or that none is to be built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from wheelship.request.errors import InvalidValue
from wheelship.request.model import BuildRule
from wheelship.request.requirement import check_requirement
from wheelship.request.table import Table
from wheelship.request.value import canonical_name

__all__ = ["SdistRules", "merge_sdist", "read_sdist", "rules_of"]

SdistRules: TypeAlias = Mapping[str, BuildRule] | Literal["none"]
"""Rules by normalised name, or that nothing may be built."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_EXAMPLE = '[tool.wheelship.sdist.openai-whisper]\nrequires = ["setuptools<81"]'
_FIXED = {
    "HOME": "the build has a home of its own",
    "PYTHONHASHSEED": "equal sources are to give equal wheels",
    "SOURCE_DATE_EPOCH": "equal sources are to give equal wheels",
    "TMPDIR": "the build has a directory of its own",
}


def read_sdist(table: Table) -> SdistRules | None:
    """Read ``sdist``: ``false``, or a table with one table per package."""
    value = table.data.get("sdist")
    if value is None:
        return None
    if value is False:
        return "none"
    if value is True:
        table.report("sdist", "is true without being said", hint="remove it, or: sdist = false")
        return None
    outer = table.table("sdist")
    if outer is None:
        return None
    rules: dict[str, BuildRule] = {}
    for key in outer.data:
        inner = outer.table(key)
        try:
            name = canonical_name(key)
        except InvalidValue as error:
            outer.report(key, error.message, hint=error.hint)
            continue
        if name in rules:
            outer.report(key, f"is a second spelling of {name!r}", hint="keep one of them")
        if inner is not None:
            rules[name] = _rule(inner)
    return rules


def merge_sdist(project: SdistRules | None, variant: SdistRules | None) -> SdistRules | None:
    """Return the rules of a variant: its own win, package by package."""
    if variant is None:
        return project
    if project is None or project == "none" or variant == "none":
        return variant
    return {**project, **variant}


def rules_of(rules: SdistRules | None) -> dict[str, BuildRule] | None:
    """Return the rules as a variant holds them; None = nothing may be built."""
    return None if rules == "none" else dict(rules or {})


def _rule(table: Table) -> BuildRule:
    table.only({"requires", "settings", "env", "network"})
    network = table.data.get("network", False)
    if not isinstance(network, bool):
        table.report("network", "must be true or false", hint="network = true")
    return BuildRule(
        requires=table.each("requires", _requirement) or (),
        settings=_settings(table),
        env=_env(table),
        network=network is True,
    )


def _requirement(text: str) -> str:
    check_requirement(text)
    if "@" in text.partition(";")[0]:
        raise InvalidValue(f"{text!r} names an address, not a version", hint=_EXAMPLE)
    return text


def _settings(table: Table) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read ``settings``: each value is a string, or a list where it is given several times."""
    inner = table.table("settings")
    if inner is None:
        return ()
    found: dict[str, tuple[str, ...]] = {}
    for key, value in inner.data.items():
        if key == "" or "=" in key or not key.isprintable():
            inner.report(key, "is no name for a setting of a build backend")
            continue
        texts = inner.texts(key) if isinstance(value, list) else None
        if not isinstance(value, list):
            text = inner.text(key)
            texts = None if text is None else (text,)
        found[key] = texts or ()
    return tuple(sorted(found.items()))


def _env(table: Table) -> tuple[tuple[str, str], ...]:
    variables = table.strings("env") or {}
    inner = table.table("env") if variables else None
    for name in variables:
        if inner is None:
            continue
        if not _VARIABLE.fullmatch(name):
            inner.report(name, "is no name for an environment variable")
        elif name in _FIXED:
            inner.report(name, f"cannot be set: {_FIXED[name]}")
    return tuple(sorted(variables.items()))
