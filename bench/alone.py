# SPDX-License-Identifier: Apache-2.0
"""Measures builds of examples/speech-service by wheelship alone, start-up and sizes included."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from usage import Measured, measure
from wheelship.cli.services import native_platform

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "explanation" / "performance.md"
MARKS = ("<!-- bench begin -->\n", "<!-- bench end -->\n")


def best(runs: list[Measured]) -> Measured:
    """Return the fastest of several runs."""
    return min(runs, key=lambda run: run.usage.seconds)


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
        native = ["--platform", str(native_platform())]
        build = [wheelship, "build", str(project), "--variant", "cpu", *native]
        build += ["--json", "--quiet"]
        rows = [
            (
                "start: `wheelship --version`",
                best([measure([wheelship, "--version"], environ=environ) for _ in range(10)]),
            )
        ]
        rows.append(
            ("first build: resolve, download, verify, build", measure(build, environ=environ))
        )
        document = json.loads(rows[-1][1].output)["images"][0]
        layers = work / "store"
        for part in ("blobs", "layers", "roots", "marks"):
            shutil.rmtree(layers / part)
        shutil.rmtree(project / "dist")
        rows.append(
            ("cold build: locks and downloads there, no layer", measure(build, environ=environ))
        )
        rows.append(("nothing changed", best([measure(build, environ=environ) for _ in range(5)])))
        changed = []
        source = project / "src" / "speech_service" / "app.py"
        for number in range(3):
            source.write_text(source.read_text() + f"# {number}\n")
            changed.append(measure(build, environ=environ))
        rows.append(("one line changed", best(changed)))
    text = render(rows, document)
    sys.stdout.write(text)
    if arguments.write:
        old = TABLE.read_text()
        pattern = re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1])
        new = MARKS[0] + text + MARKS[1]
        TABLE.write_text(re.sub(pattern, lambda _: new, old, flags=re.DOTALL))


def render(rows: list[tuple[str, Measured]], document: dict[str, Any]) -> str:
    """Return the Markdown tables."""
    cold = dict(rows)["cold build: locks and downloads there, no layer"].usage.seconds
    lines = [
        "| what | seconds | of a cold build | CPU seconds | peak memory, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, measured in rows:
        run = measured.usage
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
