# SPDX-License-Identifier: Apache-2.0
"""Everything that ``wheelship plan`` tells of an image, as values; JSON and text only render it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelship.base.model import BaseImage
from wheelship.build.bases import target_of
from wheelship.build.model import Prepared
from wheelship.debian.lock import DebianLock
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.image import Package
from wheelship.plan.model import ImagePlan, WheelsRecipe
from wheelship.report.forecast import Forecast, Missing, Total, forecast, total
from wheelship.report.origin import Variable, variables
from wheelship.report.run_hint import RunHint, run_hint
from wheelship.report.why import Graph, debian_graph, python_graph
from wheelship.request.model import Request
from wheelship.store.store import Store
from wheelship.variant.accelerator import accelerator_row

__all__ = [
    "BudgetView",
    "ImageView",
    "LayerView",
    "PackageView",
    "Sharing",
    "plan_views",
    "sharing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageView:
    """A package of a layer.

    Attributes:
        size_bytes: of its wheel or .deb; None where nothing tells.
        via: who asks for it: packages by name, and ``project``, ``extra NAME``, ``group NAME``,
            ``base``, ``system-packages``; None where that is not known.
    """

    package: Package
    size_bytes: int | None
    via: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """A layer; ``omitted`` are the globs left out of its wheels, by package."""

    forecast: Forecast
    packages: tuple[PackageView, ...]
    omitted: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """The limits held against what is known before the build.

    ``ok`` is None where layers of unknown size decide; ``estimate`` where the build may find
    otherwise.
    """

    ok: bool | None
    estimate: bool
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One image; ``missing`` are the files to be fetched for it, each once."""

    prepared: Prepared
    reference: str
    layers: tuple[LayerView, ...]
    total: Total
    missing: tuple[Missing, ...]
    variables: tuple[Variable, ...]
    budget: BudgetView
    hint: RunHint
    python: Graph
    debian: Graph | None

    @property
    def plan(self) -> ImagePlan:
        """The plan itself."""
        return self.prepared.plan

    @property
    def real_layers(self) -> tuple[LayerView, ...]:
        """The layers that the image will have, as far as is known."""
        return tuple(one for one in self.layers if one.forecast.state != "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What several images have in common.

    ``layers`` are in more than one image; ``saved`` is what sharing spares a registry or machine
    that holds them all: the bytes of every layer, for each image beyond the first that has it.
    """

    layers: int
    saved: Total


def plan_views(
    request: Request, prepared: Sequence[Prepared], store: Store, find_links: Sequence[Path] = ()
) -> tuple[ImageView, ...]:
    """Look up what there is to say; ``find_links`` as of :func:`forecast`."""
    return tuple(_view(request, one, store, find_links) for one in prepared)


def sharing(views: Sequence[ImageView]) -> Sharing:
    """Compare the layers of ``views``."""
    seen: set[str] = set()
    shared: set[str] = set()
    again: list[Forecast] = []
    for view in views:
        for layer in view.real_layers:
            identity = layer.forecast.identity
            if identity in seen:
                shared.add(identity)
                again.append(layer.forecast)
            seen.add(identity)
    return Sharing(layers=len(shared), saved=total(again))


def _view(
    request: Request, prepared: Prepared, store: Store, find_links: Sequence[Path]
) -> ImageView:
    plan, variant, base = prepared.plan, prepared.variant, prepared.base
    wheels = _wheels(plan)
    python = python_graph(request.project, variant, tuple(wheels.values()), _target(prepared))
    debian = debian_graph(base, store) if isinstance(base, DebianLock) else None
    found = [forecast(layer, prepared, store, find_links) for layer in plan.layers]
    missing = {file.identity: file for one in found for file in one.missing}
    sizes = _sizes(wheels, base)
    layers = tuple(_layer(one, sizes, python, debian) for one in found)
    real = [one for one in found if one.state != "empty"]
    reference = f"{request.repository or plan.name}:{plan.variant}"
    release = accelerator_row(variant.accelerator, variant.accelerator_version)
    return ImageView(
        prepared=prepared,
        reference=reference,
        layers=layers,
        total=total(real),
        missing=tuple(missing.values()),
        variables=variables(prepared),
        budget=_budget(plan, total(real), len(real)),
        hint=run_hint(plan, release, reference),
        python=python,
        debian=debian,
    )


def _wheels(plan: ImagePlan) -> dict[str, LockedWheel]:
    recipes = [one.recipe for one in plan.layers if isinstance(one.recipe, WheelsRecipe)]
    return {wheel.name: wheel for recipe in recipes for wheel in recipe.wheels}


def _target(prepared: Prepared) -> Target:
    if isinstance(prepared.base, BaseImage):
        return target_of(prepared.base)
    return Target(python=prepared.variant.python, platform=prepared.plan.platform)


def _sizes(
    wheels: Mapping[str, LockedWheel], base: DebianLock | BaseImage
) -> dict[tuple[str, str], int]:
    """Return the sizes of the packages' files by type and name."""
    sizes = {("python", name): wheel.size_bytes for name, wheel in wheels.items()}
    if isinstance(base, DebianLock):
        sizes |= {("debian", one.name): one.size_bytes for one in base.packages}
    return sizes


def _layer(
    one: Forecast,
    sizes: Mapping[tuple[str, str], int],
    python: Graph,
    debian: Graph | None,
) -> LayerView:
    recipe = one.plan.recipe
    packages = []
    for package in one.plan.packages:
        graph = {"python": python, "debian": debian}.get(package.type)
        packages.append(
            PackageView(
                package=package,
                size_bytes=sizes.get((package.type, package.name)) or None,
                via=() if graph is None else _via(graph, package.name),
            )
        )
    return LayerView(
        forecast=one,
        packages=tuple(packages),
        omitted=recipe.omit if isinstance(recipe, WheelsRecipe) else (),
    )


def _via(graph: Graph, package: str) -> tuple[str, ...] | None:
    asked = {root.origin: None for root in graph.roots if root.package == package}
    via = (*asked, *graph.dependants(package))
    return via or (() if graph.complete else None)


def _budget(plan: ImagePlan, sums: Total, layers: int) -> BudgetView:
    limits = plan.budget
    over, unknown, exact = [], False, True
    for what, size, limit, lacking in (
        ("transfer", sums.transfer, limits.transfer_bytes, sums.transfer_unknown),
        ("unpacked", sums.unpacked, limits.unpacked_bytes, sums.unpacked_unknown),
    ):
        if limit is None:
            continue
        exact = exact and size.exact and not lacking
        if size.bytes > limit:
            over.append(what)
        elif lacking:
            unknown = True
    if limits.layers is not None and layers > limits.layers:
        over.append("layers")
    ok = False if over else None if unknown else True
    return BudgetView(ok=ok, estimate=not exact, over=tuple(over))
