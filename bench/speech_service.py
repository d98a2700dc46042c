# SPDX-License-Identifier: Apache-2.0
"""Measures builds of examples/speech-service: wall time, CPU time, peak memory of the tree."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "explanation" / "performance.md"
MARKS = ("<!-- bench begin -->\n", "<!-- bench end -->\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured command: seconds, CPU seconds, bytes of resident memory of the whole tree."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: bytes


def measure(command: list[str], environ: dict[str, str], cwd: Path) -> Run:
    """Run ``command``, sampling its process tree's memory every 20 ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ, cwd=cwd, stdout=subprocess.PIPE)
    peak = [0]
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], tree_bytes(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - began
    stop.set()
    sampler.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds=seconds, cpu_seconds=cpu, peak_bytes=peak[0], output=output)


def tree_bytes(pid: int) -> int:
    """Return the memory of ``pid`` and its descendants: resident, shared pages counted once (PSS).

    A child that is about to start another program still has its parent's memory, all of it, and
    would count it twice; it is recognised by having exactly as much.
    """
    total, pending = 0, [(pid, -1)]
    while pending:
        one, parents = pending.pop()
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            own = int(re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)[1])
            if own != parents:
                total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) * 1024
            for task in Path(f"/proc/{one}/task").iterdir():
                pending += [(int(child), own) for child in (task / "children").read_text().split()]
        except (OSError, TypeError):
            continue
    return total


def best(runs: list[Run]) -> Run:
    """Return the fastest of several runs."""
    return min(runs, key=lambda run: run.seconds)


def main() -> None:
    """Measure, print the table and, on request, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"update {TABLE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    wheelship = str(Path(sys.executable).with_name("wheelship"))
    with tempfile.TemporaryDirectory(prefix="wheelship-bench-") as name:
        work = Path(name)
        project = work / "project"
        shutil.copytree(
            ROOT / "examples" / "speech-service",
            project,
            ignore=shutil.ignore_patterns("dist", "pylock.*", "wheelship.lock", ".venv"),
        )
        environ = {**os.environ, "WHEELSHIP_STORE": str(work / "store")}
        build = [wheelship, "build", str(project), "--variant", "cpu", "--json", "--quiet"]
        rows = [
            (
                "start: `wheelship --version`",
                best([measure([wheelship, "--version"], environ, work) for _ in range(10)]),
            )
        ]
        rows.append(
            ("first build: resolve, download, verify, build", measure(build, environ, work))
        )
        document = json.loads(rows[-1][1].output)["images"][0]
        layers = work / "store"
        for part in ("blobs", "layers", "roots", "marks"):
            shutil.rmtree(layers / part)
        shutil.rmtree(project / "dist")
        rows.append(
            ("cold build: locks and downloads there, no layer", measure(build, environ, work))
        )
        rows.append(("nothing changed", best([measure(build, environ, work) for _ in range(5)])))
        changed = []
        source = project / "src" / "speech_service" / "app.py"
        for number in range(3):
            source.write_text(source.read_text() + f"# {number}\n")
            changed.append(measure(build, environ, work))
        rows.append(("one line changed", best(changed)))
    text = render(rows, document)
    sys.stdout.write(text)
    if arguments.write:
        old = TABLE.read_text()
        pattern = re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1])
        new = MARKS[0] + text + MARKS[1]
        TABLE.write_text(re.sub(pattern, lambda _: new, old, flags=re.DOTALL))


def render(rows: list[tuple[str, Run]], document: dict[str, object]) -> str:
    """Return the Markdown tables."""
    cold = dict(rows)["cold build: locks and downloads there, no layer"].seconds
    lines = [
        "| what | seconds | of a cold build | CPU seconds | peak memory, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, run in rows:
        lines.append(
            f"| {name} | {run.seconds:.2f} | {run.seconds / cold:.3f} | {run.cpu_seconds:.2f} "
            f"| {run.peak_bytes / 1e6:.0f} |"
        )
    lines += [
        "",
        "| part of the image | transfer, MB | unpacked, MB | layers |",
        "| --- | --- | --- | --- |",
    ]
    kinds = document["by_kind"]
    for kind, sums in kinds.items():
        lines.append(
            f"| {kind} | {sums['transfer_bytes'] / 1e6:.1f} "
            f"| {sums['unpacked_bytes'] / 1e6:.1f} | {sums['layers']} |"
        )
    lines.append(
        f"| **all** | **{document['transfer_bytes'] / 1e6:.1f}** "
        f"| **{document['unpacked_bytes'] / 1e6:.1f}** | **{len(document['layers'])}** |"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
