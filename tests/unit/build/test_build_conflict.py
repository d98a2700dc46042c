# SPDX-License-Identifier: Apache-2.0
"""Layers that disagree on what a path is: only one of them would be there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from wheelship.archive.result import IndexRow
from wheelship.build.conflict import check_conflicts
from wheelship.build.errors import ConflictingFiles
from wheelship.plan.model import LayerPlan
from wheelship.testing.wheel import make_wheel

FILE = IndexRow("opt/venv/bin/tool", 0o755, 1, "ab" * 32)
LINK = IndexRow("opt/venv/bin/tool", 0o777, 0, "")
BESIDE = IndexRow("opt/venv/bin/other", 0o777, 0, "")


@pytest.mark.parametrize("rows", [(FILE, LINK), (LINK, FILE)], ids=["link later", "file later"])
def test_a_file_where_another_layer_has_a_link_is_refused(
    yard: Any, layer: Callable[..., LayerPlan], rows: tuple[IndexRow, IndexRow]
) -> None:
    """Such as bin/python, a link, and a script of that name."""
    plan = yard.plan(*(layer(yard.lock(make_wheel(name))) for name in ("one", "two")))
    keys = [one.key for one in plan.layers[:2]]
    records: Any = {one.key: SimpleNamespace(digest=one.key) for one in plan.layers}

    def store(*found: IndexRow) -> Any:
        indexes = dict(zip(keys, ([row] for row in found), strict=True))
        return SimpleNamespace(
            index=lambda key: indexes.get(key, []),
            marked=lambda _: (False, None),
            mark=lambda _: None,
        )

    with pytest.raises(ConflictingFiles, match=r"holds a file where .* holds a link") as caught:
        check_conflicts(plan, records, store(*rows))
    assert "/opt/venv/bin/tool" in caught.value.message
    check_conflicts(plan, records, store(FILE, BESIDE))
    check_conflicts(plan, records, store(LINK, LINK))
