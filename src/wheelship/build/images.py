# SPDX-License-Identifier: Apache-2.0
"""Which images a call means: variants by their names, and the platforms of each."""

from __future__ import annotations

from wheelship.errors import InputError
from wheelship.oci.platform import Platform
from wheelship.request.model import Request, Variant

__all__ = ["UnknownVariant", "UnlockedPlatform", "choose_images", "choose_variants"]


class UnknownVariant(InputError):
    """The configuration has no variant of that name."""

    code = "unknown-variant"


class UnlockedPlatform(InputError):
    """The variant is for other platforms, so its lock does not cover this one."""

    code = "unlocked-platform"


def choose_variants(request: Request, names: tuple[str, ...], *, every: bool) -> list[Variant]:
    """Return the variants to build.

    Raises:
        UnknownVariant: there is none of that name.
    """
    if every:
        return list(request.variants.values())
    chosen: list[Variant] = []
    for name in names or (request.default_variant,):
        if name not in request.variants:
            known = ", ".join(sorted(request.variants))
            raise UnknownVariant(f"there is no variant {name!r}", hint=f"known variants: {known}")
        chosen.append(request.variants[name])
    return chosen


def choose_images(
    request: Request, names: tuple[str, ...], platforms: tuple[Platform, ...], *, every: bool
) -> list[tuple[Variant, Platform]]:
    """Return variant and platform of each image to build; without ``platforms``, all of a variant.

    Of ``every`` variant those count that are for the platform: ROCm's are not for all.

    Raises:
        UnknownVariant: there is none of that name.
        UnlockedPlatform: a variant is not for a platform.
        AcceleratorLacksPlatform: nor can it be.
    """
    wanted = [
        (variant, platform)
        for variant in choose_variants(request, names, every=every)
        for platform in platforms or sorted(set(variant.platforms))
    ]
    for_it = dict.fromkeys((one.name, to) for one, to in wanted if to in one.platforms)
    for variant, platform in wanted:
        if platform not in variant.platforms and not (every and for_it):
            _refuse_impossible(variant, platform)
            listed = ", ".join(f'"{one}"' for one in sorted({*variant.platforms, platform}))
            raise UnlockedPlatform(
                f"variant {variant.name} is not for {platform}", hint=f"platforms = [{listed}]"
            )
    return [(request.variants[name], platform) for name, platform in for_it]


def _refuse_impossible(variant: Variant, platform: Platform) -> None:
    from wheelship.lock.consistency import check_machine
    from wheelship.lock.target import Target
    from wheelship.variant.accelerator import accelerator_row

    row = accelerator_row(variant.accelerator, variant.accelerator_version)
    check_machine(row, [Target(python=variant.python, platform=platform)])
