# SPDX-License-Identifier: Apache-2.0
"""What every known release means, as text: a new release is one row in the data and a diff here.

The made-up release shows that no code has to know a release: it is added as one row to a copy of
the data files, and lock route, image environment and findings follow.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.lock.consistency import InconsistentPackages, check_selection
from wheelship.lock.findings.model import Subject
from wheelship.lock.model import LockedWheel
from wheelship.lock.route import PUBLIC, find_routes, parse_requirements
from wheelship.lock.target import Target
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.plan.inputs import Inputs
from wheelship.plan.make import plan_image
from wheelship.request.model import Accelerator, Budget, Check, Project, Sources, Variant
from wheelship.request.sources import Snapshot
from wheelship.variant.accelerator import accelerator_row, accelerator_versions, shipped_data
from wheelship.variant.compatibility import load_compatibility
from wheelship.variant.model import AcceleratorRow, Family

TARGET = Target(python="3.11", platform=Platform("amd64"))
ROW = """
[[versions]]
version = "14.0"
driver = { name = "NVIDIA driver", minimum = "640", source = "https://docs.example.org/driver" }
environment = { CUDA_MADE_UP = "1" }

[versions.families.onnxruntime]
unlabelled.x86_64 = { onnxruntime-gpu = ">=1.40" }

[versions.families.torch]
labels = ["cu140"]
index = "https://download.pytorch.org/whl/cu140"
gpu-targets = ["sm_90", "sm_100", "sm_130"]
unlabelled.x86_64 = { torch = ">=2.20,<2.22" }
"""


def text_of(row: AcceleratorRow) -> str:
    """Return all that a row says, one fact a line."""
    lines = [f"== {row} ({', '.join(row.machines)})"]
    if row.driver is not None:
        lines.append(f"driver: {row.driver.name} >= {row.driver.minimum} ({row.driver.source})")
    for family in row.families:
        lines += [f"{family.name}: {line}" for line in _family(family)]
    return "\n".join(lines) + "\n"


def _family(family: Family) -> list[str]:
    lines = [f"packages {', '.join(family.packages)}"]
    if family.index is not None:
        lines.append(f"index {family.index}, labels {', '.join(family.labels)}")
    for machine, packages in sorted(family.unlabelled.items()):
        lines += [f"public index, {machine}: {name}{spec}" for name, spec in packages.items()]
    lines += [f"without a label: {name}{spec}" for name, spec in family.plain.items()]
    if family.gpu_targets:
        lines.append(f"code for {', '.join(family.gpu_targets)}")
    if family.devices is not None:
        lines.append(f"device packages {family.devices.distribution}")
        lines.append(f"device packages for {', '.join(family.devices.targets)}")
    lines += [f"{name} leaves it idle, {other} does not" for name, other in family.instead.items()]
    for name, libraries in family.libraries.items():
        lines.append(f"{name} needs {', '.join(libraries)} of the base")
    return lines


def test_all_releases(golden: Callable[[str, str], None]) -> None:
    rows = [
        accelerator_row(accelerator.value, version)
        for accelerator in Accelerator
        for version in (accelerator_versions(accelerator.value) or (None,))
    ]
    golden("accelerator-releases.txt", "\n".join(map(text_of, rows)))


def test_a_made_up_release_is_one_row(golden: Callable[[str, str], None], tmp_path: Path) -> None:
    data = tmp_path / "data"
    with_files = Path(str(shipped_data()))
    shutil.copytree(with_files, data)
    with (data / "cuda.toml").open("a") as file:
        file.write(ROW)
    row = accelerator_row("cuda", "14.0", data=data)
    assert accelerator_versions("cuda", data=data)[-1] == "14.0"
    assert "14.0" not in accelerator_versions("cuda"), "it is handed in, not shipped"
    parts = [text_of(row), _routes(row), _environment(row), _findings(row, data)]
    golden("made-up-release.txt", "\n".join(parts))


def _routes(row: AcceleratorRow) -> str:
    lines = ["== routes"]
    for requirement in ("torch", "torch==2.21.0", "torch==2.22.0", "onnxruntime-gpu"):
        for replacement in (None, PUBLIC):
            routes = find_routes(
                [requirement.partition("=")[0]],
                parse_requirements([requirement], TARGET),
                [],
                row=row,
                target=TARGET,
                replacement=replacement,
            )
            asked = f'{requirement}, torch-index = "public"' if replacement else requirement
            told = [f"{one.kind} {one.index or one.versions}" for one in routes]
            lines.append(f"{asked}: {', '.join(told) or 'not routed'}")
    return "\n".join(lines) + "\n"


def _environment(row: AcceleratorRow) -> str:
    variant = Variant(
        name="cuda",
        accelerator=Accelerator.CUDA,
        accelerator_version=row.version,
        platforms=(TARGET.platform,),
        python="3.11",
        omit={},
        sources=Sources(),
        env={},
        labels={},
        check=Check(),
        budget=Budget(),
        command=("demo",),
    )
    project = Project(
        root=Path("/project"),
        name="demo",
        version="1",
        requires_python=None,
        dependencies=(),
        extras={},
        groups={},
        scripts={},
        config_file=None,
    )
    package = LockedPackage(
        name="python3.11-minimal",
        version="3.11.2-6",
        architecture="amd64",
        archive="main",
        filename="pool/python.deb",
        sha256=hashlib.sha256(b"python").hexdigest(),
        size_bytes=1,
        source="python3.11",
        source_version="3.11.2-6",
        group="base",
        requested=False,
    )
    plan = plan_image(
        Inputs(
            name="demo",
            project=project,
            variant=variant,
            platform=TARGET.platform,
            wheels=(_wheel("torch", "2.21.0"),),
            base=DebianLock(
                release="bookworm", architecture="amd64", suites=(), packages=(package,)
            ),
            snapshot=Snapshot(files=(), generated=(), key=Digest.of(b"sources")),
            environment=dict(row.environment),
            created="1980-01-01T00:00:00Z",
        )
    )
    lines = ["== environment of an image", *(f"{name}={value}" for name, value in plan.run.env)]
    return "\n".join(lines) + "\n"


def _findings(row: AcceleratorRow, data: Path) -> str:
    wheels = (_wheel("torch", "2.13.0"), _wheel("nvidia-cudnn-cu13", "9.20.0"))
    releases = tuple(
        accelerator_row("cuda", one, data=data) for one in accelerator_versions("cuda", data=data)
    )
    subject = Subject(
        wheels=wheels,
        row=row,
        target=TARGET,
        compatibility=load_compatibility(data),
        releases=releases,
        gpu_targets=("sm_80",),
    )
    try:
        check_selection(subject)
    except InconsistentPackages as error:
        return f"== findings\n{error}\n"
    return "== findings\nnone\n"


def _wheel(name: str, version: str) -> LockedWheel:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    return LockedWheel(name=name, version=version, filename=filename, sha256=sha256, size_bytes=1)
