# SPDX-License-Identifier: Apache-2.0
"""What the doctor finds out from servers; none of them is beyond this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from wheelship.doctor.index import check_accelerator_indexes, check_indexes
from wheelship.doctor.mirror import check_mirror
from wheelship.doctor.model import Finding, Patient
from wheelship.fetch.credentials import Credentials
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.retry import Policy
from wheelship.lock.machine import MachineSources
from wheelship.testing.deb import DebArchive, make_deb
from wheelship.testing.index import Fault, PackageIndex
from wheelship.testing.wheel import make_wheel


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    (tmp_path / "wheels").mkdir()
    with PackageIndex(tmp_path / "wheels") as running:
        yield running


def found(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.code, one.status) for one in findings]


# --- the main index, asked by uv ---


@pytest.mark.integration
def test_an_index_that_answers_is_well_even_when_it_lacks_the_package(
    patient: Callable[..., Patient], index: PackageIndex
) -> None:
    sources = MachineSources(index=index.simple_url, ignored_indexes=("file:///srv/part",))
    someone = patient(sources=sources, seconds=10.0)
    assert found(check_indexes(someone)) == [("index", "ok"), ("ignored-index", "ok")]
    assert "/simple/packaging/" in index.paths()


@pytest.mark.integration
@pytest.mark.parametrize(("status", "says"), [(401, "refused"), (500, "500")])
def test_an_index_that_refuses(
    status: int, says: str, patient: Callable[..., Patient], index: PackageIndex
) -> None:
    index.faults.append(Fault(path="/packaging/", times=9, status=status))
    address = index.simple_url.replace("http://", "http://me:secret@")
    someone = patient(sources=MachineSources(index=address), seconds=10.0)
    (finding,) = check_indexes(someone)
    assert (finding.code, finding.status) == ("index", "problem")
    assert says in finding.what
    assert finding.hint
    assert "secret" not in f"{finding}"


def test_offline_nobody_is_asked(
    patient: Callable[..., Patient], project: Callable[..., Any], index: PackageIndex
) -> None:
    request = project(f'index = "{index.simple_url}"\n', "torch")
    someone = patient(request=request, offline=True)
    for check in (check_indexes, check_accelerator_indexes, check_mirror):
        assert {status for _, status in found(check(someone))} == {"skipped"}
    assert index.received == []


def test_without_an_index_there_is_nothing_to_ask(patient: Callable[..., Patient]) -> None:
    someone = patient(sources=MachineSources(no_index=True))
    assert found(check_indexes(someone)) == [("index", "skipped")]


# --- further indexes ---


def accelerator(
    patient: Callable[..., Patient], project: Callable[..., Any], url: str, *requirements: str
) -> Patient:
    return patient(request=project(f'torch-index = "{url}"\n', *requirements))


def test_the_index_of_an_accelerator_must_have_its_package(
    patient: Callable[..., Patient], project: Callable[..., Any], index: PackageIndex
) -> None:
    someone = accelerator(patient, project, index.simple_url, "torch>=2")
    (finding,) = check_accelerator_indexes(someone)
    assert (finding.status, "answers 404" in finding.what) == ("warning", True)
    make_wheel("torch", "2.13.0+cpu").write(index.files)
    assert found(check_accelerator_indexes(someone)) == [("accelerator-index", "ok")]


def test_an_index_that_nothing_needs_is_not_asked(
    patient: Callable[..., Patient], project: Callable[..., Any], index: PackageIndex
) -> None:
    someone = accelerator(patient, project, index.simple_url, "pytorch-metric-learning")
    assert found(check_accelerator_indexes(someone)) == [("accelerator-index", "skipped")]
    assert index.received == []


def test_an_index_that_is_gone_offers_a_way_around(
    patient: Callable[..., Patient], project: Callable[..., Any], tmp_path: Path
) -> None:
    with PackageIndex(tmp_path) as gone:
        url = gone.simple_url
    (finding,) = check_accelerator_indexes(accelerator(patient, project, url, "torch"))
    assert finding.status == "warning"
    assert finding.hint is not None
    assert 'find-links = ["wheels"]' in finding.hint


@pytest.mark.integration
def test_credentials_of_an_index_are_used_and_not_told(
    patient: Callable[..., Patient], index: PackageIndex
) -> None:
    index.login = ("me", "secret")
    address = f"{index.url}/simple".replace("http://", "http://me:secret@")
    sources = MachineSources(index=address, extra_indexes=(address,))
    policy = Policy(attempts=1)
    someone = patient(
        sources=sources,
        seconds=10.0,
        fetcher=lambda: Fetcher(
            user_agent="test", policy=policy, credentials=Credentials(urls=[address])
        ),
    )
    findings = [*check_indexes(someone)]
    assert found(findings) == [("index", "ok"), ("extra-index", "ok")]
    assert all("with the credentials in its address" in one.what for one in findings)
    nobody = patient(sources=MachineSources(index=address, extra_indexes=(index.simple_url,)))
    (_, refused) = check_indexes(dataclasses.replace(nobody, seconds=10.0))
    assert (refused.code, refused.status) == ("extra-index", "problem")
    assert "wants credentials" in refused.what
    assert "secret" not in f"{findings}{refused}"


# --- the Debian mirror ---


@dataclasses.dataclass
class Mirror:
    """A signed archive on loopback, and a project that is told to use it."""

    archive: DebArchive
    index: PackageIndex
    someone: Patient

    def publish(self) -> None:
        """Serve the archive as it is now."""
        self.index.documents = {f"/{path}": data for path, data in self.archive.files().items()}

    def check(self, believed: DebArchive | None = None, **changes: Any) -> list[Finding]:
        """Examine; ``believed`` is whose signature counts, without it that of the archive."""
        believed = believed or self.archive
        table = believed.distribution(["alpha"])
        patient = dataclasses.replace(self.someone, **changes)
        return [*check_mirror(patient, lambda _: table, believed.keyring)]


@pytest.fixture
def mirror(
    patient: Callable[..., Patient], project: Callable[..., Any], index: PackageIndex
) -> Mirror:
    suites = {"bookworm": [make_deb("alpha")], "bookworm-security": []}
    archive = DebArchive(suites=suites)
    archive.valid_until = archive.date + timedelta(days=7)
    request = project(f'debian-mirror = "{index.url}/debian"\n')
    return Mirror(archive=archive, index=index, someone=patient(request=request))


def test_both_archives_of_a_mirror_are_verified(mirror: Mirror) -> None:
    mirror.publish()
    findings = mirror.check()
    assert found(findings) == [("debian-mirror", "ok")] * 2
    assert all("signed by Debian, of 2026-07-01" in one.what for one in findings)
    assert sorted(mirror.index.paths()) == [
        "/debian-security/dists/bookworm-security/InRelease",
        "/debian/dists/bookworm/InRelease",
    ]


def test_a_mirror_that_somebody_else_signed(mirror: Mirror) -> None:
    mirror.publish()
    other = DebArchive(suites=mirror.archive.suites)
    assert found(mirror.check(believed=other)) == [("debian-mirror", "problem")] * 2
    assert found(mirror.check()) == [("debian-mirror", "ok")] * 2


@pytest.mark.parametrize("days", [-30, 30])
def test_a_clock_that_is_wrong_or_a_mirror_that_is_old(mirror: Mirror, days: int) -> None:
    mirror.publish()
    findings = mirror.check(now=mirror.someone.now + timedelta(days=days))
    assert {one.code for one in findings} == {"debian-mirror-date"}
    assert all("the clock says" in one.what and one.hint for one in findings)


def test_a_mirror_that_is_none(mirror: Mirror) -> None:
    findings = mirror.check()
    assert found(findings) == [("debian-mirror", "problem")] * 2
    assert all(one.hint for one in findings)


def test_a_variant_on_another_base_needs_no_mirror(
    patient: Callable[..., Patient], project: Callable[..., Any]
) -> None:
    request = project('base = "python:3.11-slim"\n')
    assert found(check_mirror(patient(request=request))) == [("debian-mirror", "skipped")]
