# SPDX-License-Identifier: Apache-2.0
"""The layers of an image: what each is made of, and the key that stands for it."""

from __future__ import annotations

from wheelship.archive.result import CODEC, WRITER_VERSION
from wheelship.base.model import BaseImage
from wheelship.debian.lock import DebianLock, Group
from wheelship.lock.model import LockedWheel
from wheelship.oci.config import canonical_json
from wheelship.oci.digest import Digest
from wheelship.oci.image import Package
from wheelship.plan.health import health_probe
from wheelship.plan.inputs import Inputs
from wheelship.plan.interpreter import interpreter_build
from wheelship.plan.layering import Layering
from wheelship.plan.model import (
    ApplicationRecipe,
    BaseRecipe,
    BytecodeRecipe,
    ConfigurationRecipe,
    ForeignRecipe,
    Foundation,
    LayerPlan,
    PythonRecipe,
    WheelsRecipe,
)
from wheelship.wheel.environment import INSTALL_VERSION, Environment

__all__ = [
    "application_layer",
    "base_layers",
    "bytecode_layers",
    "configuration_layer",
    "python_layer",
    "wheels_layer",
]

COMPILE_VERSION = 2
"""Part of every bytecode layer's key; raise it when the same sources would compile otherwise."""

LIBRARY_VERSION = 2
"""Part of the environment layer's key; raise it when other modules of the library are compiled."""

BASE_VERSION = 1
"""Part of the base layer's key; raise it whenever packages would be joined otherwise."""


def base_layers(inputs: Inputs) -> list[LayerPlan]:
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


def python_layer(inputs: Inputs) -> LayerPlan:
    """Return the layer of the virtual environment, without packages."""
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


def wheels_layer(inputs: Inputs, wheels: tuple[LockedWheel, ...]) -> LayerPlan:
    """Return the layer of installed ``wheels``."""
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


def bytecode_layers(inputs: Inputs, layering: Layering) -> list[LayerPlan]:
    """Return the layers of what the wheels compile to; none where the image gets no bytecode."""
    if (maker := _maker(inputs)) is None:
        return []
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


def application_layer(inputs: Inputs) -> LayerPlan:
    """Return the layer of the project's own files."""
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


def configuration_layer(inputs: Inputs) -> LayerPlan:
    """Return the layer of users and directories."""
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


def _maker(inputs: Inputs) -> Foundation | None:
    """Return whose interpreter compiles; None where the image gets no bytecode."""
    if inputs.variant.bytecode == "none" or inputs.bytecode_left_out is not None:
        return None
    return inputs.maker or inputs.base


def _key(kind: str, **inputs: object) -> Digest:
    fixed = {"kind": kind, "writer": WRITER_VERSION, "codec": CODEC}
    return Digest.of(canonical_json({**fixed, **inputs}))


def _packages(wheels: tuple[LockedWheel, ...]) -> tuple[Package, ...]:
    return tuple(Package(name=wheel.name, version=wheel.version, type="python") for wheel in wheels)


def _title(wheels: tuple[LockedWheel, ...]) -> str:
    first = wheels[0]
    if len(wheels) == 1:
        return f"{first.name} {first.version}"
    return f"{len(wheels)} wheels: {first.name} to {wheels[-1].name}"
