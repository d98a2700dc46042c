# SPDX-License-Identifier: Apache-2.0
"""Which versions a resolution should prefer, so that little changes and variants share wheels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wheelship.lock.model import Locked
from wheelship.lock.read import Lock
from wheelship.lock.target import Target
from wheelship.lock.upgrade import Upgrade
from wheelship.variant.model import AcceleratorRow

__all__ = ["Preferences", "Siblings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """Locks of other variants: what is new here takes over their versions, so wheels are shared.

    ``made`` are those of the same run, whose versions always count; of ``found`` those that are to
    be upgraded do not.
    """

    made: tuple[Lock, ...] = ()
    found: tuple[Lock, ...] = ()


@dataclass(frozen=True, slots=True)
class Preferences:
    """Finds the versions to prefer; of several the last one counts, so the weakest comes first."""

    row: AcceleratorRow
    before: Lock | None
    selections: Mapping[Target, tuple[Locked, ...]]
    siblings: Siblings

    def of(
        self, target: Target, upgrade: Upgrade, preferred: Mapping[str, str]
    ) -> dict[str, tuple[str, ...]]:
        """Return them: those just found win over locked ones, own ones over those of siblings."""

        def kept(lock: Lock) -> dict[str, str]:
            return {name: one for name, one in lock.pins(target).items() if upgrade.keeps(name)}

        pins: dict[str, str] = {}
        for lock in reversed(self.siblings.found):
            pins |= kept(lock)
        for lock in reversed(self.siblings.made):
            pins |= lock.pins(target)
        if self.before is not None:
            pins |= kept(self.before)
        for wheels in self.selections.values():
            pins |= {one.name: one.version for one in wheels if one.version}
        pins |= preferred
        return {name: self._builds(name, version) for name, version in pins.items()}

    def _builds(self, name: str, version: str) -> tuple[str, ...]:
        """Return the builds of a version: a sibling's has the label of another accelerator."""
        family = self.row.family_of(name)
        if family is None:
            return (version,)
        release = version.partition("+")[0]
        builds = (version, *(f"{release}+{label}" for label in family.labels), release)
        return tuple(dict.fromkeys(builds))
