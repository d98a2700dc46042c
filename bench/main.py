# SPDX-License-Identifier: Apache-2.0
"""Measures wheelship against BuildKit of Docker 28, both sides in one run."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from buildkit import BuildKit, Docker
from document import Document, machine_facts
from images import load_images
from plot import draw
from registry import Registry
from scenario import SCENARIOS, Result, run_scenarios
from side import Wheelship
from subject import SUBJECTS, WORK, Project
from table import put_into_page, render
from wheel_server import WheelServer

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "explanation"
_RESULTS = _DOCS / "performance.json"


def main() -> None:
    """Measure, print the tables and, on request, write them."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the daemon must end too
    document = Document.joined(arguments.read) if arguments.read else _run(arguments)
    sys.stdout.write(render(document))
    if arguments.json:
        document.write(arguments.json)
    if arguments.write:
        document.write(_RESULTS)
        put_into_page(_DOCS / "performance.md", render(document))
        (_DOCS / "performance.svg").write_text(draw(document))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    add = parser.add_argument
    add("--subject", action="append", choices=SUBJECTS, help="default: speech and cuda")
    add(
        "--shape",
        action="append",
        choices=("one", "split", "direct"),
        help="target of bench/Dockerfile; default: split",
    )
    add("--scenario", action="append", choices=SCENARIOS, help="default: all, in their order")
    add(
        "--image-store",
        default="overlay2",
        choices=("overlay2", "containerd"),
        help="where Docker keeps images (default: %(default)s, its own default)",
    )
    add(
        "--source",
        default="server",
        choices=("context", "server"),
        help="wheels of the Dockerfile: sent as a build context, or from a server on loopback "
        "(default: %(default)s)",
    )
    add(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="directory with the wheels of subject cuda; without it they are downloaded",
    )
    add(
        "--work",
        type=Path,
        default=WORK,
        metavar="DIR",
        help="what is made and downloaded once is kept here (default: %(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write all measured numbers there")
    add(
        "--read",
        type=Path,
        action="append",
        metavar="FILE",
        help="measure nothing, take the numbers of an earlier --json; repeatable",
    )
    add("--write", action="store_true", help="update table, plot and numbers in docs/explanation")
    return parser


def _run(arguments: argparse.Namespace) -> Document:
    if os.geteuid() != 0:
        sys.exit("needs root, for the Docker daemon of the other side")
    began, machine = time.monotonic(), machine_facts()
    results: list[Result] = []
    for name in arguments.subject or ("speech", "cuda"):
        for shape in arguments.shape or ("split",):
            found, versions = _one_pass(name, shape, arguments)
            results += found
            machine |= versions
    options = {
        "image store": arguments.image_store,
        "wheels": arguments.source,
        "minutes": f"{(time.monotonic() - began) / 60:.0f}",
    }
    return Document(machine=machine, options=options, results=results)


def _one_pass(
    name: str, shape: str, arguments: argparse.Namespace
) -> tuple[list[Result], dict[str, str]]:
    """Measure one subject against one shape of the Dockerfile, with everything fresh."""
    work: Path = arguments.work.absolute()
    kept = work / name
    kept.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(work).free, SUBJECTS[name].disk_bytes
    if free < needed:  # a disk that fills up in the middle would spoil more than this run
        sys.exit(f"{work}: subject {name} takes {needed / 1e9:.0f} GB, {free / 1e9:.0f} are free")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=work)))
        found = arguments.wheels if name == "cuda" else None
        project = Project(SUBJECTS[name], place, kept, found)
        docker = stack.enter_context(
            Docker(place / "docker", arguments.image_store, visible=(work,))
        )
        load_images(docker, work)
        server = None
        if arguments.source == "server":
            server = stack.enter_context(WheelServer(project.wheels))
        theirs = BuildKit(docker, project, place / "context", shape=shape, server=server)
        sides = (Wheelship(project), theirs)
        pairs = [
            (side, stack.enter_context(Registry(place / f"registry-{side.name}"))) for side in sides
        ]
        names = arguments.scenario or tuple(SCENARIOS)
        return run_scenarios(project, shape, pairs, names), docker.versions


if __name__ == "__main__":
    main()
