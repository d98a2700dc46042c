# SPDX-License-Identifier: Apache-2.0
"""``wheelship doctor``: what is missing on this machine, and how to get it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.place import read_project
from wheelship.cli.settings import Settings, common_options
from wheelship.errors import ExitStatus, WheelshipError
from wheelship.request.place import is_project

if TYPE_CHECKING:
    from wheelship.doctor.model import Finding, Patient
    from wheelship.request.model import Request

__all__ = ["command"]

_SECONDS = 6.0
_MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM", "skipped": "-"}


@click.command("doctor", epilog="Example: wheelship doctor . --offline")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--offline", is_flag=True, help="Ask no server.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="Seconds that all checks together may take.",
)
@common_options
@click.pass_obj
def command(
    settings: Settings,
    path: Path,
    offline: bool,  # noqa: FBT001 - click passes flags so
    timeout: float,
) -> None:
    """Look at this machine, and at the project in PATH if there is one; change nothing.

    Checked are Python, uv, the store, limits, clock, certificates, proxies, files with credentials,
    package indexes, the Debian mirror, Docker, podman, namespaces and emulation; of a project its
    locks and what git ignores. Each finding comes with a fix. No credential is ever shown.

    Exit status 5 says that something is broken that builds need.
    """
    from wheelship.doctor.run import examine, of_error

    request, broken = None, []
    if is_project(path):
        try:
            request = read_project(path.resolve())
        except WheelshipError as error:
            broken = [of_error("configuration", error)]
    patient = _patient(settings, request, offline=offline)
    findings = (*broken, *examine(patient, seconds=timeout))
    _show(findings, settings)
    if any(one.status == "problem" for one in findings):
        raise click.exceptions.Exit(ExitStatus.MACHINE)


def _patient(settings: Settings, request: Request | None, *, offline: bool) -> Patient:
    from wheelship.cli.services import APT, engine_client, machine, make_fetcher, native_platform
    from wheelship.doctor.model import Patient
    from wheelship.fetch.retry import Policy

    environ = settings.environ
    sources = machine(settings)
    variants = request.variants.values() if request is not None else ()
    own = [
        url
        for one in variants
        for url in (one.sources.index, one.sources.torch_index, *one.sources.extra_indexes)
    ]
    urls = tuple(url for url in (*own, sources.index, *sources.extra_indexes) if url)
    return Patient(
        environ=environ,
        home=Path.home(),
        store=settings.store_root,
        python=Path(sys.executable),
        native=native_platform(),
        apt=APT if APT.is_dir() else None,
        now=datetime.now(UTC),
        offline=offline,
        docker=engine_client(settings, "docker"),
        podman=engine_client(settings, "podman"),
        sources=sources,
        fetcher=lambda: make_fetcher(
            settings,
            offline=offline,
            urls=urls,
            policy=Policy(attempts=1, connect_seconds=_SECONDS, read_seconds=_SECONDS),
        ),
        request=request,
        find=lambda name: shutil.which(name, path=environ.get("PATH")),
        seconds=_SECONDS,
    )


def _show(findings: Sequence[Finding], settings: Settings) -> None:
    problems = sum(one.status == "problem" for one in findings)
    if settings.json:
        document = {
            "schema": "wheelship.doctor/1",
            "ok": not problems,
            "findings": [
                {"code": one.code, "status": one.status, "what": one.what, "hint": one.hint}
                for one in findings
            ],
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    for one in findings:
        sys.stdout.write(f"{_MARKS[one.status]:<8} {one.code:<20} {one.what}\n")
        if one.hint and one.status in ("warning", "problem"):
            first, *rest = one.hint.splitlines()
            sys.stdout.write(f"{'':<29} fix: {first}\n")
            sys.stdout.writelines(f"{'':<29}      {line}\n" for line in rest)
    warnings = sum(one.status == "warning" for one in findings)
    verdict = "nothing that builds need is broken" if not problems else "builds will fail"
    counts = f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}"
    sys.stdout.write(f"{counts}: {verdict}\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
