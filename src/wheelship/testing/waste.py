# SPDX-License-Identifier: Apache-2.0
"""What the rules find in a made image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wheelship.inspect.model import Expectation, Finding
from wheelship.inspect.waste.rules import RULES, find_waste
from wheelship.oci.config import ImageConfig
from wheelship.testing.inspection import Made, make_contents

__all__ = ["waste"]


def waste(
    code: str,
    *layers: Sequence[Made],
    expectation: Expectation | None = None,
    config: ImageConfig | None = None,
) -> list[Finding]:
    """Return the findings of one rule in an image of ``layers``, lowest first; all rules run.

    ``config`` need not know the layers.
    """
    assert code in {rule.code for rule in RULES}
    contents = make_contents(*layers)
    if config is not None:
        fitting = replace(config, diff_ids=contents.config.diff_ids)
        contents = replace(contents, config=fitting)
    found = find_waste(contents, expectation or Expectation())
    return [one for one in found if one.code == code]
