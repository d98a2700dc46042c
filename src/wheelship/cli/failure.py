# SPDX-License-Identifier: Apache-2.0
"""Renders errors: what, where, why and a fix; as JSON under ``--json``; tracebacks on request."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from wheelship.cli.settings import Settings
from wheelship.cli.terminal import harmless
from wheelship.errors import ExitStatus, MachineError, WheelshipError

__all__ = ["OutputLost", "render_bug", "render_failure", "render_lost_output", "render_usage"]

_RED, _BOLD, _CYAN, _PLAIN = "\x1b[31m", "\x1b[1m", "\x1b[36m", "\x1b[0m"


def render_failure(
    error: WheelshipError, settings: Settings, beside: Mapping[str, Any] | None = None
) -> int:
    """Write ``error`` and return its exit status.

    ``beside`` is what the JSON document has beside ``error``: what was done before it.
    """
    if settings.json:
        document = {"error": _document(error), **(beside or {})}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stderr.write(_text(error, colored=settings.colored))
    if settings.verbose:
        sys.stderr.write("".join(traceback.format_exception(error)))
    return error.exit_status


class OutputLost(MachineError):
    """The result could not be written to stdout; what was built is there."""

    code = "output-lost"


def render_lost_output(error: OSError) -> int:
    """Say on stderr that stdout could not be written to, and return the exit status for it."""
    lost = OutputLost(
        f"cannot be written to: {error.strerror}",
        where="stdout",
        hint="let it lead to a place with room; what was built is there",
    )
    with suppress(OSError):
        sys.stderr.write(_text(lost, colored=False))
    return lost.exit_status


def render_bug(error: Exception, settings: Settings) -> int:
    """Write what is needed to report a bug and return the exit status for it."""
    name = type(error).__name__
    if settings.json:
        document = {"code": "bug", "message": f"{name}: {error}"}
        sys.stdout.write(json.dumps({"error": document}, indent=2) + "\n")
    sys.stderr.write(f"error[bug]: {name}: {error}\n")
    if settings.verbose:
        sys.stderr.write("".join(traceback.format_exception(error)))
    else:
        sys.stderr.write("  hint: run again with --verbose and report the traceback\n")
    return ExitStatus.BUG


def render_usage(message: str, help_command: str) -> int:
    """Write what is wrong with the command line as JSON and return the exit status for it."""
    document = {
        "code": "usage",
        "message": message,
        "where": None,
        "hint": help_command,
        "exit_status": int(ExitStatus.USAGE),
    }
    sys.stdout.write(json.dumps({"error": document}, indent=2) + "\n")
    return ExitStatus.USAGE


def _document(error: WheelshipError) -> dict[str, Any]:
    document: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "where": error.where,
        "hint": error.hint,
        "exit_status": int(error.exit_status),
    }
    findings = getattr(error, "findings", ())
    if findings:
        document["findings"] = [one.to_json() for one in findings]
    return document


def _text(error: WheelshipError, *, colored: bool) -> str:
    red, bold, cyan, plain = (_RED, _BOLD, _CYAN, _PLAIN) if colored else ("",) * 4
    # Collected findings name their places themselves, one line each.
    place = None if getattr(error, "findings", ()) else error.where
    where = f"{bold}{harmless(place)}{plain}: " if place else ""
    lines = [f"{red}error[{error.code}]{plain}: {where}{harmless(error.message)}"]
    if error.hint:
        lines += _hint(harmless(error.hint), "  ", cyan, plain)
    return "\n".join(lines) + "\n"


def _hint(text: str, indent: str, cyan: str, plain: str) -> list[str]:
    first, *rest = text.splitlines()
    return [f"{indent}{cyan}hint{plain}: {first}", *(f"{indent}      {line}" for line in rest)]
