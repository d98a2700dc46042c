# SPDX-License-Identifier: Apache-2.0
"""Before a byte is fetched: do all locked wheels belong together, and to the accelerator?

The kinds of findings live in :mod:`wheelship.lock.findings`. All are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from wheelship.errors import InputError
from wheelship.lock.errors import AcceleratorLacksPlatform
from wheelship.lock.findings import (
    advice,
    companion,
    duplicate,
    floor,
    foreign,
    gpu,
    linked,
    majors,
)
from wheelship.lock.findings.model import PackageFinding, Subject
from wheelship.lock.model import Locked
from wheelship.lock.target import Target
from wheelship.request.model import Variant
from wheelship.variant.accelerator import accelerator_row, accelerator_versions
from wheelship.variant.compatibility import load_compatibility
from wheelship.variant.model import AcceleratorRow

__all__ = [
    "CODES",
    "InconsistentPackages",
    "advice_on",
    "check_machine",
    "check_selection",
    "subject_of",
]

_ERRORS = (foreign, linked, majors, companion, gpu, floor, duplicate)

CODES: Mapping[str, tuple[str, str]] = {
    **{code: (text, "error") for one in _ERRORS for code, text in one.CODES.items()},
    **{code: (text, "warning") for code, text in advice.CODES.items()},
}
"""What each code of a finding means, and how it is reported."""


class InconsistentPackages(InputError):
    """Locked packages do not belong together, or not into this image; each finding says why.

    ``findings`` is never empty; findings with one fix stand together.
    """

    code = "inconsistent-packages"

    def __init__(self, headline: str, findings: Iterable[PackageFinding]) -> None:
        by_hint: dict[str, list[PackageFinding]] = {}
        for finding in findings:
            by_hint.setdefault(finding.hint, []).append(finding)
        self.findings = tuple(one for group in by_hint.values() for one in group)
        lines = [headline]
        for hint, group in by_hint.items():
            lines += [f"  {finding} [{finding.code}]" for finding in group]
            if len(by_hint) > 1:
                lines.append(f"    fix: {hint}".replace("\n", "\n         "))
        super().__init__("\n".join(lines), hint=next(iter(by_hint)) if len(by_hint) == 1 else None)


def subject_of(wheels: Iterable[Locked], variant: Variant, target: Target) -> Subject:
    """Return what is looked at: ``wheels`` in an image of ``variant``.

    Raises:
        UnknownAcceleratorVersion: no data knows the accelerator's version.
    """
    name = str(variant.accelerator)
    row = accelerator_row(name, variant.accelerator_version)
    releases = tuple(accelerator_row(name, one) for one in accelerator_versions(name)) or (row,)
    return Subject(
        wheels=tuple(wheels),
        row=row,
        target=target,
        compatibility=load_compatibility(),
        releases=releases,
        gpu_targets=variant.gpu_targets,
        omit=variant.omit,
    )


def check_machine(row: AcceleratorRow, targets: Iterable[Target]) -> None:
    """Check that the accelerator exists for all targets.

    Raises:
        AcceleratorLacksPlatform: it does not.
    """
    for target in targets:
        if target.platform.machine not in row.machines:
            raise AcceleratorLacksPlatform(
                f"there is no {row} for {target.platform}",
                hint='platforms = ["linux/amd64"]',
            )


def check_selection(subject: Subject) -> None:
    """Check that the wheels belong together and to the accelerator.

    Raises:
        InconsistentPackages: with everything that does not, who pulled it in, and a fix.
    """
    findings = [finding for one in _ERRORS for finding in one.find(subject)]
    if findings:
        headline = (
            f"packages do not belong into the {subject.row} image for {subject.target}, "
            "or not together:"
        )
        raise InconsistentPackages(headline, findings)


def advice_on(subject: Subject) -> Iterator[PackageFinding]:
    """Yield what is worth a warning."""
    return advice.find(subject)
