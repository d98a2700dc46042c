# SPDX-License-Identifier: Apache-2.0
"""Makes the plan of one image out of request, locks and accelerator data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from wheelship.archive.result import CODEC, WRITER_VERSION
from wheelship.base.errors import TooManyLayers
from wheelship.base.model import BaseImage
from wheelship.debian.errors import InvalidDebianLock
from wheelship.debian.lock import DebianLock, Group
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import Healthcheck, canonical_json
from wheelship.oci.digest import Digest
from wheelship.oci.image import Package
from wheelship.oci.platform import Platform
from wheelship.plan.layering import Layering, arrange
from wheelship.plan.model import (
    ApplicationRecipe,
    BaseRecipe,
    BytecodeRecipe,
    ConfigurationRecipe,
    ForeignRecipe,
    Foundation,
    ImagePlan,
    LayerPlan,
    PythonRecipe,
    RunConfig,
    WheelsRecipe,
)
from wheelship.request.model import Project, Variant
from wheelship.request.sources import Snapshot
from wheelship.wheel.environment import INSTALL_VERSION, Environment

__all__ = [
    "COMPILE_VERSION",
    "HEALTH_PATH",
    "Inputs",
    "health_probe",
    "interpreter_build",
    "interpreter_path",
    "plan_image",
]

COMPILE_VERSION = 2
"""Part of every bytecode layer's key; raise it when the same sources would compile otherwise."""

LIBRARY_VERSION = 2
"""Part of the environment layer's key; raise it when other modules of the library are compiled."""

BASE_VERSION = 1
"""Part of the base layer's key; raise it whenever packages would be joined otherwise."""

HEALTH_PATH = "opt/wheelship/health.py"
_PATH = "/usr/local/bin:/usr/bin:/bin"
_USUAL_LAYERS = 3  # Debian, system packages and the environment
_MOST_LAYERS = 125  # Docker's overlay2 refuses one more (traps §1.1)
_OWN_LABELS = "org.opencontainers.image."
"""What the base says of itself under these names does not hold for an image that is built on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan is made of.

    ``name`` is the image's; ``environment`` are the variables of the accelerator's data, and
    ``gpu_packages`` the packages of its families; ``base`` is what images stand on. ``maker`` has
    the interpreter that compiles where the base's own cannot run, None = the base's own can. What
    the others are, :class:`ImagePlan` says.
    """

    name: str
    project: Project
    variant: Variant
    platform: Platform
    wheels: tuple[LockedWheel, ...]
    base: Foundation
    snapshot: Snapshot
    environment: dict[str, str]
    created: str
    gpu_packages: tuple[str, ...] = ()
    foreign_libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    maker: Foundation | None = None
    bytecode_left_out: str | None = None


def plan_image(inputs: Inputs) -> ImagePlan:
    """Return the plan of one variant on one platform; equal inputs give an equal plan.

    Raises:
        TooManyLayers: the base has so many that Docker could not run the image.
    """
    variant = inputs.variant
    layers = [*_base(inputs), _python(inputs)]
    # The layering counts on one layer for the base.
    layering = arrange(inputs.wheels, variant.layers - max(0, len(layers) - _USUAL_LAYERS))
    layers += [_wheels(inputs, (wheel,)) for wheel in layering.own]
    layers += [_wheels(inputs, group) for group in layering.groups]
    if (maker := _maker(inputs)) is not None:
        layers += _bytecode(inputs, layering, maker)
    layers += [_application(inputs), _configuration(inputs)]
    if len(layers) > _MOST_LAYERS:
        raise TooManyLayers(
            f"the image would have {len(layers)} layers, and Docker runs {_MOST_LAYERS} at most",
            where=variant.base,
            hint=f"choose a base with fewer layers, or lower `layers` ({variant.layers} now)",
        )
    return ImagePlan(
        name=inputs.name,
        variant=variant.name,
        platform=inputs.platform,
        layers=tuple(layers),
        run=_run(inputs),
        annotations=_annotations(inputs),
        created=inputs.created,
        budget=variant.budget.of(inputs.platform),
        layer_limit=variant.layers,
        gpu_targets=variant.gpu_targets,
        gpu_packages=inputs.gpu_packages,
        bytecode_left_out=inputs.bytecode_left_out,
        foreign_libraries=inputs.foreign_libraries,
        trusted=inputs.trusted,
    )


def health_probe() -> bytes:
    """Return the source of the probe that images carry."""
    return resources.files("wheelship.plan").joinpath("image_files/health.py").read_bytes()


def _key(kind: str, **inputs: object) -> Digest:
    fixed = {"kind": kind, "writer": WRITER_VERSION, "codec": CODEC}
    return Digest.of(canonical_json({**fixed, **inputs}))


def interpreter_path(base: Foundation, python: str) -> str:
    """Return the absolute path of the base's interpreter in the image."""
    return base.python.path if isinstance(base, BaseImage) else f"/usr/bin/python{python}"


def _base(inputs: Inputs) -> list[LayerPlan]:
    """Return the layers of the base: another image's, as they are, or of Debian packages."""
    base = inputs.base
    if isinstance(base, BaseImage):
        return _foreign(base)
    # The base itself is the same for every image of the release.
    layers = [_packages_layer(inputs, base, "base", f"debian {base.release}")]
    if any(package.group == "system" for package in base.packages):
        layers.append(_packages_layer(inputs, base, "system", "system packages"))
    return layers


def _foreign(base: BaseImage) -> list[LayerPlan]:
    return [
        LayerPlan(
            key=layer.key,
            title=f"{base.reference}: layer {number} of {len(base.layers)}",
            kind="base",
            packages=(),
            recipe=ForeignRecipe(base=base, layer=layer),
        )
        for number, layer in enumerate(base.layers, 1)
    ]


def _packages_layer(inputs: Inputs, lock: DebianLock, group: Group, title: str) -> LayerPlan:
    # What lies in the system layer depends on the base too: it decides whose a directory is.
    read = tuple(package for package in lock.packages if group in (package.group, "system"))
    held = tuple(package for package in lock.packages if package.group == group)
    names = {package.name for package in read}
    waivers = tuple(one for one in inputs.variant.waive_scripts if one.package in names)
    return LayerPlan(
        key=_key(
            "debian",
            version=BASE_VERSION,
            release=lock.release,
            group=group,
            packages=[package.sha256 for package in read],
            waived=[[one.package, one.version, one.reason] for one in waivers],
        ),
        title=f"{title}: {len(held)} packages",
        kind="base",
        packages=tuple(Package(name=one.name, version=one.version, type="debian") for one in held),
        recipe=BaseRecipe(lock=lock, group=group, waivers=waivers),
    )


def _maker(inputs: Inputs) -> Foundation | None:
    """Return whose interpreter compiles; None where the image gets no bytecode."""
    if inputs.variant.bytecode == "none" or inputs.bytecode_left_out is not None:
        return None
    return inputs.maker or inputs.base


def interpreter_build(lock: Foundation, python: str) -> str:
    """Return which exact interpreter ``lock`` has.

    Of Debian's this names no architecture: equal versions write equal bytecode on all of them.

    Raises:
        InvalidDebianLock: it has none.
    """
    if isinstance(lock, BaseImage):
        return f"{lock.python.version}/{lock.python.build}"
    for package in lock.packages:
        if package.name == f"python{python}-minimal":
            return f"{python}/{package.version}"
    raise InvalidDebianLock(
        f"the base holds no python{python}-minimal",
        where="wheelship.lock",
        hint="remove wheelship.lock and run `wheelship lock`",
    )


def _python(inputs: Inputs) -> LayerPlan:
    python, base, maker = inputs.variant.python, inputs.base, _maker(inputs)
    interpreter = interpreter_build(base, python)
    own: dict[str, object] = {}
    if isinstance(base, BaseImage):
        own = {"path": base.python.path, "library": [base.python.library, base.files.hex]}
    if maker is not None and interpreter_build(maker, python) != interpreter:
        own["maker"] = interpreter_build(maker, python)
    key = _key(
        "python",
        version=COMPILE_VERSION,
        interpreter=interpreter,
        # The bytes are the same on all, as long as Debian keeps the library's modules the same.
        architecture=inputs.platform.architecture,
        modules=LIBRARY_VERSION,
        **own,
        prefix=Environment(python=python).prefix,
        bytecode="none" if maker is None else "all",
        probe=Digest.of(health_probe()).hex,
    )
    recipe = PythonRecipe(lock=base, python=python, maker=maker)
    return LayerPlan(
        key=key, title=f"python {python}: environment", kind="bytecode", packages=(), recipe=recipe
    )


def _wheels(inputs: Inputs, wheels: tuple[LockedWheel, ...]) -> LayerPlan:
    recipe = _wheels_recipe(inputs, wheels)
    return LayerPlan(
        key=_key("wheels", **_wheels_key(recipe)),
        title=_title(wheels),
        kind="wheels",
        packages=_packages(wheels),
        recipe=recipe,
    )


def _wheels_recipe(inputs: Inputs, wheels: tuple[LockedWheel, ...]) -> WheelsRecipe:
    names = {wheel.name for wheel in wheels}
    variant = inputs.variant
    return WheelsRecipe(
        wheels=wheels,
        python=variant.python,
        omit=tuple(sorted((name, globs) for name, globs in variant.omit.items() if name in names)),
        waived=tuple(
            wheel.name
            for wheel in wheels
            if any(
                waiver.package == wheel.name and waiver.version in (None, wheel.version)
                for waiver in variant.waive_record
            )
        ),
    )


def _wheels_key(recipe: WheelsRecipe) -> dict[str, object]:
    environment = Environment(python=recipe.python)
    return {
        "version": INSTALL_VERSION,
        "wheels": [[wheel.filename, wheel.sha256] for wheel in recipe.wheels],
        "omit": [[name, list(globs)] for name, globs in recipe.omit],
        "waived": list(recipe.waived),
        "site": environment.site_packages,
    }


def _bytecode(inputs: Inputs, layering: Layering, maker: Foundation) -> list[LayerPlan]:
    sets = [(wheel,) for wheel in layering.own if wheel.name in layering.own_bytecode]
    layers: list[LayerPlan] = []
    for wheels in (*sets, *layering.bytecode_groups()):
        recipe = _wheels_recipe(inputs, wheels)
        key = _key(
            "bytecode",
            compile=COMPILE_VERSION,
            interpreter=interpreter_build(maker, inputs.variant.python),
            of=_wheels_key(recipe),
        )
        layers.append(
            LayerPlan(
                key=key,
                title=f"bytecode of {_title(wheels)}",
                kind="bytecode",
                packages=(),
                recipe=BytecodeRecipe(wheels=recipe, maker=maker),
            )
        )
    return layers


def _application(inputs: Inputs) -> LayerPlan:
    maker, python = _maker(inputs), inputs.variant.python
    key = _key(
        "application",
        snapshot=inputs.snapshot.key.hex,
        compile=maker and [COMPILE_VERSION, interpreter_build(maker, python)],
        site=Environment(python=python).site_packages,
    )
    name, version = inputs.project.name, inputs.project.version
    return LayerPlan(
        key=key,
        title=f"{name} {version}",
        kind="application",
        packages=(Package(name=name, version=version, type="application"),),
        recipe=ApplicationRecipe(snapshot=inputs.snapshot, python=python, maker=maker),
    )


def _configuration(inputs: Inputs) -> LayerPlan:
    variant = inputs.variant
    base = inputs.base
    identity = (base.passwd, base.group) if isinstance(base, BaseImage) else None
    recipe = ConfigurationRecipe(
        user=variant.user,
        writable=tuple(sorted(variant.writable)),
        workdir=variant.workdir,
        identity=identity,
    )
    key = _key(
        "configuration",
        user=list(recipe.user),
        writable=list(recipe.writable),
        workdir=recipe.workdir,
        **({} if identity is None else {"identity": list(identity)}),
    )
    return LayerPlan(key=key, title="directories", kind="application", packages=(), recipe=recipe)


def _run(inputs: Inputs) -> RunConfig:
    variant = inputs.variant
    environment, base = Environment(python=variant.python), inputs.base
    inherited = dict(base.env) if isinstance(base, BaseImage) else {}
    variables = {
        **inherited,
        "PATH": f"{environment.prefix}/bin:{inherited.get('PATH') or _PATH}",
        "VIRTUAL_ENV": environment.prefix,
        **inputs.environment,
        **variant.env,
    }
    health = variant.health
    return RunConfig(
        env=tuple(sorted(variables.items())),
        entrypoint=variant.entrypoint or (),
        command=variant.command or (),
        user="{}:{}".format(*variant.user),
        stop_signal=variant.stop_signal or "",
        workdir=variant.workdir,
        ports=() if variant.port is None else (variant.port,),
        volumes=tuple(sorted(variant.writable)),
        labels=_labels(inputs),
        healthcheck=None
        if health is None
        else Healthcheck(
            test=(
                "CMD",
                interpreter_path(base, variant.python),
                "-IS",
                f"/{HEALTH_PATH}",
                str(health.port),
                health.path,
                f"{health.timeout_seconds:g}",
            ),
            interval_seconds=health.interval_seconds,
            timeout_seconds=health.timeout_seconds,
            start_period_seconds=health.start_period_seconds,
            retries=health.retries,
        ),
    )


def _annotations(inputs: Inputs) -> tuple[tuple[str, str], ...]:
    """Return the pre-defined annotation keys (image-spec, annotations.md) that we know."""
    base = inputs.base
    below = {"name": f"debian:{base.release}"} if isinstance(base, DebianLock) else _named(base)
    return tuple(
        sorted(
            {
                "org.opencontainers.image.title": inputs.project.name,
                "org.opencontainers.image.version": inputs.project.version,
                "org.opencontainers.image.created": inputs.created,
                **{f"org.opencontainers.image.base.{key}": value for key, value in below.items()},
                "wheelship.variant": inputs.variant.name,
            }.items()
        )
    )


def _named(base: BaseImage) -> dict[str, str]:
    return {"digest": str(base.digest), **({"name": base.name} if base.name else {})}


def _labels(inputs: Inputs) -> tuple[tuple[str, str], ...]:
    """Return the labels; what the user waived is said in the image itself (DESIGN §6)."""
    variant = inputs.variant
    waivers = [("script", one) for one in variant.waive_scripts]
    waivers += [("record", one) for one in variant.waive_record]
    waived = [f"{kind} {one.package} {one.version or ''}: {one.reason}" for kind, one in waivers]
    base, left_out = inputs.base, inputs.bytecode_left_out
    inherited = base.labels if isinstance(base, BaseImage) else ()
    labels = {
        **{name: value for name, value in inherited if not name.startswith(_OWN_LABELS)},
        "org.opencontainers.image.title": inputs.project.name,
        "org.opencontainers.image.version": inputs.project.version,
        "wheelship.variant": variant.name,
        "wheelship.accelerator": variant.accelerator.value,
        **({"wheelship.waived": "\n".join(waived)} if waived else {}),
        **({"wheelship.bytecode": f"left out: {left_out}"} if left_out else {}),
        **{
            f"wheelship.omitted.{name}": " ".join(globs)
            for name, globs in sorted(variant.omit.items())
            if name in {wheel.name for wheel in inputs.wheels}
        },
        **variant.labels,
    }
    return tuple(sorted(labels.items()))


def _packages(wheels: tuple[LockedWheel, ...]) -> tuple[Package, ...]:
    return tuple(Package(name=wheel.name, version=wheel.version, type="python") for wheel in wheels)


def _title(wheels: tuple[LockedWheel, ...]) -> str:
    first = wheels[0]
    if len(wheels) == 1:
        return f"{first.name} {first.version}"
    return f"{len(wheels)} wheels: {first.name} to {wheels[-1].name}"
