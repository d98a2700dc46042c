# SPDX-License-Identifier: Apache-2.0
"""How an image of an accelerator is run, with Docker, compose and on Kubernetes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from wheelship.plan.model import ImagePlan
from wheelship.variant.model import AcceleratorRow, Driver

__all__ = ["RunHint", "run_hint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHint:
    """What to write where.

    Attributes:
        needs: what the machine must have, in words; empty for nothing special.
        driver: the oldest one that runs the image's release of the accelerator; None without any.
    """

    docker: str
    compose: tuple[str, ...]
    kubernetes: tuple[str, ...]
    needs: str
    driver: Driver | None


def run_hint(plan: ImagePlan, release: AcceleratorRow, reference: str) -> RunHint:
    """Return how to run the image, which engines and registries know as ``reference``."""
    text = resources.files("wheelship.report").joinpath("data/run.toml").read_text("utf-8")
    row = tomllib.loads(text)[release.accelerator]
    driver = release.driver
    words = ["docker run --rm --read-only --tmpfs /tmp"]
    words += [f"-p {port}:{port}" for port in plan.run.ports]
    words += [*row["docker"], reference]
    return RunHint(
        docker=" ".join(words),
        compose=tuple(row["compose"]),
        kubernetes=tuple(row["kubernetes"]),
        needs="" if driver is None else row["needs"].format(driver=_or_newer(driver)),
        driver=driver,
    )


def _or_newer(driver: Driver) -> str:
    return f"{driver.name} {driver.minimum} or newer"
