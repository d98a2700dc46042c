# SPDX-License-Identifier: Apache-2.0
"""How an image of an accelerator is run, with Docker, compose and on Kubernetes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from wheelship.plan.model import ImagePlan
from wheelship.request.model import Accelerator

__all__ = ["RunHint", "run_hint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHint:
    """What to write where; ``needs`` is what the machine must have, empty for nothing special."""

    docker: str
    compose: tuple[str, ...]
    kubernetes: tuple[str, ...]
    needs: str


def run_hint(plan: ImagePlan, accelerator: Accelerator, reference: str) -> RunHint:
    """Return how to run the image, which engines and registries know as ``reference``."""
    text = resources.files("wheelship.report").joinpath("data/run.toml").read_text("utf-8")
    row = tomllib.loads(text)[accelerator.value]
    words = ["docker run --rm --read-only --tmpfs /tmp"]
    words += [f"-p {port}:{port}" for port in plan.run.ports]
    words += [*row["docker"], reference]
    return RunHint(
        docker=" ".join(words),
        compose=tuple(row["compose"]),
        kubernetes=tuple(row["kubernetes"]),
        needs=row["needs"],
    )
