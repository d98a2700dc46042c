# SPDX-License-Identifier: Apache-2.0
"""How an image runs, and what it says of itself: its configuration, labels and annotations."""

from __future__ import annotations

from wheelship.base.model import BaseImage
from wheelship.debian.lock import DebianLock
from wheelship.oci.config import Healthcheck
from wheelship.plan.health import HEALTH_PATH
from wheelship.plan.inputs import Inputs
from wheelship.plan.interpreter import interpreter_path
from wheelship.plan.model import RunConfig
from wheelship.wheel.environment import Environment

__all__ = ["annotations_of", "run_of"]

_PATH = "/usr/local/bin:/usr/bin:/bin"
_OWN_LABELS = "org.opencontainers.image."
"""What the base says of itself under these names does not hold for an image that is built on it."""


def run_of(inputs: Inputs) -> RunConfig:
    """Return how containers of the image are started, and its labels."""
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


def annotations_of(inputs: Inputs) -> tuple[tuple[str, str], ...]:
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
