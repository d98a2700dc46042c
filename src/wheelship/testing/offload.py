# SPDX-License-Identifier: Apache-2.0
"""Makes bundles of device code as HIP's compiler lays them out, with rubbish for code."""

from __future__ import annotations

import struct

__all__ = ["make_bundle"]


def make_bundle(*targets: str, code: bytes = b"\xcc" * 200, host: bool = True) -> bytes:
    """Return one bundle with ``code`` for each of ``targets`` (``gfx90a:xnack-``)."""
    names = ["host-x86_64-unknown-linux-gnu-"] if host else []
    names += [f"hipv4-amdgcn-amd-amdhsa--{one}" for one in targets]
    begin = 24 + 8 + sum(24 + len(name) for name in names)
    head = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(names))
    for number, name in enumerate(names):
        size = 0 if name.startswith("host") else len(code)
        head += struct.pack("<QQQ", begin + number * len(code), size, len(name)) + name.encode()
    return head + code * len(names)
