# SPDX-License-Identifier: Apache-2.0
"""What compiles: compilers, build tools, and the headers of the system."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from wheelship.inspect.model import Owner
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import outline
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_DEBIAN = re.compile(
    r"(?:gcc|g\+\+|cpp|gfortran|gnat|gobjc|gdc|clang|clang-tools|llvm|lld|lldb|gdb)(?:-.+)?"
    r"|binutils(?:-.+)?|build-essential|make|cmake(?:-.+)?|meson|ninja-build|autoconf|automake"
    r"|autotools-dev|libtool|libtool-bin|m4|bison|flex|patch|pkg-config|pkgconf(?:-bin)?|dpkg-dev"
    r"|libdpkg-perl|rustc|cargo|golang(?:-.+)?|swig(?:\d.*)?|nasm|yasm|ccache|libc-dev-bin"
    r"|lib(?:[alt]|ub|hwa)san\d+|libcc1-\d+|libisl\d+|libbinutils|libctf.*|libgprofng\d+"
    r"|.+-dev",
    re.ASCII,
)
# A directory that every Debian system has, and no compiler.
_KEPT = re.compile(r"gcc-\d+-base", re.ASCII)
_PYTHON = frozenset({"cmake", "meson", "ninja", "scikit-build", "scikit-build-core"})
_TREE = re.compile(
    r"(usr/(?:local/)?include"
    r"|usr/local/cuda[^/]*/(?:bin|include|nvvm/bin|targets/[^/]+/include)"
    r"|(?:root|home/[^/]+)/\.(?:cargo|rustup)|usr/local/(?:cargo|rustup|go))/"
)


def _find(subject: Subject) -> Iterator[Claim]:
    tools = {owner: _is_tool(owner) for owner in subject.by_owner}
    parts = []
    weights: Counter[str] = Counter()
    for item in subject.files:
        tree = _TREE.match(item.entry.path)
        if not tree and not tools[item.owner]:
            continue
        parts.append(Part(item, tree[1] if tree else outline(item.entry.path)))
        name = item.owner.name if tools[item.owner] or tree is None else f"/{tree[1]}"
        weights[name] += item.entry.unpacked_bytes
    if not parts:
        return
    names = [name for name, _ in sorted(weights.items(), key=lambda one: (-one[1], one[0]))]
    yield Claim(
        title="Compilers and headers of the system",
        reason=f"{listed(names)}: what is built is built; at run time compilers serve "
        "torch.compile, Triton and whoever broke in",
        fix=fix(
            dockerfile="build in another stage (FROM python:3.12 AS build … FROM python:3.12-slim, "
            "COPY --from=build /opt/venv /opt/venv), without build-essential and -dev packages in "
            "the last one",
            wheelship="builds packages without a wheel outside of the image; take compilers and "
            '-dev packages out of system-packages; exclude = ["cmake"] leaves out a tool that a '
            "package requires",
        ),
        parts=tuple(parts),
    )


def _is_tool(owner: Owner) -> bool:
    if owner.type == "python":
        return owner.name in _PYTHON
    return (
        owner.type == "debian"
        and _DEBIAN.fullmatch(owner.name) is not None
        and _KEPT.fullmatch(owner.name) is None
    )


RULE = Rule(
    code="compiler",
    title="Compilers and headers of the system",
    about="Debian's compilers, binutils, build tools and `-dev` packages, `/usr/include`, "
    "`/usr/local/include`, the compiler and headers of `/usr/local/cuda*`, Rust and Go trees, and "
    "the Python packages cmake, ninja, meson and scikit-build. torch.compile on "
    "CPUs and Triton's own kernels need a C compiler at run time; a service that uses them keeps "
    "it.",
    fix="Compile in another stage; wheelship compiles outside of the image.",
    minimum_bytes=1_000_000,
    find=_find,
)
