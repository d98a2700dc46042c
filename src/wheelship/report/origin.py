# SPDX-License-Identifier: Apache-2.0
"""Where each environment variable of an image comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from wheelship.base.model import BaseImage
from wheelship.build.model import Prepared
from wheelship.request.model import Accelerator
from wheelship.variant.accelerator import accelerator_row

__all__ = ["Origin", "Variable", "variables"]

Origin: TypeAlias = Literal["wheelship", "common", "accelerator", "base", "project"]
"""``wheelship``: where the environment's programs are; ``common``: data for every image;
``accelerator``: data for this accelerator; ``base``: the base image; ``project``: ``env``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable; ``replaces`` is the value that it would have without the project's ``env``."""

    name: str
    value: str
    origin: Origin
    replaces: str | None = None


def variables(prepared: Prepared) -> tuple[Variable, ...]:
    """Return the variables of the image, by name."""
    variant, base = prepared.variant, prepared.base
    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    common = _common()
    found = []
    for name, value in prepared.plan.run.env:
        known = row.environment.get(name)
        if name in variant.env:
            other = known if known != value else None
            found.append(Variable(name=name, value=value, origin="project", replaces=other))
            continue
        origin: Origin = "wheelship"
        if known is not None:
            origin = "common" if common.get(name) == known else "accelerator"
        elif isinstance(base, BaseImage) and dict(base.env).get(name) == value:
            origin = "base"
        found.append(Variable(name=name, value=value, origin=origin))
    return tuple(found)


def _common() -> dict[str, str]:
    """Return what every image has, whatever its accelerator."""
    rows = [set(accelerator_row(one).environment.items()) for one in Accelerator]
    return dict(rows[0].intersection(*rows[1:]))
