# SPDX-License-Identifier: Apache-2.0
"""Compares the answer of a service with the part of it that was expected."""

from __future__ import annotations

import json
from collections.abc import Iterator

from wheelship.request.model import Json

__all__ = ["mismatches"]

_SHOWN_CHARACTERS = 80
TOLERANCE = 0.25
"""Numbers may differ by this much: times in seconds that a model finds differ between builds."""


def mismatches(expected: Json, actual: Json, path: str = "$") -> Iterator[str]:
    """Yield one line per place where ``actual`` is not what was expected; none means it matches.

    Objects must have the named keys and may have more; lists have the same length; numbers may
    differ by 0.25; everything else is equal. ``None`` as the whole expectation expects nothing.
    """
    if isinstance(expected, dict):
        yield from _object(expected, actual, path)
    elif isinstance(expected, list):
        yield from _list(expected, actual, path)
    elif _is_number(expected) and _is_number(actual):
        # Written so that NaN differs from everything and infinity from itself does not.
        if expected != actual and not abs(_number(expected) - _number(actual)) <= TOLERANCE:
            yield f"{path} is {actual}, expected {expected} ± {TOLERANCE}"
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path} is {_shown(actual)}, expected {_shown(expected)}"


def _object(expected: dict[str, Json], actual: Json, path: str) -> Iterator[str]:
    if not isinstance(actual, dict):
        yield f"{path} is {_shown(actual)}, expected an object"
        return
    for key, value in expected.items():
        if key in actual:
            yield from mismatches(value, actual[key], f"{path}.{key}")
        else:
            yield f"{path}.{key} is missing"


def _list(expected: list[Json], actual: Json, path: str) -> Iterator[str]:
    if not isinstance(actual, list):
        yield f"{path} is {_shown(actual)}, expected a list"
    elif len(actual) != len(expected):
        yield f"{path} has {len(actual)} elements, expected {len(expected)}"
    else:
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from mismatches(one, other, f"{path}[{number}]")


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Json) -> float:
    assert isinstance(value, (int, float))  # noqa: S101 - our bug, not the service's
    return float(value)


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
