# SPDX-License-Identifier: Apache-2.0
"""The whole way from an image's source to what is known about it."""

from __future__ import annotations

from wheelship.events import Emit
from wheelship.inspect.contents import make_contents
from wheelship.inspect.model import Contents
from wheelship.inspect.scan.kept import KeptContents
from wheelship.inspect.scan.run import read_layers
from wheelship.source.model import ImageSource

__all__ = ["read_contents"]


def read_contents(
    source: ImageSource, *, kept: KeptContents | None, emit: Emit, jobs: int
) -> Contents:
    """Return what ``source`` holds, and whose it is.

    ``kept`` spares reading layers that were read before; ``jobs`` threads read the others.

    Raises:
        InvalidLayer, UnsupportedLayer: see :func:`~wheelship.inspect.scan.run.read_layers`.
        InvalidLayer: see :func:`~wheelship.inspect.contents.make_contents`.
    """
    return make_contents(source, read_layers(source, kept=kept, emit=emit, jobs=jobs))
