# SPDX-License-Identifier: Apache-2.0
"""Libraries of CUDA or ROCm where nothing can use them."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.inspect.waste.advice import fix, listed, named
from wheelship.inspect.waste.devices import DeviceSoftware, label_of
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_UNUSED = "no package and no program in the image is known to use a GPU"
_WRITTEN = {"cuda": "CUDA", "rocm": "ROCm"}


def _find(subject: Subject) -> Iterator[Claim]:
    software = DeviceSoftware(subject)
    known = _known(subject, software)
    if known is None:
        return
    # A base image is made for programs yet to come; wheels are for those beside them.
    wheels_only = known == _UNUSED
    for accelerator, written in _WRITTEN.items():
        items = [
            item
            for item in subject.files
            if software.of(item) == accelerator
            and (not wheels_only or subject.site_of(item.entry.path))
        ]
        # What a package ships beside its host code, the other build would not have, and more.
        builds = sorted(
            {
                named(item.owner)
                for item in items
                if item.owner.type == "python" and software.package(item.owner) is None
            }
        )
        reason = f"{known}; {written} is used by GPUs only"
        if builds:
            reason += f"; {listed(builds)} brings it itself: the build for CPUs is smaller still"
        yield Claim(
            title=f"{written} in an image for CPUs",
            reason=reason,
            fix=fix(
                dockerfile="RUN pip install torch --index-url https://download.pytorch.org/whl/cpu"
                "  # before anything that requires torch; no nvidia/… or rocm/… image in FROM",
                wheelship='[tool.wheelship.variants.cpu] with accelerator = "cpu" takes the builds '
                "for CPUs and refuses the others",
            ),
            parts=tuple(Part(item, software.place(item)) for item in items),
            estimate=bool(builds),
        )


def _known(subject: Subject, software: DeviceSoftware) -> str | None:
    """Return how it is known that no GPU is meant; None when it is not known."""
    if subject.expectation.accelerator is not None:
        if subject.expectation.accelerator != "cpu":
            return None
        return "the image is meant for CPUs"
    if software.users:
        return None
    torch = next((one for one in subject.python_owners if one.name == "torch"), None)
    if torch is None:
        return None if "NVIDIA_VISIBLE_DEVICES" in subject.environment else _UNUSED
    if (label_of(torch) or "").startswith("cpu"):
        return f"{named(torch)} is a build for CPUs, and nothing else in the image uses a GPU"
    return None


RULE = Rule(
    code="accelerator-in-cpu-image",
    title="CUDA or ROCm in an image for CPUs",
    about="Files of packages that belong to CUDA or ROCm (`nvidia-*`, `triton`, `rocm-*`, Debian's "
    "and NVIDIA's `libcublas…`), the trees `/usr/local/cuda*` and `/opt/rocm*`, and shared "
    "libraries by name (`libtorch_cuda.so`). They are waste when the image is said to be for CPUs "
    "(`--accelerator cpu`, or the variant says so), when torch's version ends in `+cpu` and "
    "nothing else in the image is known to use a GPU. Where there is no torch and nothing at all "
    "is known to, those of the wheels are, unless `NVIDIA_VISIBLE_DEVICES` is set; a base image "
    "with CUDA and no program yet is left alone. A package that loads such libraries by itself "
    "(ctranslate2, tensorflow, vllm and others), a library with device code, and a compiled "
    "program of no package all count as users, and then only what was said decides.",
    fix="Install the builds for CPUs before anything that requires torch; wheelship's variant "
    '`accelerator = "cpu"` does, and refuses the others.',
    minimum_bytes=1_000_000,
    find=_find,
)
