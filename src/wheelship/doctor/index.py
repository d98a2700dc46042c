# SPDX-License-Identifier: Apache-2.0
"""Package indexes: does each answer, and to whom we are?

The main one is asked by uv, as it is when a lock is made: it has settings, certificates and
credentials of its own, and its default address is known to it alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from wheelship.doctor.model import Finding, Patient, Status
from wheelship.doctor.uv import find_uv
from wheelship.errors import InputError, WheelshipError
from wheelship.fetch.errors import HttpStatus, Unauthorized
from wheelship.fetch.url import display_url, has_credentials
from wheelship.lock.document import lock_path
from wheelship.lock.errors import Unresolvable
from wheelship.lock.project import GeneratedProject
from wheelship.lock.read import read_lock
from wheelship.lock.target import Target
from wheelship.lock.uv import Uv
from wheelship.request.model import Project, Variant
from wheelship.request.requirement import PYTHONS, requirement_name
from wheelship.variant.accelerator import accelerator_row

__all__ = ["check_accelerator_indexes", "check_indexes"]

_ASKED_FOR = "packaging"
"""Any name will do: that an index has no such package is an answer, too."""

_NOT_FOUND = 404
_ANOTHER = """\
name a mirror, or a directory with wheels that fit:
torch-index = "https://mirror.example.org/whl/cu130"
find-links = ["wheels"]"""


def check_indexes(patient: Patient) -> Iterable[Finding]:
    """Ask the main index through uv, and each further one."""
    if patient.offline:
        yield Finding(code="index", status="skipped", what="not asked: --offline")
        return
    if patient.sources.no_index:
        yield Finding(code="index", status="skipped", what="pip is told to ask no index (no-index)")
        return
    variants = patient.request.variants.values() if patient.request else ()
    mains = dict.fromkeys(one.sources.index for one in variants) or {None: None}
    for main in mains:
        yield _main(patient, main or patient.sources.index)
    named = [url for one in variants for url in one.sources.extra_indexes]
    for url in dict.fromkeys((*named, *patient.sources.extra_indexes)):
        yield _asked(patient, url, _ASKED_FOR, code="extra-index", lacking="problem")
    if patient.sources.ignored_indexes:
        count = len(patient.sources.ignored_indexes)
        yield Finding(
            code="ignored-index",
            status="ok",
            what=f"{count} local indexes of pip's are not used: uv would take old versions there",
        )


def check_accelerator_indexes(patient: Patient) -> Iterable[Finding]:
    """Ask the indexes that the variants' frameworks come from."""
    places = dict.fromkeys(_accelerator_places(patient))
    if not places:
        yield Finding(
            code="accelerator-index", status="skipped", what="no variant needs an index of its own"
        )
    elif patient.offline:
        yield Finding(code="accelerator-index", status="skipped", what="not asked: --offline")
    else:
        for url, package in places:
            # A local wheel that fits is taken without asking.
            yield _asked(patient, url, package, code="accelerator-index", lacking="warning")


def _accelerator_places(patient: Patient) -> Iterator[tuple[str, str]]:
    """Yield the address of each index and a package it must have."""
    for variant in patient.request.variants.values() if patient.request else ():
        assert patient.request is not None  # noqa: S101 - it has variants
        row = accelerator_row(variant.accelerator, variant.accelerator_version)
        names = _names(patient.request.project, variant)
        for family in row.families:
            place = variant.sources.torch_index or family.index
            needed = any(row.family_of(name) == family for name in names)
            if needed and place is not None and "://" in place:
                yield place, family.name


def _names(project: Project, variant: Variant) -> set[str]:
    """Return the packages that the variant asks for, and those that its lock has."""
    asked = [*project.dependencies]
    asked += [one for extra in variant.extras for one in project.extras[extra]]
    asked += [one for group in variant.groups for one in project.groups[group]]
    names = set(map(requirement_name, asked))
    with suppress(InputError):  # the check of the locks says so
        names |= {name for name, _ in read_lock(lock_path(project.root, variant.name)).versions()}
    return names


def _main(patient: Patient, url: str | None) -> Finding:
    """Resolve one package with uv, from nothing that it remembers."""
    name = "the index that uv is set to" if url is None else display_url(url)
    program = find_uv()
    if program is None:
        return Finding(code="index", status="skipped", what=f"{name} was not asked: there is no uv")
    project = GeneratedProject(
        name="wheelship-doctor",
        requirements=[_ASKED_FOR],
        constraints=(),
        exclude=(),
        sources={},
        index=url,
        extra_indexes=(),
    )
    uv = Uv(
        binary=program,
        python=patient.python,
        environment={
            **patient.environ,
            "UV_HTTP_TIMEOUT": f"{max(1, round(patient.seconds))}",
            "UV_HTTP_RETRIES": "0",
        },
    )
    with tempfile.TemporaryDirectory(prefix="wheelship-") as place:
        Path(place, "pyproject.toml").write_text(project.text(), "utf-8")
        target = Target(python=next(iter(PYTHONS)), platform=patient.native)
        try:
            uv.compile(Path(place), target, ["--no-cache", "--no-deps"])
        except Unresolvable:
            pass  # it answered
        except WheelshipError as error:
            lines = [line.strip() for line in error.message.splitlines() if line.strip()]
            return Finding(
                code="index",
                status="problem",
                what=f"{name}: {' '.join(lines)}",
                hint=error.hint if error.hint != "wheelship doctor" else None,
            )
    return Finding(code="index", status="ok", what=f"{name} answers uv{_as_whom(url)}")


def _asked(patient: Patient, url: str, package: str, *, code: str, lacking: Status) -> Finding:
    """Ask an index for the page of a package."""
    shown = display_url(url)
    try:
        patient.fetcher().size(f"{url.rstrip('/')}/{package}/")
    except Unauthorized as error:
        return Finding(
            code=code, status=lacking, what=f"{shown} wants credentials, or others", hint=error.hint
        )
    except HttpStatus as error:
        if error.status != _NOT_FOUND or code == "accelerator-index":
            return Finding(
                code=code,
                status=lacking,
                what=f"{shown} answers {error.status} when asked for {package}",
                hint="is it the address of an index? It ends in /simple or the like",
            )
    except WheelshipError as error:
        return Finding(
            code=code,
            status=lacking,
            what=f"{shown}: {error.message}",
            hint=_ANOTHER if code == "accelerator-index" else error.hint,
        )
    return Finding(code=code, status="ok", what=f"{shown} answers{_as_whom(url)}")


def _as_whom(url: str | None) -> str:
    return ", with the credentials in its address" if url and has_credentials(url) else ""
