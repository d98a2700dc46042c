# SPDX-License-Identifier: Apache-2.0
"""The order and the verdicts of a check: a service that behaves as told, a clock of its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import pytest

from wheelship.engine.check import CheckReport, CheckSpec, check
from wheelship.engine.check.probes import FACTS, IMPORTS, MARK
from wheelship.engine.errors import StartFailed
from wheelship.engine.model import (
    Claim,
    Clock,
    EngineName,
    Executed,
    Health,
    ImageFiles,
    Options,
)
from wheelship.events import Emit, Event, Finished, Started, discard
from wheelship.oci.config import Healthcheck, ImageConfig
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.request.model import Check

FACTS_OF_A_GOOD_SERVICE = {
    "uid": 65532,
    "gid": 65532,
    "capabilities": "0" * 16,
    "no_new_privileges": "1",
    "prefix": "/opt/venv",
    "closed": {"/": "EROFS", "/opt/venv": "EROFS"},
    "open": {"/tmp": "", "/data": ""},  # noqa: S108 - the image's own
}


KILLED = (
    "had to be killed after 10 s: "
    "the first process of a container gets no SIGTERM unless it handles it; "
    'one that ends on Ctrl-C needs stop-signal = "SIGINT"'
)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep)


@dataclass
class Service:
    """A service that answers as its fields say; healthy from ``healthy_at`` on."""

    time: Time
    facts: Mapping[str, object] | str = field(default_factory=lambda: FACTS_OF_A_GOOD_SERVICE)
    unproven: Mapping[Claim, str] = field(default_factory=dict)
    healthy_at: float = 1.0
    dies_at: float = 1e9
    end_status: int = 3
    answers_at: float = 1e9
    stop_status: int | None = 0
    engine_health: tuple[Health | None, ...] = (None,)
    import_lines: Sequence[bytes] = ()
    stopped: bool = False
    closed: bool = False
    peers: list[socket.socket] = field(default_factory=list)

    def status(self) -> int | None:
        if self.stopped:
            return self.stop_status or 137
        return self.end_status if self.time.seconds >= self.dies_at else None

    def health(self) -> Health | None:
        first, *rest = self.engine_health
        self.engine_health = tuple(rest) or (first,)
        return first

    def dial(self, port: int) -> socket.socket:
        if self.time.seconds < self.answers_at:
            raise ConnectionRefusedError(111, f"refused {port}")
        ours, theirs = socket.socketpair()
        theirs.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        theirs.shutdown(socket.SHUT_WR)
        self.peers.append(theirs)
        return ours

    def execute(self, argv: Sequence[str], *, timeout_seconds: float) -> Executed:
        assert timeout_seconds > 0
        if FACTS in argv:
            text = self.facts if isinstance(self.facts, str) else json.dumps(self.facts)
            return Executed(0, text.encode(), b"Traceback\nOSError: no facts")
        if IMPORTS in argv:
            return Executed(1, b"\n".join(self.import_lines), b"last words")
        if argv[0] == "missing":
            raise StartFailed("cannot execute missing")
        return Executed(0 if self.time.seconds >= self.healthy_at else 1, b"", b"not yet")

    def stop(self, *, grace_seconds: float) -> int | None:
        self.stopped = True
        self.time.sleep(grace_seconds if self.stop_status is None else 0.5)
        return self.stop_status

    def log(self, lines: int) -> tuple[str, ...]:
        return tuple(f"line {number}" for number in range(100))[-lines:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        for peer in self.peers:
            peer.close()


@dataclass
class Engine:
    name: ClassVar[EngineName] = "embedded"
    service: Service | StartFailed

    def start(self, image: ImageFiles, options: Options, emit: Emit) -> Service:
        del image, options, emit
        if isinstance(self.service, StartFailed):
            raise self.service
        return self.service


def run(
    service: Service | StartFailed,
    emit: Emit = discard,
    *,
    test: tuple[str, ...] = ("CMD", "probe"),
    user: str = "65532:65532",
    port: int | None = None,
    imports: tuple[str, ...] = (),
    stop_signal: str = "",
) -> CheckReport:
    nothing = Digest.of(b"")
    image = ImageFiles(
        reference="demo:cpu",
        manifest_digest=nothing,
        config_digest=nothing,
        config=ImageConfig(
            platform=Platform(architecture="amd64"),
            diff_ids=(),
            command=("serve",),
            user=user,
            volumes=("/data",),
            ports=() if port is None else (port,),
            stop_signal=stop_signal,
            healthcheck=Healthcheck(
                test=test,
                interval_seconds=30,
                timeout_seconds=3,
                start_period_seconds=0,
                retries=3,
            )
            if test
            else None,
        ),
        layers=(),
        write_docker_archive=lambda _: None,
    )
    time = service.time if isinstance(service, Service) else Time()
    spec = CheckSpec(check=Check(imports=imports), project=Path("/"), start_seconds=10)
    return check(image, Engine(service), spec, emit, time.clock())


def found(report: CheckReport, name: str) -> tuple[str, str]:
    (step,) = (step for step in report.steps if step.name == name)
    return step.outcome, step.detail


def test_steps_are_told_as_they_happen_and_all_stand_in_the_report() -> None:
    events: list[Event] = []
    service = Service(Time())
    report = run(service, events.append)
    names = [step.name for step in report.steps]
    assert names[0] == "starts"
    assert names[-1] == "stops"
    assert [one.subject for one in events if isinstance(one, Started)] == names
    assert [one.subject for one in events if isinstance(one, Finished)] == names
    assert report.ok
    assert service.closed
    assert len(report.log) == 40


def test_durations_are_from_started_to_healthy_and_from_signal_to_end() -> None:
    report = run(Service(Time(), healthy_at=2.5))
    assert report.healthy_seconds == pytest.approx(2.5, abs=0.06)
    assert report.stop_seconds == 0.5
    assert report.to_json()["healthy_seconds"] == report.healthy_seconds


def test_image_that_does_not_start_skips_everything_else() -> None:
    report = run(StartFailed("cannot execute x"))
    assert found(report, "starts") == ("failed", "cannot execute x")
    assert {step.outcome for step in report.steps if step.name != "starts"} == {"skipped"}
    assert not report.ok
    assert report.healthy_seconds is report.stop_seconds is None


def test_service_that_never_becomes_healthy_is_examined_all_the_same() -> None:
    report = run(Service(Time(), healthy_at=1e6))
    assert found(report, "healthy") == (
        "failed",
        "not healthy after 10 s; its own health check gave 1",
    )
    assert found(report, "user")[0] == "passed"
    assert found(report, "stops")[0] == "passed"
    assert found(report, "health-probe")[0] == found(report, "answers")[0] == "skipped"


def test_service_that_dies_early_is_not_asked_anything() -> None:
    report = run(Service(Time(), healthy_at=5, dies_at=1))
    assert found(report, "healthy") == ("failed", "the service ended with status 3")
    assert {step.outcome for step in report.steps[2:]} == {"skipped"}


def test_image_without_any_health_check_is_not_proven_and_goes_on() -> None:
    report = run(Service(Time()), test=())
    assert found(report, "healthy")[0] == "not-proven"
    assert found(report, "health-probe") == (
        "not-proven",
        "the image has no health check of its own",
    )
    assert found(report, "stops")[0] == "passed"
    assert report.ok


def test_a_job_passes_when_it_ends_with_0() -> None:
    """A program without a port may have nothing more to do; that is no failure of the image."""
    report = run(Service(Time(), dies_at=2, end_status=0), test=())
    assert found(report, "healthy") == ("passed", "ran to its end with status 0")
    rest = {(step.outcome, step.detail) for step in report.steps[2:]}
    assert rest == {("skipped", "the program had run to its end")}
    assert report.ok


def test_a_job_fails_when_it_ends_with_an_error() -> None:
    report = run(Service(Time(), dies_at=2), test=())
    assert found(report, "healthy") == ("failed", "the program ended with status 3")
    assert found(report, "stops") == ("skipped", "the service did not come this far")
    assert not report.ok


def test_a_worker_is_watched_for_a_while() -> None:
    service = Service(Time())
    report = run(service, test=())
    assert found(report, "healthy")[1].startswith("still runs after 3 s; neither")
    assert report.steps[1].seconds == pytest.approx(3, abs=0.06)
    assert found(report, "user")[0] == "passed"


def test_a_server_without_a_health_check_is_waited_for() -> None:
    """Asked to stop while it still starts, it would be killed, and the check would blame it."""
    report = run(Service(Time(), answers_at=4), test=(), port=8000)
    assert found(report, "healthy")[0] == "not-proven"
    assert found(report, "healthy")[1].startswith("GET / on port 8000 gave 404; neither")
    assert report.steps[1].seconds == pytest.approx(4, abs=0.06)
    assert report.ok


def test_a_server_that_never_answers_is_given_up() -> None:
    report = run(Service(Time()), test=(), port=8000)
    assert found(report, "healthy")[0] == "not-proven"
    assert report.steps[1].seconds == pytest.approx(10, abs=0.06)


def test_a_server_that_ends_failed_even_with_0() -> None:
    report = run(Service(Time(), dies_at=2, end_status=0), test=(), port=8000)
    assert found(report, "healthy") == ("failed", "the service ended with status 0")


def test_probe_that_cannot_be_executed_is_a_finding() -> None:
    report = run(Service(Time()), test=("CMD", "missing"))
    assert found(report, "healthy") == ("failed", "cannot execute missing")


@pytest.mark.parametrize(
    ("verdicts", "outcome", "detail"),
    [
        (
            ("starting", "starting", "healthy"),
            "passed",
            "`probe` exits 0, no shell; the engine agrees",
        ),
        (("starting", "unhealthy"), "failed", "the engine calls the container unhealthy"),
        (("starting",), "failed", "the engine calls the container starting"),
    ],
)
def test_engine_that_runs_the_probe_itself_has_a_say(
    verdicts: tuple[Health, ...], outcome: str, detail: str
) -> None:
    got = found(run(Service(Time(), engine_health=verdicts)), "health-probe")
    assert got[0] == outcome
    assert detail in got[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uid": 0}, "runs as 0:65532, the image says 65532:65532"),
        ({"gid": 0}, "runs as 65532:0"),
        ({"capabilities": "00000000a80425fb"}, "has privileges"),
        ({"no_new_privileges": "0"}, "could gain some"),
    ],
)
def test_user_is_who_the_image_says_and_nobody_special(
    change: dict[str, object], says: str
) -> None:
    report = run(Service(Time(), facts=FACTS_OF_A_GOOD_SERVICE | change))
    assert found(report, "user")[0] == "failed"
    assert says in found(report, "user")[1]


@pytest.mark.parametrize("user", ["", "0:0", "0"])
def test_image_for_root_fails_even_where_nothing_can_be_proven(user: str) -> None:
    service = Service(Time(), unproven={"user": "because"})
    assert found(run(service, user=user), "user") == ("failed", "the image runs as root")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"closed": {"/": "", "/opt/venv": "EROFS"}}, "not read-only: / (written)"),
        ({"closed": {"/": "EACCES"}}, "not read-only: / (EACCES)"),
        ({"open": {"/tmp": "", "/data": "EACCES"}}, "cannot write to /data (EACCES)"),  # noqa: S108 - the image's own
    ],
)
def test_only_a_read_only_file_system_is_read_only(change: dict[str, object], says: str) -> None:
    """EACCES says that this user may not write; another, or a changed mode, could."""
    report = run(Service(Time(), facts=FACTS_OF_A_GOOD_SERVICE | change))
    assert found(report, "read-only-root") == ("failed", says)


def test_what_cannot_be_proven_is_not_passed() -> None:
    reasons: dict[Claim, str] = {"user": "a", "read-only-root": "b", "offline": "c"}
    report = run(Service(Time(), unproven=reasons))
    assert {name: found(report, name) for name in reasons} == {
        name: ("not-proven", reason) for name, reason in reasons.items()
    }
    assert report.ok


def test_image_without_python_is_a_finding() -> None:
    report = run(Service(Time(), facts="no json"))
    assert found(report, "user") == (
        "failed",
        "python3 in the image ended with 0: OSError: no facts",
    )


def imported(**fields: str) -> bytes:
    return MARK + json.dumps(fields).encode()


def test_imports_are_named_with_their_versions() -> None:
    lines = [
        b"printed by torch",
        imported(version="2.13.0"),
        b'{"not": "ours"}',
        imported(version=""),
    ]
    report = run(Service(Time(), import_lines=lines), imports=("torch", "mine"))
    assert found(report, "imports") == ("passed", "torch 2.13.0, mine")


def test_broken_imports_are_all_named() -> None:
    lines = [imported(error="E1"), imported(version="1"), imported(error="E2")]
    report = run(Service(Time(), import_lines=lines), imports=("a", "b", "c"))
    assert found(report, "imports") == ("failed", "a: E1; c: E2")


def test_import_that_ends_the_interpreter_is_named() -> None:
    lines = [imported(version="1")]
    report = run(Service(Time(), import_lines=lines), imports=("a", "b", "c"))
    assert found(report, "imports") == ("failed", "b: ended Python with 1: last words")


@pytest.mark.parametrize(
    ("status", "outcome", "detail"),
    [
        (0, "passed", "status 0"),
        (143, "passed", "status 143"),
        (1, "failed", "ended with status 1"),
        (
            None,
            "failed",
            KILLED,
        ),
    ],
)
def test_stopping(status: int | None, outcome: str, detail: str) -> None:
    report = run(Service(Time(), stop_status=status))
    assert found(report, "stops") == (outcome, detail)
    assert (report.stop_seconds is None) == (outcome == "failed")


@pytest.mark.parametrize(("status", "outcome"), [(0, "passed"), (130, "passed"), (143, "failed")])
def test_stopping_by_another_signal(status: int, outcome: str) -> None:
    report = run(Service(Time(), stop_status=status), stop_signal="SIGINT")
    assert found(report, "stops")[0] == outcome


def test_a_hint_for_one_signal_is_none_for_another() -> None:
    report = run(Service(Time(), stop_status=None), stop_signal="SIGINT")
    assert found(report, "stops")[1].endswith("gets no SIGINT unless it handles it")
