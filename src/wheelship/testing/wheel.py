# SPDX-License-Identifier: Apache-2.0
"""Makes small wheels, right ones and, by naming the lie, wrong ones."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MadeWheel", "ZipFile", "make_wheel", "zip_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWheel:
    """A wheel in memory."""

    filename: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file."""
        return hashlib.sha256(self.data).hexdigest()

    def write(self, directory: Path) -> Path:
        """Write the file into ``directory`` and return its path."""
        path = directory / self.filename
        path.write_bytes(self.data)
        return path


@dataclass(frozen=True, slots=True)
class ZipFile:
    """One member for :func:`zip_bytes`."""

    name: str
    data: bytes
    mode: int = 0o644
    method: int = zipfile.ZIP_DEFLATED
    extra: bytes = field(default=b"")


def zip_bytes(members: Sequence[ZipFile]) -> bytes:
    """Return a zip archive with exactly these members, in order, names unchecked."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = (0o100000 | member.mode) << 16
            info.compress_type = member.method
            info.extra = member.extra
            archive.writestr(info, member.data)
    return out.getvalue()


def make_wheel(  # noqa: PLR0913 - a factory: each knob is one way a wheel can be
    name: str = "demo",
    version: str = "1.0",
    *,
    files: Mapping[str, bytes] | None = None,
    modes: Mapping[str, int] | None = None,
    tag: str = "py3-none-any",
    purelib: bool = True,
    console_scripts: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    record: str | None = None,
    wheel_text: str | None = None,
    method: int = zipfile.ZIP_DEFLATED,
) -> MadeWheel:
    """Make a wheel whose RECORD is right unless ``record`` gives its text.

    ``files`` are paths inside the archive; without them the wheel holds one module.
    """
    modes = modes or {}
    info = f"{name}-{version}.dist-info"
    content = dict(files if files is not None else {f"{name}/__init__.py": b"value = 1\n"})
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    content[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    content[f"{info}/WHEEL"] = (
        wheel_text
        if wheel_text is not None
        else f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {str(purelib).lower()}\n"
        f"Tag: {tag}\n"
    ).encode()
    if console_scripts:
        rows = "".join(f"{key} = {value}\n" for key, value in console_scripts.items())
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{rows}".encode()
    text = _record(content, info) if record is None else record
    members = [
        ZipFile(path, data, modes.get(path, 0o644), method) for path, data in content.items()
    ]
    members.append(ZipFile(f"{info}/RECORD", text.encode()))
    return MadeWheel(filename=f"{name}-{version}-{tag}.whl", data=zip_bytes(members))


def _record(content: Mapping[str, bytes], info: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((path, _hash(data), len(data)) for path, data in content.items())
    writer.writerow((f"{info}/RECORD", "", ""))
    return out.getvalue()


def _hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
