# SPDX-License-Identifier: Apache-2.0
"""Shows plans: what ``wheelship plan`` and ``wheelship build --dry-run`` have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelship.build.model import Prepared, Surroundings
    from wheelship.cli.settings import Settings
    from wheelship.report.plan_view import ImageView
    from wheelship.request.model import Request

__all__ = ["show_plan", "views_of"]


def views_of(
    request: Request, prepared: Sequence[Prepared], around: Surroundings
) -> tuple[ImageView, ...]:
    """Return what there is to show of the plans."""
    from wheelship.report.plan_view import plan_views

    own = {path for one in prepared for path in one.variant.sources.find_links}
    find_links = (*sorted(own), *around.machine().find_links)
    return plan_views(request, prepared, around.store, find_links)


def show_plan(views: Sequence[ImageView], settings: Settings, *, packages: bool = False) -> None:
    """Write the plans to stdout."""
    from wheelship.report.plan import plan_document
    from wheelship.report.plan_text import plan_text

    if settings.json:
        sys.stdout.write(json.dumps(plan_document(views), indent=2) + "\n")
    else:
        sys.stdout.write(plan_text(views, packages=packages) + "\n")
