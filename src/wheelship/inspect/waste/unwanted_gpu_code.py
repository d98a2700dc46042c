# SPDX-License-Identifier: Apache-2.0
"""Code for GPUs that the image is not meant for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from wheelship.inspect.model import DeviceFacts, Item
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject
from wheelship.variant.gpu import parse_target

__all__ = ["RULE", "is_wanted"]

_SHOWN = 6
_REMARK_BYTES = 50_000_000


def is_wanted(target: str, wanted: Sequence[str]) -> bool:
    """Tell whether code for ``target`` can run on a GPU of ``wanted``, or cannot be told.

    Of NVIDIA's everything that the GPU could execute counts as wanted, also what it would not
    choose: an older cubin of the same major version, PTX.
    """
    if target.startswith("gfx"):
        return not any(one.startswith("gfx") for one in wanted) or _plain(target) in wanted
    if not any(one.startswith("sm_") for one in wanted):
        return True
    try:
        code = parse_target(target)
        return any(code.runs_on(parse_target(one).sm) for one in wanted)
    except ValueError:
        return True


def _find(subject: Subject) -> Iterator[Claim]:
    libraries = [(item, fact) for item, fact in subject.with_facts if isinstance(fact, DeviceFacts)]
    if not libraries:
        return
    if not subject.expectation.gpu_targets:
        yield from _remark(libraries, subject.expectation.accelerator)
        return
    wanted = subject.expectation.gpu_targets
    unwanted: Counter[str] = Counter()
    parts = []
    for item, fact in libraries:
        targets = [one for one in fact.targets if not is_wanted(one[0], wanted)]
        if count := sum(size for _, size in targets):
            parts.append(Part(item, item.entry.path, count))
            unwanted.update(dict(targets))
    if parts:
        yield Claim(
            title=f"GPU code for others than {', '.join(wanted)}",
            reason=f"no such GPU can run code for {_most(unwanted)}",
            fix=_fix(wanted),
            parts=tuple(parts),
            estimate=True,
        )


def _remark(
    libraries: Sequence[tuple[Item, DeviceFacts]], accelerator: str | None
) -> Iterator[Claim]:
    """Say what is there; whether it is waste only its owner knows."""
    held: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for item, fact in libraries:
        held.update(dict(fact.targets))
        places[item.entry.path] += sum(size for _, size in fact.targets)
    if len(held) > 1 and sum(held.values()) >= _REMARK_BYTES:
        yield Claim(
            title=f"GPU code for {len(held)} targets",
            reason=f"there is code for {_most(held)}; which of it is waste depends on the GPUs "
            f"that are meant, so nothing is counted",
            fix=_remark_fix(accelerator),
            parts=(),
            places=tuple(sorted(places, key=lambda one: (-places[one], one))[:10]),
            estimate=True,
        )


def _plain(target: str) -> str:
    """Return a target of AMD's without its features: ``gfx90a`` of ``gfx90a:xnack-``."""
    return target.partition(":")[0]


def _most(sizes: Counter[str]) -> str:
    """Return the targets, most bytes first."""
    return listed(sorted(sizes, key=lambda one: (-sizes[one], one)), _SHOWN)


def _fix(wanted: Sequence[str]) -> str:
    if any(one.startswith("gfx") for one in wanted):
        extras = ",".join(f"device-{one}" for one in wanted)
        return fix(
            dockerfile=f"RUN pip install 'torch[{extras}]'  # of AMD's index for many targets",
            wheelship=f"gpu-targets = {json.dumps(list(wanted))} takes the device packages of "
            "these GPUs only",
        )
    numbers = (one.removeprefix("sm_") for one in wanted)
    capabilities = ";".join(f"{one[:-1]}.{one[-1:]}" for one in numbers)
    return fix(
        dockerfile=f"build torch with TORCH_CUDA_ARCH_LIST='{capabilities}'; the libraries of "
        "NVIDIA come for all GPUs",
        wheelship="ships the wheel that is locked: build one for these GPUs, and name its "
        "directory in find-links = […]",
    )


def _remark_fix(accelerator: str | None) -> str:
    say = "say which GPUs are meant: wheelship inspect IMAGE --gpu-target sm_90"
    if accelerator is None:
        say += "; or that none is: --accelerator cpu"
    return fix(dockerfile=say, wheelship='gpu-targets = ["sm_90"] in the variant')


RULE = Rule(
    code="unwanted-gpu-code",
    title="GPU code for other targets",
    about="Device code in shared libraries, by the target it names, that cannot run on any of the "
    "GPUs that the image is meant for (`gpu-targets` of the variant). All that a GPU could execute "
    "counts as wanted. Libraries whose code does not tell its target are left alone. An estimate: "
    "the bytes are those of the code in the file, its transfer bytes the share by size. When "
    "nobody said which GPUs are meant, images with at least 50 MB of code for several targets get "
    "a remark that counts nothing.",
    fix="Builds for these GPUs only; wheelship's `gpu-targets` chooses them where they are "
    "published (AMD's device packages).",
    minimum_bytes=1_000_000,
    find=_find,
)
