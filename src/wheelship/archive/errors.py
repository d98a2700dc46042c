# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with archives and with the content promised for a layer."""

from __future__ import annotations

from wheelship.errors import InputError

__all__ = ["ContentMismatch", "DuplicatePath", "InvalidZip", "WhiteoutName"]


class InvalidZip(InputError):
    """The zip archive breaks a rule; two readers could see two different archives in it."""

    code = "invalid-zip"


class ContentMismatch(InputError):
    """A file's bytes differ from the size, checksum or hash promised for it."""

    code = "content-mismatch"


class DuplicatePath(InputError):
    """One layer would hold a path twice, which image-spec (layer.md) forbids."""

    code = "duplicate-path"


class WhiteoutName(InputError):
    """A file's name would delete files of lower layers when the image is unpacked."""

    code = "whiteout-name"
