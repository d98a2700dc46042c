# SPDX-License-Identifier: Apache-2.0
"""Wheels made for what the real ones do not happen to hold."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace

from wheelship.testing.raw_zip import RawMember, raw_zip
from wheelship.testing.wheel import MadeWheel, make_wheel

__all__ = ["made_wheels"]

_MODES = {
    "dos": {"made_by": 0, "attributes": 0},
    "dosexec": {"made_by": 0, "attributes": 0o100755 << 16},
    "mode0400": {"attributes": 0o100400 << 16},
    "mode0640": {"attributes": 0o100640 << 16},
    "mode0666": {"attributes": 0o100666 << 16},
    "mode0711": {"attributes": 0o100711 << 16},
    "mode0777": {"attributes": 0o100777 << 16},
    "mode6755": {"attributes": 0o106755 << 16},
    "modebare": {"attributes": 0o755 << 16},
    "modeother": {"attributes": 0o100645 << 16},
    "link": {"attributes": 0o120777 << 16},
}
"""What the archive says of one file, by the name of the wheel."""

_DATA = "Demo.Pkg-1.0.data"
_INSIDE = {
    "inside.py": b"",
    "inside.egg-info/PKG-INFO": b"Name: inside\n",
    "inside/vendored-1.0.dist-info/METADATA": b"Name: vendored\n",
    "inside/vendored-1.0.dist-info/RECORD": b"",
    "inside-1.0.dist-info/INSTALLER": b"conda\n",
    "inside-1.0.dist-info/REQUESTED": b"",
    "inside-1.0.dist-info/direct_url.json": b'{"url": "file:///elsewhere"}',
    "inside-1.0.dist-info/sboms/inside.cdx.json": b"{}",
    "inside-1.0.dist-info/licenses/a/b/LICENSE": b"free\n",
    "inside-1.0.data/data/lib/python3.11/site-packages/by_data.py": b"value = 1\n",
}


def made_wheels() -> list[MadeWheel]:
    """Return all made wheels."""
    return [*_ordinary(), *_odd_archives(), *_odd_records()]


def _ordinary() -> Iterator[MadeWheel]:
    yield _everything()
    yield _entry_points()
    yield make_wheel("inside", files=_INSIDE)
    yield make_wheel("otherdata", files={"other.data/scripts/tool": b"#!python\n"})
    deep = "deepscript-1.0.data/scripts/sub/tool"
    yield make_wheel("deepscript", files={deep: b"#!python\n"}, modes={deep: 0o755})
    yield make_wheel("twice", files={"twice.py": b"1\n", "twice-1.0.data/purelib/twice.py": b"2\n"})


def _everything() -> MadeWheel:
    """Every directory of the wheel format, names that are hard to quote, first lines of scripts."""
    deep = "/".join(["a-long-directory-name"] * 10)
    files = {
        "demo/__init__.py": b"",
        "demo/sourceless.pyc": b"",
        "demo/__pycache__/__init__.cpython-311.pyc": b"stale",
        "demo/data, with comma.txt": b"",
        'demo/a "quoted" name.txt': b"",
        "demo/\u00fcn\u00efcode.txt": b"composed",
        "demo/u\u0308ni\u0308code.txt": b"decomposed",
        f"demo/{deep}/{'n' * 200}.txt": b"",
        "demo.pth": b"import demo\n",
        f"{_DATA}/purelib/demo/pure.py": b"",
        f"{_DATA}/platlib/demo/plat.py": b"",
        f"{_DATA}/headers/demo.h": b"",
        f"{_DATA}/headers/sub/demo.h": b"",
        f"{_DATA}/data/share/man/demo.1": b"",
        f"{_DATA}/data/bin/helper": b"#!python\n",
        f"{_DATA}/data/bin/run": b"#!/bin/sh\n",
        f"{_DATA}/scripts/sh": b"#!/bin/sh\n",
        f"{_DATA}/scripts/binary": b"\x7fELF" + bytes(5000),
        f"{_DATA}/scripts/empty": b"",
        f"{_DATA}/scripts/module.py": b"#!/usr/bin/env python\n",
    }
    lines = (b"#!python", b"#!pythonw", b"#!python3", b"#!python -E", b"#!python\r", b"#! python")
    for number, line in enumerate(lines):
        files[f"{_DATA}/scripts/first{number}"] = line + b"\nprint(1)\n"
        files[f"{_DATA}/scripts/only{number}"] = line
    modes = {f"{_DATA}/data/bin/run": 0o755, "demo/data, with comma.txt": 0o751}
    scripts = {"demo": "demo:main", "Demo-2.x": "demo.cli:App.run [extra]"}
    return make_wheel("Demo.Pkg", files=files, modes=modes, console_scripts=scripts)


def _entry_points() -> MadeWheel:
    text = (
        "# a comment\r\n[console_scripts]\r\nUPPER = points.a:main\r\n"
        "dotted.name=points.b:Class.method\r\nextra = points:main [one,two]\r\n\r\n"
        "[gui_scripts]\r\nwindow = points:window\r\n[other]\r\nUPPER = not a script\r\n"
    )
    return make_wheel(
        "points", files={"points.py": b"", "points-1.0.dist-info/entry_points.txt": text.encode()}
    )


# --- archives ---


def _odd_archives() -> Iterator[MadeWheel]:
    for name, central in _MODES.items():
        made = make_wheel(name, files={f"{name}/__init__.py": b"", f"{name}/one": b"#!/bin/sh\n"})
        members = [
            replace(one, central=central) if one.name.endswith(b"/one") else one
            for one in _members(made)
        ]
        yield replace(made, data=raw_zip(members))
    folders = make_wheel("folders", files={"folders/__init__.py": b"", "folders/data/a": b""})
    entries = [
        RawMember(name=name, data=b"", method=0, mode=0o040755)
        for name in (b"folders/", b"folders/data/", b"folders/empty/")
    ]
    yield replace(folders, data=raw_zip([*entries, *_members(folders)]))
    signed = make_wheel("signed")
    signatures = [
        RawMember(name=f"signed-1.0.dist-info/RECORD.{kind}".encode(), data=b"{}")
        for kind in ("jws", "p7s")
    ]
    yield replace(signed, data=raw_zip([*_members(signed), *signatures]))


def _members(made: MadeWheel) -> list[RawMember]:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        return [
            RawMember(name=name.encode(), data=archive.read(name)) for name in archive.namelist()
        ]


# --- RECORD ---


def _odd_records() -> Iterator[MadeWheel]:
    """RECORDs that are right in an unusual way, and wrong ones."""
    yield _recorded("sha512", algorithm="sha512")
    yield _recorded("nosize", sizes=False)
    yield _recorded("crlf", end="\r\n")
    yield _recorded("unlisted", leave_out=("unlisted/b.py",))
    yield _recorded("phantom", add={"phantom/gone.py": b""})
    yield _recorded("unhashed", unhashed=("unhashed/b.py",))
    yield _recorded("md5", algorithm="md5")
    yield _recorded("wronghash", replaced={"wronghash/b.py": b"1\n"})
    yield _recorded("outside", add={"../../../../etc/passwd": b""})


def _recorded(
    name: str,
    *,
    algorithm: str = "sha256",
    sizes: bool = True,
    end: str = "\n",
    leave_out: tuple[str, ...] = (),
    unhashed: tuple[str, ...] = (),
    add: Mapping[str, bytes] | None = None,
    replaced: Mapping[str, bytes] | None = None,
) -> MadeWheel:
    files = {f"{name}/__init__.py": b"", f"{name}/b.py": b"0\n"}
    plain = make_wheel(name, files=files)
    content = {one.name.decode(): one.data for one in _members(plain)}
    record = f"{name}-1.0.dist-info/RECORD"
    del content[record]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    for path, data in (content | dict(add or {}) | dict(replaced or {})).items():
        if path not in leave_out:
            hashed = "" if path in unhashed else f"{algorithm}={_digest(data, algorithm)}"
            writer.writerow((path, hashed, len(data) if sizes else ""))
    writer.writerow((record, "", ""))
    return make_wheel(name, files=files, record=out.getvalue())


def _digest(data: bytes, algorithm: str) -> str:
    return base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
