# SPDX-License-Identifier: Apache-2.0
"""What a command costs: wall time, CPU time and memory, of its processes and of daemons it uses."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measured", "Usage", "cpu_seconds", "measure", "resident_bytes"]

_SAMPLE_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of wall and CPU time; the most memory that all processes had together, in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a command cost and what it wrote."""

    usage: Usage
    output: str
    errors: str


def measure(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    daemons: Sequence[int] = (),
) -> Measured:
    """Run ``command`` and measure it together with the processes below ``daemons``.

    A command that fails ends the bench with what it wrote.
    """
    before = _children_cpu() + sum(cpu_seconds(pid) for pid in daemons)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environ, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak = [0]
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            peak[0] = max(peak[0], resident_bytes([process.pid, *daemons]))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        output, errors = process.communicate()
        seconds = time.perf_counter() - began
    finally:
        stop.set()
        sampler.join()
        process.kill()  # where we were interrupted; it has ended otherwise
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output}{errors}"[-4000:])
    cpu = _children_cpu() + sum(cpu_seconds(pid) for pid in daemons) - before
    return Measured(
        usage=Usage(seconds=seconds, cpu_seconds=cpu, peak_bytes=peak[0]),
        output=output,
        errors=errors,
    )


def resident_bytes(pids: Sequence[int]) -> int:
    """Return the memory of ``pids`` and their descendants, shared pages counted once (PSS).

    A child that is about to start another program still has its parent's memory, all of it, and
    would count it twice; it is recognised by having exactly as much.
    """
    total, pending = 0, [(pid, -1) for pid in pids]
    while pending:
        pid, parents = pending.pop()
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            own = _kilobytes(rollup, "Rss")
            if own != parents:
                total += _kilobytes(rollup, "Pss") * 1024
            pending += [(child, own) for child in _children(pid)]
        except (OSError, LookupError):  # ended meanwhile
            continue
    return total


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of ``pid`` and its descendants so far, ended ones included.

    An ended process counts where its parent waited for it, which daemons do.
    """
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(ticks) for ticks in fields[11:15])
            pending += _children(one)
        except OSError:
            continue
    return total / _TICKS


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from (int(child) for child in (task / "children").read_text().split())


def _kilobytes(rollup: str, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB", rollup, re.MULTILINE)
    if found is None:
        raise LookupError(key)
    return int(found[1])


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
