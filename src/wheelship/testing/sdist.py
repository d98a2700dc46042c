# SPDX-License-Identifier: Apache-2.0
"""Makes small sdists, and a build backend that is small enough to be one of their files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BACKEND", "MadeSdist", "make_sdist", "make_tar"]

BACKEND = b"""
import base64, hashlib, io, json, os, subprocess, sys, zipfile

with open("recipe.json") as stream:
    RECIPE = json.load(stream)


def get_requires_for_build_wheel(config_settings=None):
    return RECIPE["dynamic"]


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    if RECIPE["fails"]:
        raise SystemExit(RECIPE["fails"])
    folder = "{name}-{version}.dist-info".format(**RECIPE)
    os.makedirs(os.path.join(directory, folder))
    with open(os.path.join(directory, folder, "METADATA"), "w") as stream:
        stream.write(metadata())
    with open(os.path.join(directory, folder, "WHEEL"), "w") as stream:
        stream.write("Wheel-Version: 1.0\\n")
    return folder


def metadata():
    lines = ["Metadata-Version: 2.1", "Name: {name}".format(**RECIPE)]
    lines.append("Version: {version}".format(**RECIPE))
    lines += ["Requires-Dist: " + one for one in RECIPE["requires_dist"]]
    return "\\n".join(lines) + "\\n"


def build_wheel(directory, config_settings=None, metadata_directory=None):
    if RECIPE["fails"]:
        print("a line before")
        raise SystemExit(RECIPE["fails"])
    import importlib.metadata

    seen = {
        "tools": sorted([one.name, one.version] for one in importlib.metadata.distributions()),
        "settings": config_settings or {},
        "environ": {k: v for k, v in os.environ.items() if k not in ("UV_INTERNAL__BUILD_DIR",)},
        "python": "%d.%d" % sys.version_info[:2],
        "umask": "%03o" % os.umask(0o022),
    }
    name, tag = RECIPE["name"], RECIPE["tag"]
    files = {name + ".py": b"value = 1\\n"}
    if RECIPE["witness"]:
        files[name + "_witness.json"] = json.dumps(seen).encode()
    if RECIPE["connects"]:
        import urllib.request

        with urllib.request.urlopen(RECIPE["connects"]) as answer:
            files[name + "_loaded.txt"] = answer.read()
    for path in RECIPE["ships"]:
        with open(path, "rb") as stream:
            files[path] = stream.read()
    if RECIPE["compiles"]:
        subprocess.run(["gcc", "-shared", "-fPIC", *os.environ["CFLAGS"].split(), "-o", "out.so",
                        os.path.abspath("code.c"), *RECIPE["links"]], check=True)
        with open("out.so", "rb") as stream:
            files[name + "_code.so"] = stream.read()
    info = "{name}-{version}.dist-info/".format(**RECIPE)
    files[info + "METADATA"] = metadata().encode()
    files[info + "WHEEL"] = (
        "Wheel-Version: 1.0\\nGenerator: made\\nRoot-Is-Purelib: true\\nTag: " + tag + "\\n"
    ).encode()
    record = "".join(
        "%s,sha256=%s,%d\\n" % (path, base64.urlsafe_b64encode(
            hashlib.sha256(data).digest()).rstrip(b"=").decode(), len(data))
        for path, data in files.items()
    )
    files[info + "RECORD"] = (record + info + "RECORD,,\\n").encode()
    filename = "{name}-{version}-{tag}.whl".format(**RECIPE)
    names = list(files)
    if os.environ.get("SHUFFLED"):
        names.reverse()
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for path in names:
            archive.writestr(path, files[path])
    return filename
"""
"""A backend (PEP 517) that does what ``recipe.json`` beside it says."""

_CODE = b"""
#include <stdio.h>
const char *file(void) { puts(__FILE__); return __FILE__; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSdist:
    """An sdist in memory."""

    filename: str
    data: bytes
    files: Mapping[str, bytes]

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file."""
        return hashlib.sha256(self.data).hexdigest()

    def write(self, directory: Path) -> Path:
        """Write the file into ``directory`` and return its path."""
        path = directory / self.filename
        path.write_bytes(self.data)
        return path

    def unpack(self, directory: Path) -> Path:
        """Write its files into the new ``directory``, as a checkout of the project would be."""
        for name, data in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return directory


def make_sdist(  # noqa: PLR0913 - a factory: each knob is one way a source can be
    name: str = "demo",
    version: str = "1.0",
    *,
    build_requires: Sequence[str] = (),
    backend: str | None = None,
    requires: Sequence[str] = (),
    dynamic: Sequence[str] = (),
    tag: str = "py3-none-any",
    built_version: str | None = None,
    compiles: bool = False,
    links: Sequence[str] = (),
    fails: str = "",
    witness: bool = False,
    ships: Sequence[str] = (),
    connects: str = "",
    more: Mapping[str, bytes] | None = None,
) -> MadeSdist:
    """Make an sdist that is built by :data:`BACKEND`, from its own files or a wheel's.

    Args:
        name: of the distribution, in the form that file names have.
        version: in the file name and PKG-INFO.
        build_requires: ``build-system.requires``.
        backend: module that builds; None = a file of the sdist.
        requires: what the package requires; told in PKG-INFO, so that nothing has to run for it.
        dynamic: what the backend wants only when it is asked.
        tag: of the wheel.
        built_version: the wheel's, if it is another one than it should be.
        compiles: whether the wheel holds code compiled by gcc.
        links: further arguments of the compiler.
        fails: the backend's last words, if it is to fail.
        witness: whether the wheel holds a record of what the backend saw.
        connects: address that is loaded while the wheel is built.
        ships: of the sdist's files, those that the wheel holds too.
        more: further files.
    """
    recipe = {
        "name": name,
        "version": built_version or version,
        "requires_dist": list(requires),
        "dynamic": list(dynamic),
        "tag": tag,
        "compiles": compiles,
        "links": list(links),
        "fails": fails,
        "witness": witness,
        "ships": list(ships),
        "connects": connects,
    }
    told = [f"Requires-Dist: {one}\n" for one in requires]
    files = {
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n{''.join(told)}",
        "pyproject.toml": f"[build-system]\nrequires = {json.dumps(list(build_requires))}\n"
        f'build-backend = "{backend or "backend"}"\n'
        + ("" if backend else 'backend-path = ["."]\n'),
        "recipe.json": json.dumps(recipe),
    }
    held = {path: text.encode() for path, text in files.items()}
    if backend is None:
        held["backend.py"] = BACKEND
    if compiles:
        held["code.c"] = _CODE
    held |= more or {}
    return MadeSdist(
        filename=f"{name}-{version}.tar.gz",
        data=make_tar([(f"{name}-{version}/{path}", data) for path, data in held.items()]),
        files=held,
    )


def make_tar(members: Sequence[tuple[str, bytes] | tarfile.TarInfo]) -> bytes:
    """Return a gzipped tar archive of files, and of members given as headers."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, data = member
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)
