# SPDX-License-Identifier: Apache-2.0
"""``check`` with a real service on every engine: what each proves, and how each finding looks."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wheelship.engine.check import CheckReport, CheckSpec, Outcome, StepName, check
from wheelship.engine.docker import Client, Docker
from wheelship.engine.embedded import Embedded
from wheelship.engine.errors import PortTaken
from wheelship.engine.loader import Loader
from wheelship.engine.model import Engine, ImageFiles
from wheelship.errors import InputError
from wheelship.events import Event, Finished, Warned, discard
from wheelship.oci.config import Healthcheck
from wheelship.request.model import Check, CheckRequest, Health

pytestmark = pytest.mark.integration

MakeImage = Callable[..., ImageFiles]
NAMES = [
    "starts",
    "healthy",
    "health-probe",
    "user",
    "read-only-root",
    "offline",
    "imports",
    "answers",
    "stops",
]


def spec_for(port: int, project: Path, **fields: object) -> CheckSpec:
    (project / "clip.wav").write_bytes(b"RIFF, or so")
    request = CheckRequest(
        path="/v1/echo",
        method="POST",
        file="clip.wav",
        field="audio",
        expect={
            "field": "audio",
            "filename": "clip.wav",
            "content": "RIFF, or so",
            "segments": [{"start": 3.2, "end": 6.4}, {"start": 8.3}],
        },
    )
    values: dict[str, object] = {
        "check": Check(imports=("demo_service", "http.server"), request=request),
        "health": Health(path="/healthz", port=port),
        "project": project,
        "start_seconds": 60,
        "grace_seconds": 20,
    }
    return CheckSpec(**(values | fields))  # type: ignore[arg-type]


def outcomes(report: CheckReport) -> dict[StepName, Outcome]:
    return {step.name: step.outcome for step in report.steps}


def detail(report: CheckReport, name: str) -> str:
    (found,) = (step.detail for step in report.steps if step.name == name)
    return found


def test_good_image_passes_on_every_engine(
    engine: Engine, make_image: MakeImage, free_port: int, tmp_path: Path
) -> None:
    """Each engine proves all it can, and calls the rest not proven instead of passed."""
    events: list[Event] = []
    image = make_image(port=free_port)
    report = check(image, engine, spec_for(free_port, tmp_path), events.append)
    assert [step.name for step in report.steps] == NAMES
    found = outcomes(report)
    unproven = {name for name, outcome in found.items() if outcome == "not-proven"}
    assert {found[name] for name in found if name not in unproven} == {"passed"}, report
    assert report.ok
    if engine.name == "embedded":
        assert unproven == set()
    elif engine.name == "docker":
        assert unproven == {"offline"}
        assert "the engine agrees" in detail(report, "health-probe")
        assert isinstance(engine, Docker)
        networks = engine.client.call("network", "ls", "--format", "{{.Name}}").splitlines()
        warned = [one.code for one in events if isinstance(one, Warned)]
        assert warned == ([] if "bridge" in networks else ["no-bridge-network"])
    else:
        assert unproven - {"user"} == {"read-only-root", "offline"}
    assert isinstance(report.answer, dict)
    assert report.answer["segments"] == [{"start": 3.0, "end": 6.4}, {"start": 8.3, "end": 11.8}]
    assert detail(report, "imports").startswith("demo_service 1.2.3, http.server")
    assert any(line.startswith("listening as") for line in report.log)
    assert report.to_json()["ok"] is True
    assert {one.subject for one in events if isinstance(one, Finished) and one.step == "check"} == (
        set(NAMES)
    )


def test_second_check_in_docker_loads_nothing(
    docker_client: tuple[Path, dict[str, str]],
    make_image: MakeImage,
    free_port: int,
    tmp_path: Path,
) -> None:
    engine = Docker(client=Client(*docker_client))
    image = make_image(port=free_port)
    loads = []
    volumes = engine.client.call("volume", "ls", "--quiet")
    for _ in range(2):
        events: list[Event] = []
        assert check(image, engine, spec_for(free_port, tmp_path), events.append).ok
        loads.append(sum(one.step == "load" for one in events if isinstance(one, Finished)))
    assert loads == [1, 0]
    ours = ("--filter", "label=wheelship.engine=check")
    assert engine.client.call("ps", "--all", "--quiet", *ours) == ""
    assert engine.client.call("volume", "ls", "--quiet") == volumes


SICK = "raise SystemExit('sick')"


@dataclass(frozen=True, kw_only=True)
class Defect:
    """What is wrong with a service, image or expectation, and which steps must say so."""

    arguments: tuple[str, ...] = ()
    image: dict[str, object] = field(default_factory=dict)
    spec: dict[str, object] = field(default_factory=dict)
    found_by: set[StepName]
    says: str


def probe(*test: str) -> Healthcheck:
    return Healthcheck(
        test=test, interval_seconds=30, timeout_seconds=3, start_period_seconds=0, retries=3
    )


WRONG_ANSWER = CheckRequest(
    path="/v1/echo",
    method="POST",
    json={"a": 1},
    expect={"json": {"a": 2}, "segments": [{"start": 3.5}, {}]},
)

DEFECTS = {
    "dies at once": Defect(
        arguments=("--exit", "3"), found_by={"healthy"}, says="the service ended with status 3"
    ),
    "no such program": Defect(
        image={"entrypoint": ("missing-program",)}, found_by={"starts"}, says="missing-program"
    ),
    "never healthy": Defect(
        arguments=("--unhealthy",),
        spec={"start_seconds": 1.5},
        found_by={"healthy"},
        says="gave 503",
    ),
    # Root without capabilities cannot even write to what belongs to the service's user.
    "runs as root": Defect(
        image={"user": ""}, found_by={"user", "read-only-root"}, says="runs as root"
    ),
    "probe needs a shell": Defect(
        image={"healthcheck": probe("CMD-SHELL", "curl -f localhost")},
        found_by={"health-probe"},
        says="needs a shell",
    ),
    "probe fails": Defect(
        image={"healthcheck": probe("CMD", "python", "-c", SICK)},
        found_by={"health-probe"},
        says="status 1: sick",
    ),
    "ignores SIGTERM": Defect(
        arguments=("--ignore-term",),
        spec={"grace_seconds": 1},
        found_by={"stops"},
        says="had to be killed after 1 s",
    ),
    "module is missing": Defect(
        spec={"check": Check(imports=("json", "nowhere"))},
        found_by={"imports"},
        says="nowhere: ModuleNotFoundError: No module named 'nowhere'",
    ),
    "module ends Python": Defect(
        spec={"check": Check(imports=("json", "crasher"))},
        found_by={"imports"},
        says="crasher: ended Python with 139",
    ),
    "other status": Defect(
        spec={"check": Check(request=CheckRequest(path="/nowhere"))},
        found_by={"answers"},
        says="status 404, expected 200",
    ),
    "other answer": Defect(
        spec={"check": Check(request=WRONG_ANSWER)},
        found_by={"answers"},
        says="$.json.a is 1, expected 2 ± 0.25; $.segments[0].start is 3.0, expected 3.5 ± 0.25",
    ),
    "writes to its root": Defect(
        arguments=("--write", "/app/state"),
        found_by={"healthy"},
        says="the service ended with status 1",
    ),
    "declared directory is not its own": Defect(
        image={"volumes": ("/data", "/other")},
        found_by={"read-only-root"},
        says="cannot write to /other (EACCES)",
    ),
}
EXTRA = {"app/crasher.py": b"import os; os.kill(os.getpid(), 11)", "other": (0o755, 0)}


def assert_found(
    defect: Defect, engine: Engine, make_image: MakeImage, port: int, project: Path
) -> CheckReport:
    command = ("--port", str(port), *defect.arguments)
    image = make_image(port=port, extra=EXTRA, **({"command": command} | defect.image))
    report = check(image, engine, spec_for(port, project, **defect.spec), discard)
    failed = {name for name, outcome in outcomes(report).items() if outcome == "failed"}
    assert failed == defect.found_by, report
    assert any(defect.says in step.detail for step in report.steps), report
    assert not report.ok
    return report


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_is_found(
    embedded: Embedded, make_image: MakeImage, free_port: int, tmp_path: Path, defect: str
) -> None:
    assert_found(DEFECTS[defect], embedded, make_image, free_port, tmp_path)


@pytest.mark.parametrize("defect", ["dies at once", "no such program", "ignores SIGTERM"])
def test_defect_is_found_by_every_engine(
    engine: Engine, make_image: MakeImage, free_port: int, tmp_path: Path, defect: str
) -> None:
    assert_found(DEFECTS[defect], engine, make_image, free_port, tmp_path)


def test_report_of_a_dead_service_ends_with_its_last_words(
    embedded: Embedded, make_image: MakeImage, free_port: int, tmp_path: Path
) -> None:
    report = assert_found(DEFECTS["dies at once"], embedded, make_image, free_port, tmp_path)
    assert report.log == ("giving up",)
    assert report.healthy_seconds is None
    assert outcomes(report)["answers"] == "skipped"


def test_taken_port_is_said_before_anything_starts(
    make_image: MakeImage, workspace: Path, free_port: int, tmp_path: Path
) -> None:
    """Without a network of its own, the service's port is one of this machine's."""
    engine = Loader(workspace=workspace, python=Path(sys.executable))
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(PortTaken, match=f"needs port {free_port} of this machine"):
            check(make_image(port=free_port), engine, spec_for(free_port, tmp_path), discard)


def test_loader_keeps_its_user_where_the_images_cannot_get(
    make_image: MakeImage, free_port: int, tmp_path: Path
) -> None:
    """Root could become the image's user, but a home of mode 0700 is closed to that one."""
    tmp_path.chmod(0o700)
    engine = Loader(workspace=tmp_path, python=Path(sys.executable))
    report = check(make_image(port=free_port), engine, spec_for(free_port, tmp_path), discard)
    assert report.ok, report
    assert outcomes(report)["user"] == "not-proven"


def test_embedded_engine_takes_no_port_of_this_machine(
    embedded: Embedded, make_image: MakeImage, free_port: int, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        report = check(make_image(port=free_port), embedded, spec_for(free_port, tmp_path), discard)
    assert report.ok, report


def test_missing_file_of_the_request_is_an_error_of_the_configuration(
    embedded: Embedded, make_image: MakeImage, free_port: int, tmp_path: Path
) -> None:
    request = CheckRequest(path="/v1/echo", method="POST", file="missing.wav")
    spec = spec_for(free_port, tmp_path, check=Check(request=request))
    with pytest.raises(InputError, match="cannot read the check's file: No such file"):
        check(make_image(port=free_port), embedded, spec, discard)
