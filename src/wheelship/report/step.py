# SPDX-License-Identifier: Apache-2.0
"""What made a layer, as its author wrote it."""

from __future__ import annotations

__all__ = ["NOT_SAID", "step"]

NOT_SAID = "(not said)"
"""Stands for the step of a layer that the image's history says nothing of."""

_SHELL = "/bin/sh -c "


def step(created_by: str) -> str:
    """Return a row of the history without what its writer puts around the command."""
    text = " ".join(created_by.split()).removesuffix(" # buildkit").removeprefix("wheelship: ")
    before, shell, command = text.partition(_SHELL)
    # Arguments of the build stand between: RUN |1 VERSION=3 /bin/sh -c make
    if shell and (before in ("", "RUN ") or before.startswith(("|", "RUN |"))):
        return command.removeprefix("#(nop)").strip()
    return text
