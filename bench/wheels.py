# SPDX-License-Identifier: Apache-2.0
"""The wheels of a lock as files, as requirements for uv, and under a new version."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import struct
import tomllib
import zipfile
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

__all__ = ["LockedFile", "collect", "locked_files", "new_version", "requirements"]

_LOCAL_HEADER = struct.Struct("<26xHH")
_SIZES_FOLLOW = 0x08  # flag: the sizes stand behind the data


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One wheel of a lock. ``path`` is where it is if the lock says so, else None."""

    name: str
    version: str
    file_name: str
    sha256: str
    size_bytes: int
    path: Path | None


def locked_files(lock: Path) -> list[LockedFile]:
    """Return the wheels of a ``pylock.*.toml`` that is for one platform."""
    found: list[LockedFile] = []
    packages: list[dict[str, Any]] = tomllib.loads(lock.read_text())["packages"]
    for package in packages:
        (wheel,) = package["wheels"]
        place = wheel.get("path") or unquote(urlsplit(wheel["url"]).path)
        found.append(
            LockedFile(
                name=package["name"],
                version=package["version"],
                file_name=wheel.get("name") or place.rpartition("/")[2],
                sha256=wheel["hashes"]["sha256"],
                size_bytes=wheel["size"],
                path=(lock.parent / place).resolve() if "path" in wheel else None,
            )
        )
    return found


def collect(files: Iterable[LockedFile], downloads: Path, directory: Path) -> None:
    """Make ``directory`` hold all ``files``, out of local wheels and the store's ``downloads``."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = directory / file.file_name
        if not target.exists():
            link(file.path or downloads / file.sha256, target)


def link(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``, or a copy across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def requirements(files: Iterable[LockedFile]) -> str:
    """Return the pins with hashes, as pip and uv read them."""
    return "".join(f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in files)


def new_version(wheel: Path, version: str, directory: Path) -> Path:
    """Make ``wheel`` again in ``directory`` under another version and return where.

    The members keep their compressed bytes; new are METADATA, RECORD and the names that hold the
    version. That is all a release changes for a tool that keys its work by the wheel's hash.
    """
    name, old, rest = wheel.name.split("-", 2)
    target = directory / f"{name}-{version}-{rest}"
    if target.exists():
        return target
    rename = re.compile(rf"^{re.escape(f'{name}-{old}')}(?=\.(?:dist-info|data)/)")
    part = target.with_suffix(".part")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(part, "w") as out:
        source_file = source.fp
        assert source_file is not None
        metadata = source.read(f"{name}-{old}.dist-info/METADATA")
        metadata = re.sub(rb"(?m)^Version: .*$", b"Version: " + version.encode(), metadata, count=1)
        for info in source.infolist():
            renamed = copy(info)
            renamed.filename = rename.sub(f"{name}-{version}", info.filename)
            if info.filename.endswith(".dist-info/METADATA"):
                out.writestr(renamed, metadata)
            elif info.filename.endswith(".dist-info/RECORD"):
                rows = source.read(info).decode().splitlines(keepends=True)
                record = "".join(rename.sub(f"{name}-{version}", row) for row in rows)
                out.writestr(renamed, _with_hash(record, metadata))
            else:
                _copy_raw(source_file, info, out, renamed)
    part.rename(target)
    return target


def _with_hash(record: str, metadata: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(metadata).digest()).rstrip(b"=").decode()
    row = rf"\1,sha256={digest},{len(metadata)}"
    return re.sub(r"(?m)^([^,\r\n]*\.dist-info/METADATA),[^\r\n]*", row, record)


def _copy_raw(
    source: IO[bytes], info: zipfile.ZipInfo, out: zipfile.ZipFile, renamed: zipfile.ZipInfo
) -> None:
    """Copy a member without unpacking it; ``zipfile`` has no public way to."""
    source.seek(info.header_offset)
    name_length, extra_length = _LOCAL_HEADER.unpack(source.read(_LOCAL_HEADER.size))
    source.seek(name_length + extra_length, os.SEEK_CUR)
    file = out.fp
    assert file is not None
    file.seek(out.start_dir)
    renamed.header_offset = file.tell()
    renamed.flag_bits &= ~_SIZES_FOLLOW
    renamed.extra = b""
    file.write(renamed.FileHeader(zip64=False))
    left = info.compress_size
    while left:
        piece = source.read(min(left, 1 << 20))
        assert piece, f"{info.filename} ends early"
        left -= len(piece)
        file.write(piece)
    out.filelist.append(renamed)
    out.NameToInfo[renamed.filename] = renamed
    out.start_dir = file.tell()
