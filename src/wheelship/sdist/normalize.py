# SPDX-License-Identifier: Apache-2.0
"""Makes equal builds equal files: order, times, modes, compression and RECORD are ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wheelship.archive.errors import ContentMismatch
from wheelship.archive.zip_write import ZipMember, write_zip
from wheelship.files.digest import file_digest
from wheelship.sdist.elf import Needs, read_needs
from wheelship.wheel.reader import Wheel, open_wheel
from wheelship.wheel.record import Row, encode_sha256, render_record

__all__ = ["Normalized", "normalize"]

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalized:
    """What was seen while the wheel was rewritten.

    Attributes:
        needs: by member, what compiled files need.
    """

    needs: dict[str, Needs] = field(default_factory=dict)


def normalize(wheel: Path, target: Path) -> Normalized:
    """Write the wheel at ``wheel`` anew to ``target``.

    RECORD is made from what is there: a backend that leaves a file out of it is forgiven, one that
    gives a wrong hash is not.

    Raises:
        InvalidWheel, ContentMismatch: the backend made no sound wheel.
    """
    seen = Normalized()
    sha256 = file_digest(wheel).hex
    with (
        open_wheel(wheel, wheel.name, sha256=sha256, waive_record=True) as opened,
        target.open("xb") as stream,
    ):
        write_zip(stream, _members(opened, seen))
    return seen


def _members(wheel: Wheel, seen: Normalized) -> Iterator[ZipMember]:
    record = f"{wheel.dist_info}/RECORD"
    dropped = {record, *(f"{wheel.dist_info}/{one}" for one in _SIGNATURES)}
    rows = [Row(record, None, None)]
    for name in sorted(wheel.members.keys() - dropped):
        data = b"".join(wheel.pieces(name))
        _check_promise(wheel, name, data)
        rows.append(Row(name, encode_sha256(hashlib.sha256(data).hexdigest()), len(data)))
        needs = read_needs(data)
        if needs is not None:
            seen.needs[name] = needs
        mode = 0o755 if wheel.members[name].executable else 0o644
        yield ZipMember(name=name, data=data, mode=mode)
    yield ZipMember(name=record, data=render_record(rows), mode=0o644)


def _check_promise(wheel: Wheel, name: str, data: bytes) -> None:
    row = wheel.record.get(name)
    if row is None or row.hash is None:
        return
    algorithm, promised = row.hash
    if hashlib.new(algorithm, data).hexdigest() != promised:
        raise ContentMismatch(
            f"its {algorithm} is not the one in RECORD",
            where=f"{wheel.filename}: {name}",
            hint="the build backend is at fault; try another version of it",
        )
