# SPDX-License-Identifier: Apache-2.0
"""Runs the reproducibility matrix and writes its table into the docs; exit 1 on a difference."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wheelship.testing.forks import ForkServer
from wheelship.testing.ground import CannotVary, Ground
from wheelship.testing.harbour import Harbour, real_ground
from wheelship.testing.variation import VARIATIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "reproducibility.md"


@contextmanager
def ground_of(*, real: bool) -> Iterator[tuple[Ground, Path]]:
    """Yield the project to build, of made parts or on Debian's own Python, and a first build."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - fast, when there
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="wheelship-", dir=memory))
        work = Path(name)
        work.chmod(0o755)
        if real:
            yield real_ground(work, os.environ, work / "kept")
            return
        harbour = stack.enter_context(Harbour(work / "harbour"))
        server = stack.enter_context(ForkServer()) if os.geteuid() == 0 else None
        ground = Ground(
            root=harbour.root, work=work, environment=harbour.environment, server=server
        )
        yield ground, ground.build()


def main() -> int:
    """Print the table; with ``--write`` put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows; default: all")
    parser.add_argument("--real", action="store_true", help="rows about bytecode, Debian's Python")
    parser.add_argument("--write", action="store_true", help=f"write into {PAGE.name}")
    options = parser.parse_args()
    rows = ["| varied | builds | digest |\n", "| --- | --- | --- |\n"]
    different: list[str] = []
    total = 0
    with ground_of(real=options.real) as (ground, baseline):
        for one in VARIATIONS:
            if (options.names and one.name not in options.names) or options.real > one.real:
                continue
            print(one.name, file=sys.stderr, flush=True)
            try:
                count, found = one.compare(ground, baseline)
            except CannotVary as lack:
                rows.append(f"| {one.varied} | 0 | not run: {lack} |\n")
                continue
            different += [f"{one.name}: {line}" for line in found]
            total += count
            rows.append(f"| {one.varied} | {count} | {'**differs**' if found else 'equal'} |\n")
    rows.append(f"| **all rows** | **{total}** | {'**differs**' if different else 'equal'} |\n")
    sys.stdout.write("".join(rows))
    sys.stderr.write("".join(f"{line}\n" for line in different))
    if options.write:
        kind = "real" if options.real else "made"
        begin, end = f"<!-- {kind} begin -->\n", f"<!-- {kind} end -->"
        head, _, rest = PAGE.read_text().partition(begin)
        PAGE.write_text(head + begin + "".join(rows) + end + rest.partition(end)[2])
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
