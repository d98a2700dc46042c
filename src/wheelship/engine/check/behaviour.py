# SPDX-License-Identifier: Apache-2.0
"""Steps about what the service is for: its packages import, its answer is right (R13)."""

from __future__ import annotations

import json

from wheelship.engine.check.answer import mismatches
from wheelship.engine.check.exchange import NoAnswer, Response
from wheelship.engine.check.probes import IMPORTS, INTERPRETER, MARK
from wheelship.engine.check.report import Finding
from wheelship.engine.check.scene import Scene, tail
from wheelship.request.model import CheckRequest, Json

__all__ = ["answers", "imports"]

_SHOWN_CHARACTERS = 500


def imports(scene: Scene) -> Finding:
    """Import the configured modules in one Python inside the image."""
    modules = scene.spec.check.imports
    if not modules:
        return Finding("skipped", "none are configured")
    command = [INTERPRETER, "-c", IMPORTS, *modules]
    done = scene.execute(command, seconds=scene.spec.start_seconds)
    # What modules print on being imported stands between the lines of ours.
    marked = (line for line in done.stdout.split(b"\n") if line.startswith(MARK))
    results = [json.loads(line.removeprefix(MARK)) for line in marked]
    found = list(zip(modules, results, strict=False))
    broken = [f"{name}: {row['error']}" for name, row in found if "error" in row]
    if broken:
        return Finding("failed", "; ".join(broken))
    if len(found) < len(modules):
        name = modules[len(found)]
        ended = "takes too long" if done.status is None else f"ended Python with {done.status}"
        return Finding("failed", f"{name}: {ended}: {tail(done.stderr)}")
    return Finding("passed", ", ".join(f"{name} {row['version']}".strip() for name, row in found))


def answers(scene: Scene) -> Finding:
    """Send the configured request and compare the answer."""
    request = scene.spec.check.request
    if request is None or scene.message is None:
        return Finding("skipped", "no request is configured")
    if scene.port is None:
        return Finding("failed", "a request is configured, but no port")
    try:
        response = scene.ask(scene.port, scene.message, seconds=scene.spec.start_seconds)
    except NoAnswer as error:
        return Finding("failed", f"{request.method} {request.path}: {error}")
    answer, problem = _compare(request, response)
    asked = f"{request.method} {request.path}"
    if problem:
        return Finding("failed", f"{asked}: {problem}", answer)
    return Finding("passed", f"{asked} gave {response.status} and what was expected", answer)


def _compare(request: CheckRequest, response: Response) -> tuple[Json, str]:
    text = response.body.decode("utf-8", "replace")
    answer: Json = text[:_SHOWN_CHARACTERS]
    is_json = True
    try:
        answer = json.loads(text)
    except ValueError:
        is_json = False
    if response.status != request.status:
        shown = text[:_SHOWN_CHARACTERS]
        return answer, f"status {response.status}, expected {request.status}: {shown}"
    if request.expect is None:
        return answer, ""
    if not is_json:
        return answer, f"the answer is no JSON: {answer}"
    return answer, "; ".join(mismatches(request.expect, answer))
