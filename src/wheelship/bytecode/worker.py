# SPDX-License-Identifier: Apache-2.0
"""Runs inside the interpreter of the image: framed sources from stdin, framed .pyc to stdout.

A script that imports nothing of wheelship and must run on every Python we ship. It writes PEP 552
"unchecked hash" files: valid whatever the file times, never looked up at run time.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import struct
import sys
import warnings

TYPE_CHECKING = False  # importing typing would take as long as starting Python does
if TYPE_CHECKING:
    from typing import BinaryIO

FAILED = 0xFFFFFFFF
_HEAD = struct.Struct("<II")
_SIZE = struct.Struct("<I")
_UNCHECKED_HASH = 0b01


def compiled(path: str, source: bytes) -> bytes | None:
    """Return the bytes of the .pyc of ``source``; None when it cannot be compiled."""
    # Templates, Python 2 and test data are left to fail when they are imported.
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + _SIZE.pack(_UNCHECKED_HASH)
    return head + importlib.util.source_hash(source) + marshal.dumps(code)


def main(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Compile module after module until the input ends."""
    gc.disable()
    warnings.simplefilter("ignore")
    while head := stdin.read(_HEAD.size):
        path_bytes, source_bytes = _HEAD.unpack(head)
        path = stdin.read(path_bytes).decode()
        result = compiled(path, stdin.read(source_bytes))
        if result is None:
            stdout.write(_SIZE.pack(FAILED))
        else:
            stdout.write(_SIZE.pack(len(result)))
            stdout.write(result)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
