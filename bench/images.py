# SPDX-License-Identifier: Apache-2.0
"""The two images that the Dockerfile begins with, made here: registries need not answer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from buildkit import Docker

__all__ = ["load_images"]

_PACKAGES = "python3.11,ca-certificates,netbase,tzdata"
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_LINKS = 'ln -s python3.11 "$1/usr/bin/python3"; ln -s python3.11 "$1/usr/bin/python"'
_NO_BYTECODE = 'find "$1/usr/lib" -name __pycache__ -prune -exec rm -r {} +'  # as python:3.11-slim


def load_images(docker: Docker, kept: Path) -> None:
    """Load ``bench/python`` (Debian 12 with its Python) and ``bench/uv`` into ``docker``."""
    archive = kept / "python.tar"
    if not archive.exists():
        sys.stderr.write("making the equivalent of python:3.11-slim, once\n")
        program = shutil.which("mmdebstrap")
        if program is None:
            sys.exit("needs mmdebstrap: apt-get install mmdebstrap")
        part = kept / "python.part.tar"
        excluded = [f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED]
        hooks = [f"--customize-hook={hook}" for hook in (_LINKS, _NO_BYTECODE)]
        options = ["--quiet", "--variant=minbase", f"--include={_PACKAGES}", *excluded, *hooks]
        subprocess.run([program, *options, "bookworm", part], check=True)
        part.rename(archive)
    docker.call("import", "-", "bench/python", stdin=archive)
    context = kept / "uv"
    context.mkdir(exist_ok=True)
    shutil.copyfile(find_uv_bin(), context / "uv")
    (context / "uv").chmod(0o755)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\n")
    docker.call("build", "--quiet", "--tag", "bench/uv", str(context))
