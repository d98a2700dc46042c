# SPDX-License-Identifier: Apache-2.0
"""The real uv resolves against an index on loopback; one test asks the public one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uv

from wheelship.errors import ExitStatus
from wheelship.events import Event, Finished, Started, Warned
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.tls import system_context
from wheelship.lock.change import LockChange
from wheelship.lock.consistency import InconsistentPackages
from wheelship.lock.document import lock_path
from wheelship.lock.errors import (
    IndexOffline,
    IndexUnauthorized,
    IndexUnreachable,
    InvalidLock,
    LockOutOfDate,
    NotAWheel,
    SdistOnly,
    Unresolvable,
)
from wheelship.lock.inputs import lock_inputs
from wheelship.lock.locking import LockContext, resolve_variant, targets_of
from wheelship.lock.machine import MachineSources, machine_sources, pip_config_files
from wheelship.lock.model import LockedWheel
from wheelship.lock.read import Lock, read_lock
from wheelship.lock.upgrade import Upgrade
from wheelship.oci.platform import Platform
from wheelship.request.model import Accelerator, Budget, Check, Project, Sources, Variant
from wheelship.testing.index import Fault, PackageIndex
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
X86 = "cp311-cp311-manylinux_2_28_x86_64"


@dataclass
class Service:
    """A project whose packages come from an index of ours."""

    root: Path
    index: PackageIndex
    context: LockContext
    events: list[Event]
    project: Project = field(init=False)
    variant: Variant = field(init=False)

    def __post_init__(self) -> None:
        self.project = Project(
            root=self.root,
            name="service",
            version="1",
            requires_python=">=3.11",
            dependencies=(),
            extras={},
            groups={},
            scripts={},
            config_file=None,
        )
        self.variant = Variant(
            name="cpu",
            accelerator=Accelerator.CPU,
            platforms=(AMD64,),
            python="3.11",
            omit={},
            sources=Sources(index=self.index.simple_url),
            env={},
            labels={},
            check=Check(),
            budget=Budget(),
        )

    def publish(self, name: str, version: str = "1.0", **kind: Any) -> str:
        """Put a wheel into the index and return its hash."""
        return publish(self.index.files, name, version, **kind)

    def needs(self, *requirements: str, **project: Any) -> None:
        self.project = replace(self.project, dependencies=requirements, **project)

    def wants(self, **variant: Any) -> None:
        self.variant = replace(self.variant, **variant)

    def sources(self, **sources: Any) -> None:
        self.wants(sources=replace(self.variant.sources, **sources))

    def lock(self, upgrade: Upgrade | None = None, **context: Any) -> LockChange:
        ambient = replace(self.context, **context)
        resolved = resolve_variant(self.project, self.variant, ambient, upgrade or Upgrade())
        resolved.write()
        return resolved.change

    def read(self) -> Lock:
        return read_lock(lock_path(self.root, self.variant.name))

    def wheels(self, platform: Platform = AMD64) -> dict[str, LockedWheel]:
        (target,) = (one for one in targets_of(self.variant) if one.platform == platform)
        return {wheel.name: wheel for wheel in self.read().select(target)}

    def versions(self, platform: Platform = AMD64) -> dict[str, str]:
        return {name: wheel.version for name, wheel in self.wheels(platform).items()}


def versions_of(change: LockChange) -> dict[str, tuple[str | None, str | None]]:
    return {one.name: (one.old, one.new) for one in change.packages}


def publish(directory: Path, name: str, version: str = "1.0", **kind: Any) -> str:
    directory.mkdir(exist_ok=True)
    wheel = make_wheel(name.replace("-", "_"), version, **kind)
    wheel.write(directory)
    return wheel.sha256


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    for name in ("served", "project", "cache"):
        (tmp_path / name).mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
    }
    events: list[Event] = []
    context = LockContext(
        uv=Path(uv.find_uv_bin()),
        python=Path(sys.executable),
        environment=environment,
        machine=MachineSources(),
        size_of=Fetcher(user_agent="test").size,
        emit=events.append,
    )
    with PackageIndex(tmp_path / "served") as index:
        yield Service(tmp_path / "project", index, context, events)


def test_lock_names_exactly_one_wheel_per_package(service: Service) -> None:
    sha256 = service.publish("demo", requires=["helper>=1"])
    service.publish("helper")
    service.needs("demo")
    change = service.lock()
    assert versions_of(change) == {"demo": (None, "1.0"), "helper": (None, "1.0")}
    demo = service.wheels()["demo"]
    assert demo.url == service.index.file_url("demo-1.0-py3-none-any.whl")
    assert demo.sha256 == sha256
    assert demo.size_bytes == (service.index.files / demo.filename).stat().st_size
    assert demo.requires == ("helper",)
    assert service.events == [
        Started("resolve", "cpu"),
        Finished("resolve", "cpu", "done", "2 packages"),
    ]
    assert not any(path.endswith(".whl") for path in service.index.paths())
    service.read().require_current(lock_inputs(service.project, service.variant))


def test_c_library_of_the_base_decides(service: Service) -> None:
    """``uv lock`` would take 2.0 for both and leave bookworm without a wheel."""
    for python in ("cp311", "cp313"):
        service.publish("native", "2.0", tag=f"{python}-{python}-manylinux_2_39_x86_64")
        service.publish("native", "1.0", tag=f"{python}-{python}-manylinux_2_17_x86_64")
    service.needs("native")
    service.lock()
    assert service.versions() == {"native": "1.0"}
    service.wants(python="3.13", name="newer")
    service.lock()
    assert service.versions() == {"native": "2.0"}
    assert service.wheels()["native"].tags == "cp313-cp313-manylinux_2_39_x86_64"


def test_most_specific_wheel_is_locked(service: Service) -> None:
    """``soundfile`` has a pure wheel, which is no use, beside one that brings its library."""
    for tag in ("py3-none-any", "py3-none-manylinux_2_17_x86_64", "py3-none-manylinux_2_5_x86_64"):
        service.publish("demo", tag=tag)
    service.needs("demo")
    service.lock()
    assert service.wheels()["demo"].tags == "py3-none-manylinux_2_17_x86_64"


def test_markers_are_those_of_the_target(service: Service) -> None:
    for name in ("everywhere", "intel", "arm", "old", "new", "windows"):
        service.publish(name)
    service.needs(
        "everywhere",
        "intel; platform_machine == 'x86_64'",
        "arm; platform_machine == 'aarch64'",
        "old; python_version < '3.12'",
        "new; python_version >= '3.12'",
        "windows; sys_platform == 'win32'",
    )
    service.wants(platforms=(AMD64, ARM64))
    service.lock()
    assert sorted(service.versions(AMD64)) == ["everywhere", "intel", "old"]
    assert sorted(service.versions(ARM64)) == ["arm", "everywhere", "old"]
    service.wants(python="3.13")
    service.lock()
    assert sorted(service.versions(ARM64)) == ["arm", "everywhere", "new"]


def test_platforms_share_versions_where_they_can(service: Service) -> None:
    for machine in ("x86_64", "aarch64"):
        service.publish("shared", tag=f"cp311-cp311-manylinux_2_17_{machine}")
    service.publish("late", "1.0")
    service.publish("late", "2.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    service.needs("shared", "late")
    service.wants(platforms=(AMD64, ARM64))
    service.lock()
    assert service.versions(AMD64) == {"late": "1.0", "shared": "1.0"}
    assert service.versions(ARM64) == service.versions(AMD64)
    assert service.wheels(ARM64)["shared"].tags.endswith("aarch64")
    assert service.wheels(AMD64)["shared"].tags.endswith("x86_64")


def test_locked_versions_are_kept_until_told_otherwise(service: Service) -> None:
    for name in ("one", "two", "three"):
        service.publish(name, "1.0")
    service.needs("one", "two")
    service.lock()
    for name in ("one", "two", "three"):
        service.publish(name, "2.0")
    service.needs("one", "two", "three")
    change = service.lock(environment={**service.context.environment, "UV_NO_CACHE": "1"})
    assert versions_of(change) == {"three": (None, "2.0")}
    change = service.lock(Upgrade(packages=frozenset({"two"})))
    assert versions_of(change) == {"two": ("1.0", "2.0")}
    change = service.lock(Upgrade(everything=True))
    assert versions_of(change) == {"one": ("1.0", "2.0")}
    assert not service.lock()


def test_locked_version_gives_way_to_a_requirement(service: Service) -> None:
    service.publish("one", "1.0")
    service.publish("one", "2.0")
    service.needs("one<2")
    service.lock()
    service.needs("one>=2")
    assert versions_of(service.lock()) == {"one": ("1.0", "2.0")}


def test_same_request_gives_the_same_file(service: Service) -> None:
    service.publish("demo", requires=["helper"])
    service.publish("helper")
    service.needs("demo")
    service.lock()
    path = lock_path(service.root, "cpu")
    before = (path.read_bytes(), path.stat().st_ino)
    service.lock()
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_changed_request_is_noticed(service: Service) -> None:
    service.publish("demo")
    service.publish("more")
    service.needs("demo")
    service.lock()
    service.needs("demo", "more")
    with pytest.raises(LockOutOfDate, match=r"requirement: \+ more"):
        service.read().require_current(lock_inputs(service.project, service.variant))
    service.lock()
    service.read().require_current(lock_inputs(service.project, service.variant))


def test_constraints_exclusions_extras_and_groups(service: Service) -> None:
    for version in ("1.0", "2.0"):
        service.publish("helper", version)
    service.publish("demo", requires=["helper", "useless"])
    service.publish("useless")
    service.publish("sound")
    service.publish("server")
    service.publish("unchosen")
    service.needs(
        "demo",
        constraints=("helper<2", "absent==1"),
        extras={"audio": ("sound",), "other": ("unchosen",)},
        groups={"serve": ("server",)},
    )
    service.wants(exclude_packages=("useless",), extras=("audio",), groups=("serve",))
    service.lock()
    assert service.versions() == {"demo": "1.0", "helper": "1.0", "server": "1.0", "sound": "1.0"}


# Accelerators


def local_torch(service: Service, version: str = "2.13.0+cpu", **kind: Any) -> Path:
    directory = service.root / "wheels"
    publish(directory, "torch", version, tag=X86, purelib=False, requires=["helper"], **kind)
    service.sources(find_links=(directory,))
    return directory / f"torch-{version}-{X86}.whl"


def public_torch(service: Service) -> None:
    """The main index has what PyPI has: a newer torch, for CUDA, without a label."""
    service.publish("helper")
    service.publish("triton")
    service.publish("torch", "2.13.0", tag=X86, requires=["helper", "triton"])
    service.publish("torch", "2.15.0", tag=X86, requires=["helper", "triton"])


def test_local_wheel_is_locked_by_relative_path(service: Service) -> None:
    public_torch(service)
    path = local_torch(service)
    service.needs("torch==2.13.0")
    service.lock()
    torch = service.wheels()["torch"]
    assert (torch.version, torch.path, torch.url) == ("2.13.0+cpu", path, None)
    assert torch.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.size_bytes == path.stat().st_size
    text = lock_path(service.root, "cpu").read_text()
    assert f'path = "wheels/{path.name}"' in text
    assert str(service.root) not in text
    assert sorted(service.versions()) == ["helper", "torch"]
    # uv unpacks what it has to hash itself, all of it.
    assert not list((service.root.parent / "cache").rglob("torch/__init__.py"))


def test_lock_holds_in_another_checkout(service: Service, tmp_path: Path) -> None:
    public_torch(service)
    local_torch(service)
    service.needs("torch==2.13.0")
    service.lock()
    shutil.copytree(service.root, tmp_path / "elsewhere")
    service.project = replace(service.project, root=tmp_path / "elsewhere")
    service.root = tmp_path / "elsewhere"
    service.sources(find_links=(service.root / "wheels",))
    service.read().require_current(lock_inputs(service.project, service.variant))
    assert service.wheels()["torch"].path == service.root / "wheels" / f"torch-2.13.0+cpu-{X86}.whl"
    assert not service.lock()


def test_transitive_torch_is_routed_too(service: Service) -> None:
    """Nothing names torch, but silero-vad requires it: the newest one would be the CUDA build."""
    public_torch(service)
    local_torch(service)
    service.publish("silero-vad", requires=["torch>=1"])
    service.needs("silero-vad")
    service.lock()
    assert service.versions() == {"helper": "1.0", "silero-vad": "1.0", "torch": "2.13.0+cpu"}


def test_transitive_torch_that_only_the_right_index_has(service: Service) -> None:
    """The first resolution fails; what it says is reason enough to look in the right place."""
    public_torch(service)
    local_torch(service, "2.14.0+cpu")
    service.publish("silero-vad", requires=["torch==2.14.0"])
    service.needs("silero-vad")
    service.lock()
    assert service.versions()["torch"] == "2.14.0+cpu"


def test_fitting_local_wheel_makes_the_accelerator_s_index_unnecessary(
    service: Service, tmp_path: Path
) -> None:
    public_torch(service)
    local_torch(service)
    service.needs("torch")
    with PackageIndex(tmp_path / "served") as accelerator:
        service.sources(torch_index=accelerator.simple_url)
        service.lock()
        assert accelerator.received == []
        assert service.versions()["torch"] == "2.13.0+cpu"
        service.needs("torch==2.15.0")
        with pytest.raises(InconsistentPackages):
            service.lock()
        assert "/simple/torch/" in accelerator.paths()


@pytest.mark.parametrize(
    ("accelerator", "version", "label"), [("cuda", "13.0", "cu130"), ("rocm", "6.4", "rocm6.4")]
)
def test_cpu_wheel_never_enters_another_accelerator(
    service: Service, tmp_path: Path, accelerator: str, version: str, label: str
) -> None:
    public_torch(service)
    local_torch(service)
    publish(tmp_path / "builds", "torch", f"2.13.0+{label}", tag=X86, requires=["helper"])
    service.wants(
        name=accelerator, accelerator=Accelerator(accelerator), accelerator_version=version
    )
    service.needs("torch>=2")
    with PackageIndex(tmp_path / "builds") as builds:
        service.sources(torch_index=builds.simple_url)
        service.lock()
        torch = service.wheels()["torch"]
        assert torch.version == f"2.13.0+{label}"
        assert torch.url == builds.file_url(torch.filename)
    assert "helper" in service.versions()


def test_directory_takes_the_place_of_an_index(service: Service, tmp_path: Path) -> None:
    public_torch(service)
    (tmp_path / "index/torch").mkdir(parents=True)
    publish(tmp_path / "builds", "torch", "2.13.0+cu130", tag=X86)
    (wheel,) = (tmp_path / "builds").iterdir()
    page = f'<!DOCTYPE html><a href="{wheel.as_uri()}">{wheel.name}</a>'
    (tmp_path / "index/torch/index.html").write_text(page)
    service.wants(name="cuda", accelerator=Accelerator.CUDA)
    service.sources(torch_index=str(tmp_path / "index"))
    service.needs("torch")
    service.lock()
    torch = service.wheels()["torch"]
    assert (torch.path, torch.version) == (wheel, "2.13.0+cu130")
    assert torch.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_public_build_is_used_where_it_is_known_to_fit(service: Service) -> None:
    public_torch(service)
    service.wants(name="cuda", accelerator=Accelerator.CUDA, accelerator_version="13.0")
    service.needs("torch==2.13.0")
    service.lock()
    assert service.versions() == {"helper": "1.0", "torch": "2.13.0", "triton": "1.0"}


def test_other_local_wheels_count_for_every_accelerator(service: Service) -> None:
    service.publish("tool", "1.0")
    sha256 = publish(service.root / "wheels", "tool", "1.5")
    publish(service.root / "more", "tool", "1.5", files={"tool.py": b"another"})
    machine = MachineSources(find_links=(service.root / "more",))
    service.sources(find_links=(service.root / "wheels",))
    service.wants(name="cuda", accelerator=Accelerator.CUDA)
    service.needs("tool")
    service.lock(machine=machine)
    tool = service.wheels()["tool"]
    assert (tool.version, tool.sha256) == ("1.5", sha256)
    assert tool.path == service.root / "wheels" / tool.filename
    service.publish("tool", "1.6")
    service.lock(Upgrade(everything=True))
    assert service.wheels()["tool"].url is not None


def test_packages_of_another_accelerator_are_refused_before_anything_is_written(
    service: Service,
) -> None:
    service.publish("metrics", requires=["nvidia-cublas"])
    service.publish("nvidia_cublas")
    service.needs("metrics")
    with pytest.raises(InconsistentPackages, match="metrics → nvidia-cublas") as caught:
        service.lock()
    assert caught.value.hint == 'leave out what is not used: exclude = ["nvidia-cublas"]'
    assert list(service.root.iterdir()) == []
    service.wants(exclude_packages=("nvidia-cublas",))
    service.lock()
    assert service.versions() == {"metrics": "1.0"}


# Failures


def test_source_only_package(service: Service) -> None:
    service.publish("app", requires=["sdonly"])
    (service.index.files / "sdonly-1.0.tar.gz").write_bytes(b"never opened")
    service.needs("app")
    with pytest.raises(SdistOnly) as caught:
        service.lock()
    assert caught.value.message.startswith("sdonly (required by app): no wheel for Python 3.11")
    assert "find-links" in str(caught.value.hint)
    assert caught.value.exit_status is ExitStatus.INPUT
    assert service.events[-1] == Finished("resolve", "cpu", "failed")
    assert not any("tar.gz" in path for path in service.index.paths())


@pytest.mark.parametrize(
    "requirement",
    ["x @ git+https://example.org/x.git", "x @ https://example.org/x-1.0.tar.gz"],
)
def test_requirement_that_would_be_built(service: Service, requirement: str) -> None:
    service.needs(requirement)
    with pytest.raises(NotAWheel, match=r"x is no wheel but (git\+)?https://example.org/x"):
        service.lock()


def test_wheel_named_by_its_address(service: Service) -> None:
    sha256 = service.publish("demo")
    address = service.index.file_url("demo-1.0-py3-none-any.whl")
    service.needs(f"demo @ {address}")
    service.lock()
    demo = service.wheels()["demo"]
    assert (demo.url, demo.sha256, demo.version) == (address, sha256, "1.0")
    assert demo.size_bytes == (service.index.files / demo.filename).stat().st_size


def test_impossible_requirements_are_explained_by_uv(service: Service) -> None:
    service.publish("demo", requires=["helper>=2"])
    service.publish("helper")
    service.needs("demo", "helper<2")
    with pytest.raises(Unresolvable) as caught:
        service.lock()
    assert caught.value.exit_status is ExitStatus.INPUT
    assert "service depends on helper<2" in caught.value.message
    assert "demo depend on helper>=2" in caught.value.message
    assert not lock_path(service.root, "cpu").exists()


def test_failure_names_the_wheels_that_were_left_aside(service: Service) -> None:
    public_torch(service)
    path = local_torch(service)
    service.needs("torch==2.14.0")
    service.sources(torch_index=service.index.simple_url)
    with pytest.raises(Unresolvable) as caught:
        service.lock()
    assert f"torch was looked for in {service.index.simple_url} only" in caught.value.message
    assert f"not used: {path} does not meet ==2.14.0" in caught.value.message


def test_unreachable_index(service: Service) -> None:
    service.needs("demo")
    service.sources(index="http://127.0.0.1:9/simple")
    with pytest.raises(IndexUnreachable) as caught:
        service.lock()
    assert caught.value.exit_status is ExitStatus.NETWORK


def test_faulty_index(service: Service) -> None:
    service.publish("demo")
    service.needs("demo")
    service.index.faults.append(Fault(status=500, times=9))
    with pytest.raises(IndexUnreachable, match="500"):
        service.lock()
    service.index.faults.clear()
    service.lock()


def test_offline(service: Service) -> None:
    service.publish("demo")
    service.needs("demo")
    with pytest.raises(IndexOffline) as caught:
        service.lock(offline=True)
    assert caught.value.exit_status is ExitStatus.NETWORK
    assert service.index.received == []
    service.lock()
    service.lock(offline=True)


def test_private_index(service: Service) -> None:
    service.publish("demo")
    service.needs("demo")
    service.index.login = ("me", "word")
    with pytest.raises(IndexUnauthorized) as caught:
        service.lock()
    assert "machine HOST login" in str(caught.value.hint)
    private = service.index.simple_url.replace("://", "://me:word@")
    service.sources(index=private)
    service.lock()
    assert "word" not in lock_path(service.root, "cpu").read_text()
    assert service.wheels()["demo"].url == service.index.file_url("demo-1.0-py3-none-any.whl")
    (warning,) = (event for event in service.events if isinstance(event, Warned))
    assert warning.code == "lock-needs-credentials"
    assert "machine 127.0.0.1 login" in str(warning.hint)


def test_index_that_tells_little(service: Service) -> None:
    """HTML tells no sizes and may tell no hashes: both end up in the lock all the same."""
    sha256 = service.publish("demo")
    service.needs("demo")
    service.index.html_only = True
    service.index.hashes = False
    service.lock()
    demo = service.wheels()["demo"]
    assert demo.sha256 == sha256
    assert demo.size_bytes == (service.index.files / demo.filename).stat().st_size


def test_damaged_lock_is_not_overwritten(service: Service) -> None:
    """Its versions would be lost without a word; a merge conflict is for the user to solve."""
    service.publish("demo")
    service.needs("demo")
    path = lock_path(service.root, "cpu")
    path.write_text("<<<<<<< HEAD\n")
    with pytest.raises(InvalidLock):
        service.lock()
    assert path.read_text() == "<<<<<<< HEAD\n"
    path.unlink()
    service.lock()


def test_pip_s_settings_are_heard(service: Service) -> None:
    service.publish("demo")
    service.needs("demo")
    service.sources(index=None)
    config = f"[global]\nindex-url = {service.index.simple_url}\n"
    service.lock(machine=machine_sources({}, [config], directory=service.root))
    assert service.wheels()["demo"].url is not None
    lock_path(service.root, "cpu").unlink()
    publish(service.root / "wheels", "demo", "3.0")
    machine = machine_sources(
        {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels"}, [config], directory=service.root
    )
    service.index.received.clear()
    service.lock(machine=machine)
    assert service.wheels()["demo"].path == service.root / "wheels/demo-3.0-py3-none-any.whl"
    assert service.index.received == []


def test_local_torch_needs_no_index_at_all(service: Service) -> None:
    path = local_torch(service)
    publish(service.root / "wheels", "helper")
    service.needs("torch==2.13.0")
    service.lock(machine=MachineSources(no_index=True))
    assert service.wheels()["torch"].path == path
    assert service.index.received == []


def test_uv_s_settings_are_heard(service: Service) -> None:
    service.publish("demo")
    service.needs("demo")
    service.sources(index=None)
    environment = {**service.context.environment, "UV_DEFAULT_INDEX": service.index.simple_url}
    service.lock(environment=environment)
    assert service.versions() == {"demo": "1.0"}


# Other readers


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or os.uname().machine != "x86_64",
    reason="a lock for Python 3.11 on x86-64 can be installed there only",
)
def test_uv_installs_what_is_locked(service: Service, tmp_path: Path) -> None:
    public_torch(service)
    local_torch(service)
    service.publish("demo", requires=["torch"])
    service.needs("demo")
    service.wants(platforms=(AMD64, ARM64))
    service.publish("torch", "2.13.0+cpu", tag=X86.replace("x86_64", "aarch64"))
    service.sources(torch_index=service.index.simple_url)
    service.lock()
    place = tmp_path / "installed"
    command = f"pip install --target {place} --no-deps -r pylock.cpu.toml --python {sys.executable}"
    subprocess.run(
        [service.context.uv, *command.split()],
        cwd=service.root,
        env=dict(service.context.environment),
        check=True,
        capture_output=True,
    )
    names = sorted(path.name for path in place.glob("*.dist-info"))
    assert names == ["demo-1.0.dist-info", "helper-1.0.dist-info", "torch-2.13.0+cpu.dist-info"]


# The example


def test_speech_service_is_locked_for_the_cpu(
    service: Service, missing: Callable[[str], None]
) -> None:
    """Requirement R1: no CUDA in the CPU image, torch from the machine's own wheel if it has it."""
    configs = [
        path.read_text() for path in pip_config_files(os.environ, Path.home()) if path.is_file()
    ]
    machine = machine_sources(os.environ, configs, directory=Path.cwd())
    fetcher = Fetcher(user_agent="test", context=system_context())
    service.sources(index=None)
    service.needs(
        "torch==2.13.0",
        "fastapi>=0.165",
        "uvicorn[standard]",
        "sqlalchemy>=2",
        "silero-vad>=6.2.3",
        "python-multipart",
        "numpy",
        "soundfile",
    )
    try:
        service.lock(machine=machine, environment=os.environ, size_of=fetcher.size)
    except IndexUnreachable as error:
        missing(f"no package index can be reached: {error.message}")
    wheels = service.wheels()
    assert len(wheels) >= 30
    assert {
        "fastapi",
        "uvloop",
        "sqlalchemy",
        "silero-vad",
        "sympy",
        "pydantic-core",
    } <= wheels.keys()
    assert not [name for name in wheels if name.startswith(("nvidia", "cuda", "triton"))]
    assert all(wheel.size_bytes for wheel in wheels.values())
    assert "torch" in wheels["silero-vad"].requires
    torch = wheels["torch"]
    assert torch.version == "2.13.0+cpu"
    if torch.path is None:
        assert str(torch.url).startswith("https://download.pytorch.org/whl/cpu/")
    else:
        text = lock_path(service.root, "cpu").read_text()
        assert f'path = "{os.path.relpath(torch.path, service.root)}", size = 191794682' in text
        assert torch.sha256.startswith("6746dbcb")
        assert torch.sha256.endswith("667b")
