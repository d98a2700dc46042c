# SPDX-License-Identifier: Apache-2.0
"""Compares many wheels, several at a time, and gathers what was found."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from parity.compare import differences, info_of, own_defects
from parity.installers import Bench, InstallerFailed, open_bench
from parity.rules import Rules, explain
from parity.tree import Tree
from wheelship.errors import WheelshipError
from wheelship.wheel.errors import RecordMismatch

__all__ = ["Compared", "compare_all", "unused"]

_SHARES = 4  # per process: a share is what progress is told of

Use = tuple[str, str]
"""An installer and the name of a rule."""


@dataclass(kw_only=True)
class Compared:
    """What came of one wheel.

    Attributes:
        files: how many files each reference installed.
        refused: who refuses it (``pip``, ``uv``, ``wheelship``), and why.
        waived: whether we took it in the end, with ``waive-record``.
        uses: how often each rule explained a difference.
        problems: differences that no rule explains, defects of our own tree, unforeseen refusals.
    """

    wheel: str
    size_bytes: int
    files: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    waived: bool = False
    uses: Counter[Use] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def compare_all(
    wheels: Sequence[Path],
    rules: Rules,
    pip_wheel: Path,
    processes: int,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Compared]:
    """Compare each wheel; the results have the order of ``wheels``."""
    # The largest first, dealt out in turn: all shares take about as long.
    ordered = sorted(wheels, key=lambda wheel: -wheel.stat().st_size)
    number = processes * _SHARES
    shares = [ordered[start::number] for start in range(number)]
    work = partial(_compare_share, rules=rules, pip_wheel=pip_wheel)
    found: dict[str, Compared] = {}
    with ProcessPoolExecutor(processes) as pool:
        for share in pool.map(work, [share for share in shares if share]):
            found |= {one.wheel: one for one in share}
            tell(f"{len(found)} of {len(wheels)} wheels compared")
    return [found[wheel.name] for wheel in wheels]


def _compare_share(wheels: Sequence[Path], rules: Rules, pip_wheel: Path) -> list[Compared]:
    place = Path(tempfile.mkdtemp(prefix="parity-"))
    try:
        with open_bench(place / "b", pip_wheel) as bench:
            return [_compare_wheel(wheel, rules, bench) for wheel in wheels]
    finally:
        shutil.rmtree(place)


def _compare_wheel(wheel: Path, rules: Rules, bench: Bench) -> Compared:
    one = Compared(wheel=wheel.name, size_bytes=wheel.stat().st_size)
    trees = _theirs(bench, wheel, one)
    one.files = {
        name: sum(item.kind == "file" for item in tree.values()) for name, tree in trees.items()
    }
    ours = _ours(bench, wheel, one)
    if ours is not None:
        _compare_trees(one, *ours, trees, rules)
    for installer, message in one.refused.items():
        meant = [rule for rule in rules.refusals if rule.explains(installer, one.wheel, message)]
        if not meant:
            one.problems.append(f"refused by {installer}: {message}")
        elif installer == "wheelship" and meant[0].waivable != one.waived:
            one.problems.append(f"a waiver {'helps' if one.waived else 'does not help'}")
    return one


def _theirs(bench: Bench, wheel: Path, one: Compared) -> dict[str, Tree]:
    trees: dict[str, Tree] = {}
    for name, install in (("pip", bench.by_pip), ("uv", bench.by_uv)):
        try:
            trees[name] = install(wheel)
        except InstallerFailed as error:
            one.refused[name] = str(error)
    return trees


def _ours(bench: Bench, wheel: Path, one: Compared) -> tuple[Tree, set[str]] | None:
    try:
        return bench.by_us(wheel)
    except WheelshipError as error:
        one.refused["wheelship"] = error.message
        if not isinstance(error, RecordMismatch):
            return None
    try:
        waived = bench.by_us(wheel, waive_record=True)
    except WheelshipError:
        return None
    one.waived = True
    return waived


def _compare_trees(
    one: Compared, ours: Tree, modules: set[str], trees: Mapping[str, Tree], rules: Rules
) -> None:
    one.problems += own_defects(ours, info_of(ours), modules)
    for installer, tree in trees.items():
        other = next((trees[name] for name in trees if name != installer), None)
        for difference in differences(tree, ours, other):
            rule = explain(rules.differences, installer, difference)
            if rule is None:
                one.problems.append(f"{installer}: {difference}")
            else:
                one.uses[installer, rule.name] += 1


def unused(rules: Rules, found: Sequence[Compared]) -> list[str]:
    """Return the rules that explained nothing, each with the installer it speaks of."""
    uses: Counter[Use] = Counter()
    for one in found:
        uses += one.uses
    refused = [(one.wheel, *item) for one in found for item in one.refused.items()]
    return [
        *(
            f"{rule.name} against {installer}"
            for rule in rules.differences
            for installer in rule.against
            if not uses[installer, rule.name]
        ),
        *(
            f"refusal of {rule.wheel} by {installer}"
            for rule in rules.refusals
            for installer in rule.by
            if not any(
                rule.explains(installer, wheel, message)
                for wheel, by, message in refused
                if by == installer
            )
        ),
    ]
