# SPDX-License-Identifier: Apache-2.0
"""The same libraries of CUDA twice: from the system and from wheels, or for two major versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wheelship.inspect.model import Item
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.devices import DeviceSoftware, label_of, library_family
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

# The families whose major version is CUDA's own; that of cuDNN or NCCL is another matter.
_TELLING = frozenset({"libcublas", "libcublasLt", "libcudart", "libnvJitLink", "libnvrtc"})
_LABEL = re.compile(r"cu(\d{2})\d", re.ASCII)
_DIRECTORY = re.compile(r"nvidia/cu(\d{2})/", re.ASCII)


def _find(subject: Subject) -> Iterator[Claim]:
    software = DeviceSoftware(subject)
    system: list[Item] = []
    wheels: list[Item] = []
    for item in subject.files:
        if software.of(item) == "cuda" and library_family(item.entry.path) is not None:
            (wheels if subject.site_of(item.entry.path) else system).append(item)
    yield from _system(system, wheels, software)
    yield from _majors(subject, wheels, software)


def _system(
    system: Sequence[Item], wheels: Sequence[Item], software: DeviceSoftware
) -> Iterator[Claim]:
    brought = {_family(item) for item in wheels}
    twice = [item for item in system if _family(item) in brought]
    if not twice:
        return
    where = sorted({software.place(one).rpartition("/")[0] or "/" for one in twice})
    yield Claim(
        title="CUDA from the base image and from wheels",
        reason=f"{listed(sorted({_family(one) for one in twice}))} come with the wheels, which "
        f"load their own; those in /{listed(where)} serve only programs that are not Python "
        f"packages",
        fix=fix(
            dockerfile="FROM python:3.12-slim  # in place of nvidia/cuda:…; the wheels bring CUDA, "
            "the host brings the driver",
            wheelship='base = "debian" (the default) has no CUDA; the variant\'s wheels bring it',
        ),
        parts=tuple(Part(item, item.entry.path) for item in twice),
    )


def _majors(subject: Subject, wheels: Sequence[Item], software: DeviceSoftware) -> Iterator[Claim]:
    """Yield the libraries of the major versions that torch is not built for."""
    sets: dict[str, list[Item]] = {}
    for item in wheels:
        major = _major(item, software)
        if major:
            sets.setdefault(major, []).append(item)
    if len(sets) < len(("one", "another")):
        return
    torch = next((one for one in subject.python_owners if one.name == "torch"), None)
    label = _LABEL.match(label_of(torch) or "") if torch is not None else None
    if label is not None and label[1] in sets:
        kept, how = label[1], f"torch is built for CUDA {label[1]}"
    else:
        kept = max(sets, key=lambda one: (_weight(sets[one]), one))
        how = f"CUDA {kept} has more of it, so the rest counts as the copy"
    for major in sorted(set(sets) - {kept}):
        yield Claim(
            title=f"CUDA {major} beside CUDA {kept}",
            reason=f"libraries for two major versions are there; {how}. Needed only if a package "
            f"is built for CUDA {major}, and that one belongs into a build for CUDA {kept}",
            fix=fix(
                dockerfile=f"RUN pip list | grep -i cu{major}  # then pin the packages that "
                f"require them to builds for CUDA {kept}",
                wheelship='[tool.wheelship.variants.cuda] with version = "…" holds all packages to '
                "one release (finding mixed-majors)",
            ),
            parts=tuple(Part(item, item.entry.path) for item in sets[major]),
        )


def _major(item: Item, software: DeviceSoftware) -> str | None:
    """Return the major version of CUDA that a wheel's library is for, where it tells."""
    if found := _DIRECTORY.search(item.entry.path):
        return found[1]
    if by_package := software.major(item.owner):
        return by_package
    family = library_family(item.entry.path)
    return family[1] if family is not None and family[0] in _TELLING else None


def _family(item: Item) -> str:
    family = library_family(item.entry.path)
    return family[0] if family is not None else ""


def _weight(items: Sequence[Item]) -> int:
    return sum(item.entry.unpacked_bytes for item in items)


RULE = Rule(
    code="cuda-twice",
    title="CUDA twice",
    about="Shared libraries of CUDA that the system has (`/usr/local/cuda*`, packages such as "
    "`libcublas-12-8`) although the wheels bring the same library; and libraries of two major "
    "versions of CUDA among the wheels. Wheels find their own libraries first, so those of the "
    "base serve nobody; what the wheels do not bring is left alone. Of two major versions the one "
    "in torch's version label is kept, without a label the larger one.",
    fix="Start from an image without CUDA; let all packages be built for one major version.",
    minimum_bytes=1_000_000,
    find=_find,
)
