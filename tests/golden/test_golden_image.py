# SPDX-License-Identifier: Apache-2.0
"""A small image, byte for byte: its listing first, so that a failure is a diff; the digest last.

The wheels' DEFLATE streams are made by the pinned compressor, so that they are the same whatever
zlib Python was built with. Golden files are rewritten by ``pytest tests/golden --update-golden``;
a change of them changes the digests of users' images and belongs in the changelog.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import deflate

from wheelship.archive.entry import Directory, Entry, File, Hardlink, InMemory, Symlink
from wheelship.archive.layer import with_parents
from wheelship.oci.image import Image
from wheelship.oci.validate import problems_of_layout
from wheelship.store.layout_writer import write_layout
from wheelship.store.store import Store
from wheelship.testing.image import make_image
from wheelship.testing.layer import gzip_members, read_layer
from wheelship.testing.raw_zip import RawMember, raw_zip
from wheelship.wheel.environment import Environment
from wheelship.wheel.install import installed_entries
from wheelship.wheel.reader import open_wheel

INFO = "Demo_Pkg-1.0.dist-info"
DATA = "Demo_Pkg-1.0.data"
LIBRARY = b"".join(b"%d squared is %d\n" % (number, number**2) for number in range(9000))
FILES = {
    "demo_pkg/__init__.py": b'"""A package."""\n\nvalue = 1\n',
    "demo_pkg/ünïcode.txt": "Grüße\n".encode(),
    "demo_pkg/lib/large.so": LIBRARY,
    "demo_pkg/empty": b"",
    "demo_pkg/" + "split" * 20 + "/name.py": b"prefix = True\n",
    "demo_pkg/" + "pax" * 40 + ".py": b"pax = True\n",
    f"{DATA}/scripts/tool": b"#!python\nprint('tool')\n",
    f"{DATA}/headers/demo.h": b"#define DEMO 1\n",
    f"{DATA}/data/share/demo.txt": b"shared\n",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: Demo.Pkg\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\ndemo = demo_pkg:main\n",
}
EXECUTABLE = {"demo_pkg/lib/large.so", f"{DATA}/scripts/tool"}


def wheel(files: Mapping[str, bytes]) -> bytes:
    record = "".join(f"{path},sha256={_base64(data)},{len(data)}\n" for path, data in files.items())
    members = [_member(path, data) for path, data in files.items()]
    return raw_zip([*members, _member(f"{INFO}/RECORD", record.encode())])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _member(path: str, data: bytes) -> RawMember:
    return RawMember(
        name=path.encode(),
        data=data,
        flags=0 if path.isascii() else 0x0800,
        stream=bytes(deflate.deflate_compress(data, 9)),
        mode=0o100755 if path in EXECUTABLE else 0o100644,
    )


def build(folder: Path) -> tuple[Image, Store]:
    data = wheel(FILES)
    filename = "Demo_Pkg-1.0-cp311-cp311-linux_x86_64.whl"
    (folder / filename).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    store = Store(folder / "store")
    base: list[Entry] = [
        Directory(path="etc"),
        File(path="etc/hostname", content=InMemory(b"image\n")),
        Hardlink(path="etc/name", target="etc/hostname"),
        Directory(path="tmp", mode=0o1777),
        Symlink(path="bin", target="usr/bin", uid=3_000_000_000),
    ]
    with open_wheel(folder / filename, filename, sha256=sha256) as opened:
        entries = list(with_parents(installed_entries(opened, Environment(python="3.11"))))
        image = make_image(store, base, entries)
    store.close()
    return image, store


def listing(image: Image, store: Store) -> str:
    """Return every path of every layer: type, mode, owner, size, hash, path, target."""
    lines: list[str] = []
    for layer in image.layers:
        blob = store.blob(layer.descriptor.digest).read_bytes()
        sizes = [len(content) for _, content in gzip_members(blob)]
        lines.append(f"layer diff_id={layer.diff_id} tar_bytes_of_gzip_members={sizes}")
        for one in read_layer(blob).values():
            sha256 = hashlib.sha256(one.data).hexdigest()[:16] if one.kind == b"0" else "-" * 16
            arrow = f" -> {one.target}" if one.target else ""
            lines.append(
                f"{one.kind.decode()} {one.mode:04o} {one.uid}:{one.gid} {one.mtime:.0f} "
                f"{len(one.data):>7} {sha256} {one.path}{arrow}"
            )
    return "\n".join(lines) + "\n"


def test_a_small_image_is_byte_stable(golden: Callable[[str, str], None], tmp_path: Path) -> None:
    """DESIGN §3: equal keys give equal bytes, on every machine and in every release.

    When only the digests differ, the compressor's bytes changed: raise CODEC or WRITER_VERSION.
    """
    image, store = build(tmp_path)
    golden("small-image.listing", listing(image, store))
    golden("small-image.config.json", json.dumps(json.loads(image.config_bytes), indent=1) + "\n")
    digests = [f"{layer.descriptor.digest} {layer.descriptor.size_bytes}" for layer in image.layers]
    golden("small-image.digest", "\n".join([str(image.descriptor.digest), *digests]) + "\n")


def test_the_golden_image_is_a_valid_one(tmp_path: Path) -> None:
    """What is kept stable had better be right."""
    image, store = build(tmp_path)
    write_layout(tmp_path / "dist", image, "golden", store.blob)
    assert problems_of_layout(tmp_path / "dist") == []
    blob = store.blob(image.layers[1].descriptor.digest).read_bytes()
    spliced = bytes(deflate.deflate_compress(LIBRARY, 9))
    assert spliced in [raw for raw, _ in gzip_members(blob)]
