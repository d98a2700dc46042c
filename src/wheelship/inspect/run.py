# SPDX-License-Identifier: Apache-2.0
"""The whole way from an image's source to what is known about it."""

from __future__ import annotations

from wheelship.events import Emit
from wheelship.inspect.contents import make_contents
from wheelship.inspect.model import Expectation, Inspection
from wheelship.inspect.scan.kept import KeptContents
from wheelship.inspect.scan.run import read_layers
from wheelship.inspect.waste.rules import find_waste
from wheelship.source.model import ImageSource

__all__ = ["inspect_image"]


def inspect_image(
    source: ImageSource,
    *,
    kept: KeptContents | None,
    emit: Emit,
    jobs: int,
    expectation: Expectation | None = None,
) -> Inspection:
    """Return what ``source`` holds, whose it is, and what of it is waste.

    ``kept`` spares reading layers that were read before; ``jobs`` threads read the others.

    Raises:
        InvalidLayer, UnsupportedLayer: see :func:`~wheelship.inspect.scan.run.read_layers`.
        InvalidLayer: see :func:`~wheelship.inspect.contents.make_contents`.
    """
    expectation = expectation or Expectation()
    contents = make_contents(source, read_layers(source, kept=kept, emit=emit, jobs=jobs))
    return Inspection(
        contents=contents,
        findings=find_waste(contents, expectation),
        expectation=expectation,
    )
