# SPDX-License-Identifier: Apache-2.0
"""Plans: pure data, keys of content only, and a change touches what it must and nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.debian.lock import DebianLock, Group, LockedPackage
from wheelship.lock.model import LockedWheel
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.plan.health import HEALTH_PATH
from wheelship.plan.inputs import Inputs
from wheelship.plan.layering import HEAVY_BYTES
from wheelship.plan.make import plan_image
from wheelship.plan.model import (
    ApplicationRecipe,
    BytecodeRecipe,
    ConfigurationRecipe,
    ImagePlan,
    LayerPlan,
    PythonRecipe,
    WheelsRecipe,
)
from wheelship.request.model import (
    Accelerator,
    Budget,
    Check,
    Health,
    Project,
    Sources,
    Variant,
    Waiver,
)
from wheelship.request.sources import Snapshot

AMD64, ARM64 = Platform(architecture="amd64"), Platform(architecture="arm64")


def package(
    name: str, version: str = "3.11.2-6", group: Group = "base", architecture: str = "amd64"
) -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        architecture=architecture,
        archive="main",
        filename=f"pool/main/x/{name}_{version}_{architecture}.deb",
        sha256=hashlib.sha256(f"{name} {version} {architecture}".encode()).hexdigest(),
        size_bytes=1000,
        source=name,
        source_version=version,
        group=group,
        requested=group == "system",
    )


def debian(*packages: LockedPackage, architecture: str = "amd64") -> DebianLock:
    found = packages or (package("libc6"), package("python3.11-minimal"))
    return DebianLock(
        release="bookworm",
        architecture=architecture,
        suites=(),
        packages=tuple(sorted(found, key=lambda one: one.name)),
    )


def wheel(
    name: str, version: str = "1.0", *, size: int = 1000, tags: str = "py3-none-any"
) -> LockedWheel:
    filename = f"{name}-{version}-{tags}.whl"
    return LockedWheel(
        name=name,
        version=version,
        filename=filename,
        sha256=hashlib.sha256(filename.encode()).hexdigest(),
        size_bytes=size,
    )


WHEELS = (
    wheel("torch", "2.13.0+cpu", size=190_000_000, tags="cp311-cp311-manylinux_2_28_x86_64"),
    wheel("cublas", "13.0", size=400_000_000, tags="py3-none-manylinux_2_27_x86_64"),
    *(wheel(f"light{number}") for number in range(12)),
)

PROJECT = Project(
    root=Path("/home/me/project"),
    name="speech-service",
    version="1.2.3",
    requires_python=None,
    dependencies=(),
    extras={},
    groups={},
    scripts={},
    config_file=None,
)

VARIANT = Variant(
    name="cpu",
    accelerator=Accelerator.CPU,
    platforms=(AMD64,),
    python="3.11",
    omit={},
    sources=Sources(),
    env={},
    labels={},
    check=Check(),
    budget=Budget(),
    command=("uvicorn", "app:app"),
    port=8000,
)

PYTHON = "python3.11-minimal"

BASE = debian()

INPUTS = Inputs(
    name="speech-service",
    project=PROJECT,
    variant=VARIANT,
    platform=AMD64,
    wheels=WHEELS,
    base=BASE,
    snapshot=Snapshot(files=(), generated=(), key=Digest.of(b"sources")),
    environment={},
    created="1980-01-01T00:00:00Z",
)


def variant(**changes: object) -> Inputs:
    return replace(INPUTS, variant=replace(VARIANT, **changes))  # type: ignore[arg-type]


def by_recipe(plan: ImagePlan, kind: type) -> list[LayerPlan]:
    return [layer for layer in plan.layers if isinstance(layer.recipe, kind)]


def changed(inputs: Inputs) -> Counter[str]:
    """Return what kinds of layers have a key that the plan of ``INPUTS`` does not have."""
    before = {layer.key for layer in plan_image(INPUTS).layers}
    return Counter(
        type(layer.recipe).__name__
        for layer in plan_image(inputs).layers
        if layer.key not in before
    )


def test_layers_come_in_the_order_of_how_seldom_they_change() -> None:
    """DESIGN §10: base · system · heavy wheels · light groups · bytecode · application · rest."""
    packages = (*debian().packages, package("ffmpeg", group="system"))
    plan = plan_image(replace(INPUTS, base=debian(*packages)))
    kinds = [type(layer.recipe).__name__.removesuffix("Recipe") for layer in plan.layers]
    groups = kinds.count("Wheels") - 2
    assert kinds == [
        "Base",
        "Base",
        "Python",
        *["Wheels"] * (2 + groups),
        *["Bytecode"] * (1 + groups_of_bytecode(plan)),
        "Application",
        "Configuration",
    ]
    titles = [layer.title for layer in plan.layers]
    assert titles[:5] == [
        "debian bookworm: 2 packages",
        "system packages: 1 packages",
        "python 3.11: environment",
        "cublas 13.0",
        "torch 2.13.0+cpu",
    ]
    assert "bytecode of torch 2.13.0+cpu" in titles
    assert titles[-2:] == ["speech-service 1.2.3", "directories"]


def groups_of_bytecode(plan: ImagePlan) -> int:
    found = by_recipe(plan, BytecodeRecipe)
    return len([layer for layer in found if "torch" not in layer.title])


def test_every_package_is_named_once() -> None:
    """What the plan says an image holds is what scanners and comparisons count."""
    names = Counter(one.name for layer in plan_image(INPUTS).layers for one in layer.packages)
    assert set(names.values()) == {1}
    expected = {"libc6", "python3.11-minimal", "speech-service", *(one.name for one in WHEELS)}
    assert set(names) == expected


def test_equal_inputs_give_an_equal_plan() -> None:
    assert plan_image(INPUTS) == plan_image(replace(INPUTS, wheels=WHEELS[::-1]))


def test_keys_differ_within_an_image() -> None:
    keys = [layer.key for layer in plan_image(INPUTS).layers]
    assert len(keys) == len(set(keys))


# What changes which key


def test_no_path_and_no_time_is_in_a_key() -> None:
    """DESIGN §3: a layer key is content only."""
    elsewhere = replace(
        INPUTS,
        project=replace(PROJECT, root=Path("/elsewhere")),
        wheels=tuple(
            replace(one, url="https://example.org/x.whl", path=Path("/a/b")) for one in WHEELS
        ),
        created="2026-01-01T00:00:00Z",
        name="other-name",
    )
    assert changed(elsewhere) == Counter()


def test_a_changed_source_touches_the_application_only() -> None:
    snapshot = replace(INPUTS.snapshot, key=Digest.of(b"one line changed"))
    assert changed(replace(INPUTS, snapshot=snapshot)) == {"ApplicationRecipe": 1}


def test_a_bumped_light_wheel_touches_its_group_and_its_bytecode() -> None:
    wheels = (*WHEELS[:-1], wheel("light11", "1.1"))
    assert changed(replace(INPUTS, wheels=wheels)) == {"WheelsRecipe": 1, "BytecodeRecipe": 1}


def test_a_bumped_library_touches_its_layer_and_one_bytecode_group() -> None:
    bumped = wheel("cublas", "13.1", size=400_000_000, tags="py3-none-manylinux_2_27_x86_64")
    wheels = (WHEELS[0], bumped, *WHEELS[2:])
    assert changed(replace(INPUTS, wheels=wheels)) == {"WheelsRecipe": 1, "BytecodeRecipe": 1}


def test_another_build_of_python_leaves_wheel_layers_alone() -> None:
    """DESIGN §3: wheel layers survive Python patch releases; bytecode does not."""
    other = debian(package("libc6"), package("python3.11-minimal", "3.11.2-7"))
    plan = plan_image(INPUTS)
    assert changed(replace(INPUTS, base=other)) == {
        "BaseRecipe": 1,
        "PythonRecipe": 1,
        "BytecodeRecipe": len(by_recipe(plan, BytecodeRecipe)),
        "ApplicationRecipe": 1,
    }


def test_another_base_package_touches_the_base_only() -> None:
    other = debian(package("libc6", "2.36-10"), package("python3.11-minimal"))
    assert changed(replace(INPUTS, base=other)) == {"BaseRecipe": 1}


def test_a_system_package_leaves_the_base_alone() -> None:
    """One base for all images of a release (DESIGN §7)."""
    packages = (*BASE.packages, package("ffmpeg", group="system"))
    assert changed(replace(INPUTS, base=debian(*packages))) == {"BaseRecipe": 1}
    plan = plan_image(replace(INPUTS, base=debian(*packages)))
    assert plan.layers[0].key == plan_image(INPUTS).layers[0].key


def test_pure_wheels_and_their_bytecode_are_shared_between_architectures() -> None:
    """DESIGN §3: pure wheels are the same layer everywhere, and so is what is compiled of them."""
    packages = [package(one.name, architecture="arm64") for one in BASE.packages]
    other = replace(INPUTS, platform=ARM64, base=debian(*packages, architecture="arm64"))
    assert changed(other) == {"BaseRecipe": 1, "PythonRecipe": 1}


def test_another_python_touches_everything_but_directories_and_base() -> None:
    packages = (*BASE.packages, package("python3.13-minimal", "3.13.5-2"))
    plan = plan_image(replace(variant(python="3.13"), base=debian(*packages)))
    before = {layer.key for layer in plan_image(INPUTS).layers}
    same = [layer.title for layer in plan.layers if layer.key in before]
    assert same == ["directories"]


def test_omitting_files_touches_that_wheel_only() -> None:
    """A glob of one package must not rebuild its neighbours' layers."""
    inputs = variant(omit={"torch": ("torch/test/*",)})
    assert changed(inputs) == {"WheelsRecipe": 1, "BytecodeRecipe": 1}
    (layer,) = [one for one in by_recipe(plan_image(inputs), WheelsRecipe) if "torch" in one.title]
    assert isinstance(layer.recipe, WheelsRecipe)
    assert layer.recipe.omit_of(WHEELS[0]) == ("torch/test/*",)
    assert layer.recipe.omit_of(WHEELS[2]) == ()


@pytest.mark.parametrize(("version", "waived"), [("1.0", True), (None, True), ("1.1", False)])
def test_a_waiver_counts_for_its_version(version: str | None, waived: bool) -> None:  # noqa: FBT001
    """DESIGN §6, ``waive-record``: package + version whose RECORD is known to be wrong."""
    inputs = variant(waive_record=(Waiver(package="light3", version=version, reason="known"),))
    recipes = [layer.recipe for layer in by_recipe(plan_image(inputs), WheelsRecipe)]
    names = [name for one in recipes if isinstance(one, WheelsRecipe) for name in one.waived]
    assert names == (["light3"] if waived else [])
    assert changed(inputs) == ({"WheelsRecipe": 1, "BytecodeRecipe": 1} if waived else {})


def test_a_waived_script_touches_the_base_it_is_in() -> None:
    waiver = Waiver(package="libc6", version=None, reason="not needed")
    assert changed(variant(waive_scripts=(waiver,))) == {"BaseRecipe": 1}
    elsewhere = replace(waiver, package="not-there")
    assert changed(variant(waive_scripts=(elsewhere,))) == Counter()


def test_another_user_or_directory_touches_the_configuration_only() -> None:
    for inputs in (
        variant(user=(1000, 1000)),
        variant(writable=("/data",)),
        variant(workdir="/srv"),
    ):
        assert changed(inputs) == {"ConfigurationRecipe": 1}
    assert changed(variant(env={"A": "b"}, command=("x",), port=1, labels={"l": "v"})) == {}


def test_writable_directories_are_sorted() -> None:
    one, other = variant(writable=("/b", "/a")), variant(writable=("/a", "/b"))
    assert plan_image(one) == plan_image(other)
    (layer,) = by_recipe(plan_image(one), ConfigurationRecipe)
    assert isinstance(layer.recipe, ConfigurationRecipe)
    assert layer.recipe.writable == ("/a", "/b")


# Bytecode


def test_bytecode_of_every_wheel_is_in_one_layer() -> None:
    recipes = [layer.recipe for layer in by_recipe(plan_image(INPUTS), BytecodeRecipe)]
    names = Counter(
        one.name
        for recipe in recipes
        if isinstance(recipe, BytecodeRecipe)
        for one in recipe.wheels.wheels
    )
    assert names == Counter(one.name for one in WHEELS)


def test_bytecode_can_be_left_out() -> None:
    plan = plan_image(variant(bytecode="none"))
    assert by_recipe(plan, BytecodeRecipe) == []
    (python,), (application,) = by_recipe(plan, PythonRecipe), by_recipe(plan, ApplicationRecipe)
    assert isinstance(python.recipe, PythonRecipe)
    assert python.recipe.maker is None
    assert isinstance(application.recipe, ApplicationRecipe)
    assert application.recipe.maker is None
    assert changed(variant(bytecode="none")) == {"PythonRecipe": 1, "ApplicationRecipe": 1}


# Another architecture


def on_arm(version: str = "3.11.2-6", **changes: object) -> Inputs:
    """Return the inputs of the arm64 image, with pure wheels only and amd64's Python as maker."""
    packages = [package(one, version, architecture="arm64") for one in ("libc6", PYTHON)]
    inputs = replace(
        INPUTS,
        platform=ARM64,
        base=debian(*packages, architecture="arm64"),
        maker=BASE,
        wheels=WHEELS[2:],
    )
    return replace(inputs, **changes)  # type: ignore[arg-type]


def keys_of(inputs: Inputs) -> dict[str, set[Digest]]:
    """Return the keys of the layers by the kind of their recipe."""
    keys: dict[str, set[Digest]] = {}
    for layer in plan_image(inputs).layers:
        keys.setdefault(type(layer.recipe).__name__, set()).add(layer.key)
    return keys


def test_images_of_two_architectures_share_all_but_what_differs() -> None:
    """Pure wheels, their bytecode and the application are made once; the base's differ."""
    ours, others = keys_of(replace(INPUTS, wheels=WHEELS[2:])), keys_of(on_arm())
    different = {kind for kind in ours if ours[kind] != others[kind]}
    assert different == {"BaseRecipe", "PythonRecipe"}
    assert ours["BytecodeRecipe"]


def test_an_image_has_the_same_keys_wherever_it_is_built() -> None:
    """An arm64 machine compiles with the image's own interpreter, of the same version."""
    assert keys_of(on_arm()) == keys_of(on_arm(maker=None))


def test_keys_name_the_interpreter_that_compiled() -> None:
    """A security update reaches one architecture before the other: equal keys, equal bytes."""
    old, new = on_arm("3.11.2-5"), on_arm("3.11.2-5", maker=None)
    different = {kind for kind, keys in keys_of(old).items() if keys != keys_of(new)[kind]}
    assert different == {"PythonRecipe", "BytecodeRecipe", "ApplicationRecipe"}
    shared = keys_of(replace(INPUTS, wheels=WHEELS[2:]))
    assert keys_of(old)["BytecodeRecipe"] == shared["BytecodeRecipe"]
    assert keys_of(old)["PythonRecipe"] != keys_of(on_arm())["PythonRecipe"]


def test_every_recipe_knows_who_compiles() -> None:
    plan = plan_image(on_arm())
    recipes = [layer.recipe for layer in plan.layers]
    makers = [one.maker for one in recipes if isinstance(one, BytecodeRecipe | ApplicationRecipe)]
    assert set(makers) == {BASE}
    (python,) = (one for one in recipes if isinstance(one, PythonRecipe))
    assert (python.lock.architecture, python.maker) == ("arm64", BASE)  # type: ignore[union-attr]


def test_bytecode_that_nobody_can_make_is_left_out_and_the_image_says_so() -> None:
    plan = plan_image(on_arm(maker=None, bytecode_left_out="x has no image for linux/amd64"))
    assert by_recipe(plan, BytecodeRecipe) == []
    assert plan.bytecode_left_out == "x has no image for linux/amd64"
    labels = dict(plan.run.labels)
    assert labels["wheelship.bytecode"] == "left out: x has no image for linux/amd64"
    assert "wheelship.bytecode" not in dict(plan_image(INPUTS).run.labels)
    assert keys_of(on_arm(bytecode_left_out="x")) == keys_of(
        on_arm(variant=replace(VARIANT, bytecode="none"))
    )


# How the image is run


def test_the_environment_knows_where_things_are() -> None:
    run = plan_image(INPUTS).run
    assert dict(run.env) == {
        "PATH": "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": "/opt/venv",
    }
    assert (run.command, run.entrypoint) == (("uvicorn", "app:app"), ())
    assert (run.user, run.workdir, run.ports) == ("65532:65532", "/app", (8000,))


def test_the_user_s_variables_win() -> None:
    """DESIGN §6: ``env`` wins over the accelerator's data, and that over ours."""
    inputs = replace(
        variant(env={"PATH": "/mine", "OMP_NUM_THREADS": "8"}),
        environment={"OMP_NUM_THREADS": "1", "CUDA_MODULE_LOADING": "LAZY"},
    )
    env = dict(plan_image(inputs).run.env)
    assert (env["PATH"], env["OMP_NUM_THREADS"]) == ("/mine", "8")
    assert env["CUDA_MODULE_LOADING"] == "LAZY"
    assert list(env) == sorted(env)


def test_the_stop_signal_changes_no_layer() -> None:
    assert plan_image(INPUTS).run.stop_signal == ""
    inputs = variant(stop_signal="SIGINT")
    assert plan_image(inputs).run.stop_signal == "SIGINT"
    assert keys_of(inputs) == keys_of(INPUTS)


def test_no_command_and_no_port_are_left_empty() -> None:
    run = plan_image(variant(command=None, port=None)).run
    assert (run.command, run.ports, run.healthcheck) == ((), (), None)


def test_the_health_check_needs_no_shell() -> None:
    """The image has none; the probe is run by the base's Python, isolated and without site."""
    health = Health(path="/healthz", port=8000, timeout_seconds=2.5, retries=5)
    check = plan_image(variant(health=health)).run.healthcheck
    assert check is not None
    assert check.test == (
        "CMD",
        "/usr/bin/python3.11",
        "-IS",
        f"/{HEALTH_PATH}",
        "8000",
        "/healthz",
        "2.5",
    )
    assert (check.interval_seconds, check.timeout_seconds, check.retries) == (30, 2.5, 5)


def test_what_was_waived_or_omitted_is_said_in_the_image() -> None:
    """DESIGN §6: recorded in the image."""
    inputs = variant(
        waive_record=(Waiver(package="light1", version="1.0", reason="lists a ghost"),),
        waive_scripts=(Waiver(package="libc6", version=None, reason="not needed"),),
        omit={"torch": ("torch/test/*", "torch/include/*")},
        labels={"wheelship.variant": "mine", "team": "speech"},
    )
    labels = dict(plan_image(inputs).run.labels)
    assert labels["wheelship.waived"] == (
        "script libc6 : not needed\nrecord light1 1.0: lists a ghost"
    )
    assert labels["wheelship.omitted.torch"] == "torch/test/* torch/include/*"
    assert (labels["team"], labels["wheelship.variant"]) == ("speech", "mine")
    assert labels["wheelship.accelerator"] == "cpu"
    assert "wheelship.waived" not in dict(plan_image(INPUTS).run.labels)


def test_annotations_name_the_image() -> None:
    """image-spec, annotations.md: the pre-defined keys that we know."""
    plan = plan_image(INPUTS)
    assert dict(plan.annotations) == {
        "org.opencontainers.image.title": "speech-service",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.created": "1980-01-01T00:00:00Z",
        "org.opencontainers.image.base.name": "debian:bookworm",
        "wheelship.variant": "cpu",
    }
    assert (plan.name, plan.variant, plan.platform) == ("speech-service", "cpu", AMD64)
    assert (plan.budget, plan.layer_limit) == (VARIANT.budget, 40)


def test_the_number_of_layers_stays_within_the_limit() -> None:
    """DESIGN §10: default 40, with system packages and however many heavy wheels."""
    heavy = tuple(
        wheel(f"heavy{number}", size=HEAVY_BYTES + number, tags="cp311-cp311-linux_x86_64")
        for number in range(60)
    )
    packages = (*BASE.packages, package("ffmpeg", group="system"))
    for limit in (7, 20, 21, 40, 100):
        inputs = variant(layers=limit)
        inputs = replace(inputs, wheels=(*WHEELS, *heavy), base=debian(*packages))
        assert len(plan_image(inputs).layers) <= limit
