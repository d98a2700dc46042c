# SPDX-License-Identifier: Apache-2.0
"""Runs the fault matrix, every point of it, and writes its table into the docs."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from wheelship.testing.fault import FAULTS
from wheelship.testing.forks import ForkServer
from wheelship.testing.harbour import Harbour
from wheelship.testing.trial import CannotBreak, Trial

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "faults.md"
BEGIN, END = "<!-- faults begin -->\n", "<!-- faults end -->"


def main() -> int:
    """Print the table; with ``--write`` put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows; default: all")
    parser.add_argument(
        "--effort", type=int, metavar="N", help="N times the points that CI tries; default: all"
    )
    parser.add_argument("--write", action="store_true", help=f"write into {PAGE.name}")
    options = parser.parse_args()
    rows = ["| broken | builds | how they ended |\n", "| --- | --- | --- |\n"]
    total: Counter[str] = Counter()
    failed = 0
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - fast, when there
    with tempfile.TemporaryDirectory(prefix="wheelship-faults-", dir=memory) as directory:
        Path(directory).chmod(0o755)
        with Harbour(Path(directory, "harbour")) as harbour, ForkServer() as server:
            trial = Trial(harbour, server)
            for fault in FAULTS:
                if options.names and fault.name not in options.names:
                    continue
                print(fault.name, file=sys.stderr, flush=True)
                try:
                    step = -(-fault.step // options.effort) if options.effort else 1
                    counted = fault.count(trial, step)
                except CannotBreak as lack:
                    rows.append(f"| {fault.broken} | 0 | not run: {lack} |\n")
                    continue
                except AssertionError as error:
                    print(f"{fault.name}: {error}", file=sys.stderr, flush=True)
                    rows.append(f"| {fault.broken} | | **not as it must be** |\n")
                    failed = 1
                    continue
                total += counted
                rows.append(f"| {fault.broken} | {counted.total()} | {_ends(counted)} |\n")
    rows.append(f"| **all** | **{total.total()}** | {_ends(total)} |\n")
    table = "".join(rows)
    sys.stdout.write(table)
    if options.write:
        text = PAGE.read_text()
        head, _, rest = text.partition(BEGIN)
        PAGE.write_text(head + BEGIN + table + END + rest.partition(END)[2])
    return failed


def _ends(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
