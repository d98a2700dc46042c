# SPDX-License-Identifier: Apache-2.0
"""``python -m wheelship.oci.validate [--foreign DIGEST]… PATH…``: exit status 0 when all is right.

No command of wheelship, on purpose: it shares nothing with the program that it checks, runs where
only Python is, and its answer must not depend on a configuration.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wheelship.oci.validate.check import validate


def main() -> int:
    """Check each path, write one line per finding, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wheelship.oci.validate",
        description="Check OCI layouts, oci-archives and docker-archives. Every digest, size and "
        "diff_id is computed again. Exit status 1 when something is wrong.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="directory or tar file")
    parser.add_argument(
        "--foreign",
        action="append",
        default=[],
        metavar="DIGEST",
        help="layer that another tool made: only the specification's rules hold; `all` for all",
    )
    options = parser.parse_args()
    wrong = False
    for path in options.paths:
        foreign = None if "all" in options.foreign else options.foreign
        report = validate(path, foreign=foreign)
        lines = [f"{path}: {problem}" for problem in report.problems]
        lines += [f"{path}: note: {note}" for note in report.notes]
        lines.append(f"{path}: {'wrong' if report.problems else 'right'}")
        sys.stdout.write("\n".join(lines) + "\n")
        wrong = wrong or bool(report.problems)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
