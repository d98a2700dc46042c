# SPDX-License-Identifier: Apache-2.0
"""Compares real wheels with pip and uv from the command line; see ``scripts/parity --help``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from parity.made import made_wheels
from parity.report import MARKS, table
from parity.rules import read_rules
from parity.run import compare_all, unused
from parity.wheels import default_folder, fetch, read_list

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "explanation" / "parity.md"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/parity",
        description="Install real wheels with pip, with uv and as layers, and compare the trees.",
    )
    parser.add_argument("names", nargs="*", help="only these packages")
    parser.add_argument("--all", action="store_true", help="the large wheels too, 600 MB in all")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    parser.add_argument("--wheels", type=Path, default=default_folder(), help="where they are kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    pins = read_list(HERE / "wheels.txt")
    pins += read_list(HERE / "wheels-large.txt") if options.all else []
    chosen = [pin for pin in pins if not options.names or pin[0] in options.names]
    tell(f"{len(chosen)} wheels, kept in {options.wheels}")
    pip = next(pin for pin in pins if pin[0] == "pip")
    files = fetch([pip, *chosen], options.wheels)
    folder = options.wheels / "made"
    folder.mkdir(exist_ok=True)
    made = [] if options.names else [one.write(folder) for one in made_wheels()]
    rules = read_rules(HERE / "rules.toml")
    real = [files[pin] for pin in chosen]
    found = compare_all([*real, *made], rules, files[pip], options.jobs, tell)

    text = table(found[: len(real)], found[len(real) :], rules)
    sys.stdout.write(text)
    problems = [f"{one.wheel}: {problem}" for one in found for problem in one.problems]
    problems += [] if options.names else [f"unused: {one}" for one in unused(rules, found)]
    for problem in problems:
        tell(problem)
    if options.write and not problems:
        before, _, rest = DOCUMENT.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        DOCUMENT.write_text(before + MARKS[0] + text + MARKS[1] + after)
    return 1 if problems else 0


def tell(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
