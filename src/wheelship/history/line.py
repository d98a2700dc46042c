# SPDX-License-Identifier: Apache-2.0
"""A past build as a line of JSON (docs/reference/schema/history.json)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from wheelship.errors import WheelshipError
from wheelship.history.model import PastBuild
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["BEGINNING", "SCHEMA", "UnreadableLine", "is_ours", "line_of", "past_build_of"]

SCHEMA = "wheelship.past-build/1"
BEGINNING = b'{"digest":"sha256:'
"""What every line begins with: the first of the keys in order."""

_FAMILY = SCHEMA.partition("/")[0] + "/"

_COUNTS = ("transfer_bytes", "unpacked_bytes", "layers", "reused", "fresh_bytes")
_LARGEST = 2**63 - 1
# What image and variant can be called. Nothing else gets in, so nobody who shows a build has to ask
# whether its name would move the cursor of a terminal or end a table's cell.
# Compiled when a line is read: a build that only adds one does without.
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"


class UnreadableLine(ValueError):
    """The line is no past build in a form that this release knows."""


def line_of(build: PastBuild) -> bytes:
    """Return ``build`` as a line, keys sorted, with its end."""
    document = {
        "schema": SCHEMA,
        "time": build.time,
        "name": build.name,
        "variant": build.variant,
        "platform": str(build.platform),
        "digest": str(build.digest),
        "seconds": build.seconds,
        **{name: getattr(build, name) for name in _COUNTS},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def past_build_of(line: bytes) -> PastBuild:
    """Read a line that :func:`line_of` wrote, this release's or a later one with more fields.

    Raises:
        UnreadableLine: anything else.
    """
    document = _document(line)
    if document.get("schema") != SCHEMA:
        raise UnreadableLine("is of another form")
    try:
        return PastBuild(
            time=_time(document["time"]),
            name=_name(document["name"]),
            variant=_name(document["variant"]),
            platform=Platform.parse(_text(document["platform"])),
            digest=Digest.parse(_text(document["digest"])),
            seconds=_seconds(document["seconds"]),
            **{name: _count(document[name]) for name in _COUNTS},
        )
    except (KeyError, ValueError, OverflowError, WheelshipError) as error:
        raise UnreadableLine(str(error)) from error


def is_ours(line: bytes) -> bool:
    """Tell whether some release of wheelship wrote ``line``, readable to this one or not."""
    try:
        schema = _document(line).get("schema")
    except UnreadableLine:
        return False
    return isinstance(schema, str) and schema.startswith(_FAMILY)


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableLine(str(error)) from error
    if not isinstance(document, dict):
        raise UnreadableLine("is no object")
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableLine(f"{value!r} is no string")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(_NAME, text, re.ASCII):
        raise UnreadableLine(f"{text[:80]!r} is no name")
    return text


def _time(value: object) -> str:
    """Return a time as :class:`PastBuild` has it; ISO 8601 lets anything stand before the hour."""
    text = _text(value)
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise UnreadableLine(f"{text[:80]!r} is in no time zone")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableLine(f"{value!r} is no number")
    if not 0 <= value <= _LARGEST:  # no NaN either
        raise UnreadableLine(f"{value!r} is no duration")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise UnreadableLine(f"{value!r} is no count")
    return value
