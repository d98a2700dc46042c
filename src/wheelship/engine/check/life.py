# SPDX-License-Identifier: Apache-2.0
"""Steps about living and dying: becomes healthy, has a probe of its own, stops when told (R9)."""

from __future__ import annotations

import signal

from wheelship.engine.check.exchange import Message, NoAnswer
from wheelship.engine.check.report import Finding
from wheelship.engine.check.scene import Scene, tail
from wheelship.engine.program import stop_signal_of

__all__ = ["health_probe", "healthy", "stops"]

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 10.0
_SETTLE_SECONDS = 3.0
_NO_CHECK = "neither the configuration nor the image has a health check"
_ENGINE_HEALTH_SECONDS = 20.0
_SUCCESS = range(200, 300)


def healthy(scene: Scene) -> Finding:
    """Wait for a 2xx from the health path, or for the image's own check without one.

    Without either, a program with a port is waited for until it answers anything; one without a
    port has done what it is for when it ends with 0.
    """
    if scene.spec.health is None and scene.probe_command is None:
        return _runs(scene) if scene.port is None else _serves(scene, scene.port)
    started = scene.clock.now()
    while (status := scene.running.status()) is None:
        well, seen = _look(scene)
        if well:
            return Finding("passed", seen)
        elapsed = scene.clock.now() - started
        if elapsed > scene.spec.start_seconds:
            return Finding("failed", f"not healthy after {elapsed:.0f} s; {seen}")
        scene.clock.sleep(_POLL_SECONDS)
    return Finding("failed", f"the service ended with status {status}")


def _runs(scene: Scene) -> Finding:
    """Watch a program without a port: it may end, but not with an error."""
    deadline = scene.clock.now() + _SETTLE_SECONDS
    while (status := scene.running.status()) is None:
        if scene.clock.now() >= deadline:
            detail = f"still runs after {_SETTLE_SECONDS:.0f} s; {_NO_CHECK}"
            return Finding("not-proven", detail)
        scene.clock.sleep(_POLL_SECONDS)
    if status == 0:
        return Finding("passed", "ran to its end with status 0")
    return Finding("failed", f"the program ended with status {status}")


def _serves(scene: Scene, port: int) -> Finding:
    """Wait for a first answer: a service still starting cannot yet be stopped properly."""
    deadline = scene.clock.now() + min(_ANSWER_SECONDS, scene.spec.start_seconds)
    seen = ""
    while (status := scene.running.status()) is None:
        try:
            message = Message(method="GET", path="/")
            response = scene.ask(port, message, seconds=_SETTLE_SECONDS)
        except NoAnswer as error:
            seen = f"GET / on port {port}: {error}"
        else:
            seen = f"GET / on port {port} gave {response.status}"
            return Finding("not-proven", f"{seen}; {_NO_CHECK}")
        if scene.clock.now() >= deadline:
            return Finding("not-proven", f"{seen}; {_NO_CHECK}")
        scene.clock.sleep(_POLL_SECONDS)
    return Finding("failed", f"the service ended with status {status}")


def _look(scene: Scene) -> tuple[bool, str]:
    health = scene.spec.health
    if health is None:
        status = scene.execute(scene.probe_command or ()).status
        return status == 0, f"its own health check gave {status}"
    message = Message(method="GET", path=health.path)
    try:
        response = scene.ask(health.port, message, seconds=health.timeout_seconds)
    except NoAnswer as error:
        return False, f"GET {health.path}: {error}"
    seen = f"GET {health.path} on port {health.port} gave {response.status}"
    return response.status in _SUCCESS, seen


def health_probe(scene: Scene) -> Finding:
    """Run the image's own health check inside it, and hear the engine that runs it by itself."""
    check = scene.image.config.healthcheck
    if check is not None and check.test[:1] == ("CMD-SHELL",):
        return Finding("failed", "the image's health check needs a shell; write it in exec form")
    command = scene.probe_command
    if command is None:
        return Finding("not-proven", "the image has no health check of its own")
    done = scene.execute(command)
    if done.status != 0:
        return Finding("failed", f"status {done.status}: {tail(done.stderr or done.stdout)}")
    deadline = scene.clock.now() + _ENGINE_HEALTH_SECONDS
    while scene.running.health() == "starting" and scene.clock.now() < deadline:
        scene.clock.sleep(_POLL_SECONDS)
    verdict = scene.running.health()
    if verdict not in (None, "healthy"):
        return Finding("failed", f"it exits 0, but the engine calls the container {verdict}")
    agreed = "" if verdict is None else "; the engine agrees"
    return Finding("passed", f"`{command[0]}` exits 0, no shell{agreed}")


def stops(scene: Scene) -> Finding:
    """Send the stop signal; a service that has to be killed loses requests at every deployment."""
    number = stop_signal_of(scene.image.config)
    status = scene.running.stop(grace_seconds=scene.spec.grace_seconds)
    if status is None:
        killed = f"had to be killed after {scene.spec.grace_seconds:.0f} s"
        name = scene.image.config.stop_signal or "SIGTERM"
        hint = f"the first process of a container gets no {name} unless it handles it"
        if number == signal.SIGTERM:
            hint += '; one that ends on Ctrl-C needs stop-signal = "SIGINT"'
        return Finding("failed", f"{killed}: {hint}")
    if status not in (0, 128 + number):
        return Finding("failed", f"ended with status {status}")
    return Finding("passed", f"status {status}")
