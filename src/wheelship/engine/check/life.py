# SPDX-License-Identifier: Apache-2.0
"""Steps about living and dying: becomes healthy, has a probe of its own, stops when told (R9)."""

from __future__ import annotations

import signal

from wheelship.engine.check.exchange import Message, NoAnswer
from wheelship.engine.check.report import Finding
from wheelship.engine.check.scene import Scene, tail

__all__ = ["health_probe", "healthy", "stops"]

_POLL_SECONDS = 0.05
_ENGINE_HEALTH_SECONDS = 20.0
_SUCCESS = range(200, 300)


def healthy(scene: Scene) -> Finding:
    """Wait for a 2xx from the health path, or for the image's own check without one."""
    started = scene.clock.now()
    while (status := scene.running.status()) is None:
        well, seen = _look(scene)
        if well is None:
            return Finding("not-proven", seen)
        if well:
            return Finding("passed", seen)
        elapsed = scene.clock.now() - started
        if elapsed > scene.spec.start_seconds:
            return Finding("failed", f"not healthy after {elapsed:.0f} s; {seen}")
        scene.clock.sleep(_POLL_SECONDS)
    return Finding("failed", f"the service ended with status {status}")


def _look(scene: Scene) -> tuple[bool | None, str]:
    health = scene.spec.health
    if health is None:
        command = scene.probe_command
        if command is None:
            return None, "neither the configuration nor the image has a health check"
        status = scene.execute(command).status
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
    status = scene.running.stop(grace_seconds=scene.spec.grace_seconds)
    if status is None:
        return Finding("failed", f"had to be killed after {scene.spec.grace_seconds:.0f} s")
    if status not in (0, 128 + signal.SIGTERM):
        return Finding("failed", f"ended with status {status}")
    return Finding("passed", f"status {status}")
