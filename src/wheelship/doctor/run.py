# SPDX-License-Identifier: Apache-2.0
"""Runs all checks at once, none of them for longer than all may take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from threading import Thread

from wheelship.doctor.certificate import check_certificates
from wheelship.doctor.clock import check_clock
from wheelship.doctor.credential import check_credentials
from wheelship.doctor.descriptor import check_descriptors
from wheelship.doctor.emulation import check_emulation
from wheelship.doctor.engine import check_docker, check_podman
from wheelship.doctor.ignored import check_ignored
from wheelship.doctor.index import check_accelerator_indexes, check_indexes
from wheelship.doctor.lock import check_locks
from wheelship.doctor.mirror import check_mirror
from wheelship.doctor.model import Check, Finding, Patient
from wheelship.doctor.namespace import check_namespaces
from wheelship.doctor.proxy import check_proxies
from wheelship.doctor.python import check_python
from wheelship.doctor.store import check_store
from wheelship.doctor.uv import check_uv
from wheelship.errors import WheelshipError

__all__ = ["CHECKS", "examine"]

CHECKS: Mapping[str, Check] = {
    "python": check_python,
    "uv": check_uv,
    "store": check_store,
    "descriptors": check_descriptors,
    "clock": check_clock,
    "certificates": check_certificates,
    "proxies": check_proxies,
    "credentials": check_credentials,
    "index": check_indexes,
    "accelerator-index": check_accelerator_indexes,
    "debian-mirror": check_mirror,
    "docker": check_docker,
    "podman": check_podman,
    "namespaces": check_namespaces,
    "emulation": check_emulation,
    "locks": check_locks,
    "ignored": check_ignored,
}
"""By name, in the order of the report."""


def examine(
    patient: Patient, checks: Mapping[str, Check] = CHECKS, *, seconds: float = 30.0
) -> tuple[Finding, ...]:
    """Return what all checks find, in their order.

    A check that has not ended after ``seconds`` is left alone: its thread ends with the process.
    """
    answers: SimpleQueue[tuple[str, list[Finding] | BaseException]] = SimpleQueue()

    def run(name: str, check: Check) -> None:
        try:
            answers.put((name, list(check(patient))))
        except WheelshipError as error:
            # It could not even look: what it needed is what is broken.
            answers.put((name, [of_error(name, error)]))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            answers.put((name, error))

    for name, check in checks.items():
        Thread(target=run, args=(name, check), name=f"doctor-{name}", daemon=True).start()
    found: dict[str, list[Finding]] = {}
    until = time.monotonic() + seconds
    while len(found) < len(checks):
        try:
            name, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        if isinstance(answer, BaseException):
            raise answer
        found[name] = answer
    return tuple(one for name in checks for one in found.get(name) or [_late(name, seconds)])


def of_error(code: str, error: WheelshipError) -> Finding:
    """Return an error as a finding."""
    where = f"{error.where}: " if error.where else ""
    return Finding(code=code, status="problem", what=f"{where}{error.message}", hint=error.hint)


def _late(name: str, seconds: float) -> Finding:
    return Finding(
        code=name,
        status="warning",
        what=f"no answer within {seconds:g} s",
        hint="something that it waits for does not answer: wheelship doctor --offline",
    )
