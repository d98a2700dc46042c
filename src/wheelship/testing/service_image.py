# SPDX-License-Identifier: Apache-2.0
"""Makes the inspection of an image as people have them, small enough for a golden file."""

from __future__ import annotations

from wheelship.inspect.model import Expectation, Finding, Inspection, Owner, Sizes
from wheelship.testing.inspection import Made, make_inspection

__all__ = ["HOSTILE", "make_service"]

HOSTILE = "app/\x1b[2J<script>alert(1)</script>|`@team`\u202e\udcff.py"
"""A path that would clear a screen, run, break a table, tell somebody, and turn its end around."""

_SITE = "opt/venv/lib/python3.11/site-packages"
_IMAGE = Owner("image", "image")
_LIBC = Owner("debian", "libc6", "2.36-9+deb12u10")
_PYTHON = Owner("debian", "python3.11-minimal", "3.11.2-6+deb12u6")
_TORCH = Owner("python", "torch", "2.13.0+cpu")
_NUMPY = Owner("python", "numpy", "2.4.1")
_BYTECODE = Owner("generated", "bytecode")
_APT = Owner("generated", "apt cache")
_APP = Owner("application", "service", "1.0")


def make_service() -> Inspection:
    """Return a service on torch: a base, wheels, bytecode, an application, and some waste."""
    archive = "var/cache/apt/archives/gcc.deb"
    base = [
        *(Made(path, entry="directory", owner=_IMAGE) for path in ("usr", "usr/lib", "usr/bin")),
        Made("usr/lib/x86_64-linux-gnu/libc.so.6", 1_926_256, _LIBC, "shared-object"),
        Made("usr/bin/python3.11", 6_831_736, _PYTHON, "executable"),
        Made(archive, 12_345_678, _APT, "cache"),
    ]
    wheels = [
        *(Made(path, entry="directory", owner=_IMAGE) for path in ("opt", "opt/venv")),
        Made(f"{_SITE}/torch/lib/libtorch_cpu.so", 441_000_000, _TORCH, "shared-object"),
        Made(f"{_SITE}/torch/lib/libtorch_python.so", 31_000_000, _TORCH, "shared-object"),
        *(
            Made(f"{_SITE}/torch/include/ATen/ops/op_{at}.h", 60_000 + at, _TORCH, "header")
            for at in range(40)
        ),
        Made(f"{_SITE}/numpy/_core/_multiarray_umath.so", 22_000_000, _NUMPY, "shared-object"),
        *(
            Made(
                f"{_SITE}/package_{at:02}/__init__.py",
                1_000_000 - 45_000 * at,
                Owner("python", f"package-{at:02}", f"1.{at}"),
                "python",
            )
            for at in range(18)
        ),
    ]
    bytecode = [
        Made(f"{_SITE}/package_{at:02}/__pycache__/m.pyc", 300_000, _BYTECODE, "bytecode")
        for at in range(18)
    ]
    application = [
        Made("app/main.py", 20_000, _APP, "python"),
        Made(HOSTILE, 30_000, _APP, "python"),
        Made(archive, entry="whiteout", owner=_IMAGE),
    ]
    findings = (
        Finding(
            code="headers",
            title="Headers of libraries, which compilers alone read",
            reason="Nothing is compiled in a container that serves; headers are read by compilers.",
            fix="[tool.wheelship.omit]\ntorch = ['torch/include/**']",
            sizes=Sizes(1_204_000, 2_441_980, 2_400_780),
            paths=tuple(f"{_SITE}/torch/include/ATen/ops/op_{at}.h" for at in range(40)),
        ),
        Finding(
            code="deleted-later",
            title="Files that a later layer deletes",
            reason="A layer only adds: what a later one deletes is still sent and still stored.",
            fix="RUN apt-get install --yes PACKAGE && rm --recursive /var/cache/apt/archives",
            sizes=Sizes(6_172_939, 12_346_368, 0),
            paths=(archive,),
        ),
        Finding(
            code="debug-symbols",
            title=f"Debug symbols, in {HOSTILE}",
            reason="Only debuggers read them.",
            fix="",
            sizes=Sizes(100_000, 400_000, 400_000),
            paths=(HOSTILE,),
            estimate=True,
        ),
    )
    return make_inspection(
        base,
        wheels,
        bytecode,
        application,
        findings=findings,
        expectation=Expectation(accelerator="cpu"),
        reference="oci:dist/service:cpu",
    )
