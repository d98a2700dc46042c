# SPDX-License-Identifier: Apache-2.0
"""Archives of images, read: the layout inside comes out, and nothing else that may be in there."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

from wheelship.store.errors import InvalidLayout

__all__ = ["unpack_layout"]

_MEMBER = re.compile(r"(?:\./)?(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})")
_PIECE_BYTES = 1024 * 1024


def unpack_layout(archive: Path, directory: Path) -> None:
    """Write the OCI layout in ``archive`` to the new ``directory``; hashes are its reader's work.

    Raises:
        InvalidLayout: there is none, or the file is no archive or a damaged one.
    """
    (directory / "blobs" / "sha256").mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                named = _MEMBER.fullmatch(member.name)
                content = tar.extractfile(member) if named and member.isreg() else None
                if named and content is not None:
                    with content, (directory / named[1]).open("wb") as out:
                        shutil.copyfileobj(content, out, _PIECE_BYTES)
    except (tarfile.TarError, EOFError) as error:
        raise InvalidLayout(f"is no readable archive: {error}", where=str(archive)) from error
    if not (directory / "index.json").is_file():
        raise InvalidLayout(
            "holds no OCI layout, as archives of older engines do not",
            where=str(archive),
            hint=f"skopeo copy docker-archive:{archive} oci:DIR\nand check oci:DIR",
        )
