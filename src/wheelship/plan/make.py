# SPDX-License-Identifier: Apache-2.0
"""Makes the plan of one image out of request, locks and accelerator data."""

from __future__ import annotations

from wheelship.base.errors import TooManyLayers
from wheelship.plan.inputs import Inputs
from wheelship.plan.layering import arrange
from wheelship.plan.layers import (
    application_layer,
    base_layers,
    bytecode_layers,
    configuration_layer,
    python_layer,
    wheels_layer,
)
from wheelship.plan.model import ImagePlan
from wheelship.plan.run import annotations_of, run_of

__all__ = ["plan_image"]

_USUAL_LAYERS = 3  # Debian, system packages and the environment
_MOST_LAYERS = 125  # Docker's overlay2 refuses one more (traps §1.1)


def plan_image(inputs: Inputs) -> ImagePlan:
    """Return the plan of one variant on one platform; equal inputs give an equal plan.

    Raises:
        TooManyLayers: the base has so many that Docker could not run the image.
    """
    variant = inputs.variant
    layers = [*base_layers(inputs), python_layer(inputs)]
    # The layering counts on one layer for the base.
    layering = arrange(inputs.wheels, variant.layers - max(0, len(layers) - _USUAL_LAYERS))
    layers += [wheels_layer(inputs, (wheel,)) for wheel in layering.own]
    layers += [wheels_layer(inputs, group) for group in layering.groups]
    layers += bytecode_layers(inputs, layering)
    layers += [application_layer(inputs), configuration_layer(inputs)]
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
        run=run_of(inputs),
        annotations=annotations_of(inputs),
        created=inputs.created,
        budget=variant.budget.of(inputs.platform),
        layer_limit=variant.layers,
        gpu_targets=variant.gpu_targets,
        gpu_packages=inputs.gpu_packages,
        bytecode_left_out=inputs.bytecode_left_out,
        foreign_libraries=inputs.foreign_libraries,
        trusted=inputs.trusted,
    )
