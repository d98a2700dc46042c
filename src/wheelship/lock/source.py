# SPDX-License-Identifier: Apache-2.0
"""Where the project's ``[tool.uv.sources]`` send a package, as far as its accelerator agrees.

A source says where a package comes from on the developer's machine; a variant says which build of
it the image is for. Where the two contradict each other (``torch`` from the index of CPU builds, in
a variant for CUDA) the variant decides and the user is told. Everything else is honoured.

What must be built first (a repository, a source tree, a member of the workspace) is replaced by a
local wheel of the same name. Where there is none it is built; where nothing may be, it is an error:
the public index may hold a stranger's package of that name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import unquote, urlsplit

from wheelship.events import Warned
from wheelship.fetch.url import display_url
from wheelship.lock.errors import NotAWheel, PlatformExcluded
from wheelship.lock.local import LocalWheel, find_local_wheels, local_wheel, misfit
from wheelship.lock.model import Locked, LockedWheel
from wheelship.lock.project import Place
from wheelship.lock.target import Target
from wheelship.lock.toml import inline_table, string
from wheelship.request.uv import UvSettings, UvSource
from wheelship.variant.model import AcceleratorRow, Family

if TYPE_CHECKING:
    from packaging.version import Version

__all__ = ["SourceRoute", "check_binaries", "check_environment", "dates_of", "route_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRoute:
    """The one place where ``package`` is looked for: ``place``, or the local wheels ``wheels``."""

    package: str
    place: Place | None = None
    wheels: tuple[LocalWheel, ...] = ()


def route_sources(
    sources: Iterable[UvSource],
    packages: Iterable[str],
    local: Sequence[LocalWheel],
    *,
    settings: UvSettings,
    row: AcceleratorRow,
    target: Target,
    building: bool = False,
) -> tuple[tuple[SourceRoute, ...], tuple[Warned, ...]]:
    """Return where the directly required ``packages`` come from, and what is not honoured.

    ``sources`` are those of the chosen extras and groups; of several that hold on the target the
    first one counts.

    Raises:
        NotAWheel: a package would have to be built and cannot, or may not (``building``), and no
            local wheel stands in for it.
    """
    routes: dict[str, SourceRoute] = {}
    warnings: list[Warned] = []
    wanted = set(packages)
    for source in sources:
        if source.package not in wanted or source.package in routes or not _holds(source, target):
            continue
        route = _route(source, local, settings, target, building=building)
        reason = _contradiction(route, source, row, target)
        if reason is None:
            routes[source.package] = route
        else:
            warnings.append(
                Warned(
                    "uv-source-not-used",
                    f"tool.uv.sources.{source.package}: {reason}; the variant decides",
                    hint="let the source hold for the variants it suits, by an extra that they "
                    f'choose:\n{source.package} = {{ …, extra = "{row.accelerator}" }}',
                )
            )
    return tuple(routes.values()), tuple(warnings)


def check_environment(settings: UvSettings, target: Target) -> None:
    """Check that the project is meant to run on ``target``.

    Raises:
        PlatformExcluded: ``environments`` of [tool.uv] says that it is not.
    """
    from packaging.markers import Marker

    markers = settings.environments
    environment = cast("dict[str, str]", target.environment())
    if markers and not any(Marker(one).evaluate(environment) for one in markers):
        machine = target.platform.machine
        raise PlatformExcluded(
            f"none of the project's environments is {target}: {'; '.join(markers)}",
            where="tool.uv.environments",
            hint=f"add it:\n\"sys_platform == 'linux' and platform_machine == '{machine}'\"",
        )


def check_binaries(settings: UvSettings, packages: Iterable[Locked]) -> None:
    """Check that no index's wheel is used for what the project wants to be built.

    Raises:
        NotAWheel: one would be.
    """
    for wheel in packages:
        if not isinstance(wheel, LockedWheel) or wheel.path is not None:
            continue
        if wheel.name in settings.no_binary:
            raise NotAWheel(
                f"no-binary-package names {wheel.name}, so its wheel on the index is not used",
                where="tool.uv.no-binary-package",
                hint="build a wheel from its source and name the directory:\n"
                f"pip wheel --no-deps --no-binary {wheel.name} --wheel-dir wheels "
                f'{wheel.name}=={wheel.version}\nfind-links = ["wheels"]',
            )


def dates_of(settings: UvSettings, local: Iterable[str]) -> dict[str, str]:
    """Return ``exclude-newer-package`` with ``local`` excepted: no local wheel has a date."""
    options = dict(settings.options)
    if "exclude-newer" not in options and "exclude-newer-package" not in options:
        return {}
    given = tomllib.loads(f"dates = {options.get('exclude-newer-package', '{}')}")["dates"]
    rows = {name: string(text) for name, text in given.items()}
    rows |= dict.fromkeys(sorted(set(local) - rows.keys()), "false")
    return {"exclude-newer-package": inline_table(rows)}


def _holds(source: UvSource, target: Target) -> bool:
    if not source.marker:
        return True
    from packaging.markers import Marker

    environment = cast("dict[str, str]", {**target.environment(), "extra": ""})
    return Marker(source.marker).evaluate(environment)


def _route(
    source: UvSource,
    local: Sequence[LocalWheel],
    settings: UvSettings,
    target: Target,
    *,
    building: bool,
) -> SourceRoute:
    package = source.package
    match source.kind:
        case "url":
            return SourceRoute(package=package, place=Place("url", source.place))
        case "index":
            index = settings.index(source.place)
            assert index is not None  # noqa: S101 - reading the request has seen to it
            if "://" not in index.address and index.flat:
                return _local(source, find_local_wheels([Path(index.address)]))
            address = index.address
            address = address if "://" in address else Path(address).as_uri()
            kind: Literal["flat", "index"] = "flat" if index.flat else "index"
            return SourceRoute(package=package, place=Place(kind, address, source.place))
        case "wheel":
            wheel = local_wheel(Path(source.place))
            return _local(source, () if wheel is None else (wheel,))
        case "wheels":
            return _local(source, find_local_wheels([Path(source.place)]))
        case "source":
            return _stand_in(source, local, target, building=building)


def _stand_in(
    source: UvSource, local: Sequence[LocalWheel], target: Target, *, building: bool
) -> SourceRoute:
    """Return the local wheels of what must be built first, else the source itself."""
    package = source.package
    fitting = [one for one in local if one.name == package and one.fits(target)]
    if not fitting and building and source.fields:
        return SourceRoute(package=package, place=Place("source", "", fields=source.fields))
    if not fitting:
        raise NotAWheel(
            f"{package} is {source.place}, and no local wheel of it fits {target}",
            where=f"tool.uv.sources.{package}",
            hint="build its wheel and name the directory:\n"
            'uv build --wheel --out-dir wheels PATH\nfind-links = ["wheels"]',
        )
    return SourceRoute(package=package, wheels=tuple(fitting))


def _local(source: UvSource, wheels: Sequence[LocalWheel]) -> SourceRoute:
    found = tuple(one for one in wheels if one.name == source.package)
    if not found:
        raise NotAWheel(
            f"there is no wheel of {source.package} at {source.place}",
            where=f"tool.uv.sources.{source.package}",
            hint="build it, or correct the path",
        )
    return SourceRoute(package=source.package, wheels=found)


def _contradiction(
    route: SourceRoute, source: UvSource, row: AcceleratorRow, target: Target
) -> str | None:
    """Return why what the source leads to is no build for the accelerator; None where it may be."""
    family = row.family_of(route.package)
    if family is None:
        return None
    if route.place is None:
        reasons = [misfit(wheel, row, target) for wheel in route.wheels]
        return None if None in reasons else f"{route.wheels[0].path.name} {reasons[0]}"
    if route.place.kind == "source":
        return "would be built from source, which tells nothing of its accelerator"
    if route.place.kind == "url":
        version = _version(route.place.address)
        label = None if version is None else version.local
        fits = version is None or row.accepts_label(route.package, label)
        return None if fits else f"is a build for {label}, not for {row}"
    label = urlsplit(route.place.address).path.rstrip("/").rpartition("/")[2]
    if not _names_other_builds(label, family, row):
        return None
    shown = display_url(route.place.address)
    return f"the index {source.place} ({shown}) is for {label}, not for {row}"


def _names_other_builds(label: str, family: Family, row: AcceleratorRow) -> bool:
    """Tell whether the last part of an index's address (``…/whl/cu130``) is a label, not ours.

    An address that ends in no label, a mirror's perhaps, may serve anything: what comes from there
    is checked like everything else.
    """
    if label in family.labels:
        return False
    stems = {match[0] for one in family.labels if (match := re.match(r"[a-z]+", one))}
    other_releases = (rf"{re.escape(stem)}[0-9.]*" for stem in stems)
    return any(re.fullmatch(one, label) for one in (*row.foreign_labels, *other_releases))


def _version(url: str) -> Version | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(unquote(urlsplit(url).path.rpartition("/")[2]))[1]
    except InvalidWheelFilename:
        return None
