# SPDX-License-Identifier: Apache-2.0
"""Writes the little TOML that locks and generated projects need, always the same way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

__all__ = ["array", "inline_table", "string", "value"]

_WIDTH = 100


def string(text: str) -> str:
    """Return a basic string (TOML 1.0, "String")."""
    # JSON's escapes are all TOML's; DEL alone must be escaped in TOML and is not in JSON.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def array(items: Iterable[str]) -> str:
    """Return an array of values already written, one per line when one line is too short."""
    written = list(items)
    line = f"[{', '.join(written)}]"
    if len(line) <= _WIDTH - 20:
        return line
    return "[\n" + "".join(f"    {one},\n" for one in written) + "]"


def inline_table(pairs: Mapping[str, str]) -> str:
    """Return an inline table of values already written."""
    return "{ " + ", ".join(f"{key} = {text}" for key, text in pairs.items()) + " }"


def value(item: object) -> str:
    """Return a string, a number or a list of strings.

    Raises:
        TypeError: anything else, which is a bug.
    """
    if isinstance(item, str):
        return string(item)
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    if isinstance(item, list | tuple):
        return array(string(one) for one in item)
    raise TypeError(f"cannot write {type(item).__name__} as TOML")
