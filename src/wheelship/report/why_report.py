# SPDX-License-Identifier: Apache-2.0
"""The answer of ``wheelship plan --why``: JSON (docs/reference/schema/why.json) and text."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wheelship.errors import InputError
from wheelship.oci.image import Package
from wheelship.report.plan_view import ImageView
from wheelship.report.why import Graph, Way
from wheelship.wheel.name import normalized

__all__ = ["Found", "NotInTheImage", "find_package", "why_document", "why_text"]

SCHEMA = "wheelship.why/1"


class NotInTheImage(InputError):
    """No image of the plan has a package of that name."""

    code = "package-not-in-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A package in an image: who depends on it, and the ways to it."""

    view: ImageView
    package: Package
    dependants: tuple[str, ...]
    ways: tuple[Way, ...]
    complete: bool


def find_package(views: Sequence[ImageView], name: str) -> tuple[Found, ...]:
    """Return what each image says of the package; names of Python packages are normalised.

    A Python and a Debian package may have the same name: both are found.

    Raises:
        NotInTheImage: no image has it.
    """
    found = tuple(one for view in views for one in _found(view, name))
    if found:
        return found
    images = ", ".join(dict.fromkeys(f"{one.plan.variant} {one.plan.platform}" for one in views))
    names = {package.name for view in views for package in _packages(view)}
    close = difflib.get_close_matches(name, sorted(names), n=3)
    raise NotInTheImage(
        f"no package of this name is in {images}",
        where=name,
        hint=f"did you mean {', '.join(close)}?" if close else "wheelship plan --packages",
    )


def _found(view: ImageView, name: str) -> Iterator[Found]:
    for package in _packages(view):
        graph: Graph | None = {"python": view.python, "debian": view.debian}.get(package.type)
        # Debian's names have dots and plus signs of their own.
        wanted = name.lower() if package.type == "debian" else normalized(name)
        if package.name == wanted and graph is not None:
            yield Found(
                view=view,
                package=package,
                dependants=graph.dependants(wanted),
                ways=graph.ways(wanted),
                complete=graph.complete,
            )


def _packages(view: ImageView) -> Iterator[Package]:
    for layer in view.layers:
        yield from (one.package for one in layer.packages)


def why_document(name: str, found: Sequence[Found]) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "schema": SCHEMA,
        "package": name,
        "found": [
            {
                "variant": one.view.plan.variant,
                "platform": str(one.view.plan.platform),
                "version": one.package.version,
                "type": one.package.type,
                "dependants": list(one.dependants),
                "complete": one.complete,
                "ways": [
                    {
                        "requirement": way.root.label,
                        "origin": way.root.origin,
                        "reason": way.root.reason or None,
                        "path": list(way.path),
                    }
                    for way in one.ways
                ],
            }
            for one in found
        ],
    }


def why_text(found: Sequence[Found]) -> str:
    """Return the answer for a terminal; images that say the same are named together."""
    blocks: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        image = f"{one.view.plan.variant} {one.view.plan.platform}"
        blocks.setdefault(tuple(_block(one)), []).append(image)
    return "\n".join(
        "\n".join((f"{first}  in {', '.join(images)}", *rest))
        for (first, *rest), images in blocks.items()
    )


def _block(one: Found) -> Iterator[str]:
    yield f"{one.package.name} {one.package.version} ({one.package.type})"
    for way in one.ways:
        steps = " → ".join((way.root.label, *way.path[1:]))
        reason = f": {way.root.reason}" if way.root.reason else ""
        yield f"  {way.root.origin}: {steps}{reason}"
    if one.dependants:
        yield f"  required by {', '.join(one.dependants)}"
    if one.ways:
        return
    if not one.complete:
        yield "  another package depends on it; which, is known when the packages are in the store"
        yield "  wheelship build"
    else:
        yield "  the lock does not say who requires it"
