# SPDX-License-Identifier: Apache-2.0
"""What ``wheelship inspect`` shows, at the widths that terminals have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wheelship.report.canvas import Canvas
from wheelship.report.inspection_markdown import inspection_markdown
from wheelship.report.inspection_text import inspection_text
from wheelship.report.inspection_view import InspectionView
from wheelship.testing.service_image import make_service

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_whole_view(width: int, golden: Golden) -> None:
    text = inspection_text(InspectionView(make_service()), Canvas(width=width))
    golden(f"inspect-{width}.txt", text + "\n")


def test_the_single_views(golden: Golden) -> None:
    view, canvas = InspectionView(make_service(), "transfer"), Canvas(width=100, unicode=False)
    texts = [
        inspection_text(view, canvas, by=by, top=6, depth=5)
        for by in ("package", "layer", "path", "kind")
    ]
    golden("inspect-by.txt", "\n\n".join(texts) + "\n")


def test_the_markdown(golden: Golden) -> None:
    golden("inspect.md", inspection_markdown(InspectionView(make_service()), top=5))
