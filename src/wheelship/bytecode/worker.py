# SPDX-License-Identifier: Apache-2.0
"""Runs inside the interpreter of the image: framed sources from stdin, framed .pyc to stdout.

A script that imports nothing of wheelship and must run on every Python we ship. It writes PEP 552
"unchecked hash" files: valid whatever the file times, never looked up at run time.

Each batch is compiled by a child forked for it, so that what ``marshal`` writes cannot depend on
the batches before: starting Python anew each time would take ten times as long as forking.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import os
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


def compile_batch(batch: list[tuple[bytes, bytes]], stdout: BinaryIO) -> None:
    """Write the answer to one batch."""
    for path, source in batch:
        result = compiled(path.decode(), source)
        if result is None:
            stdout.write(_SIZE.pack(FAILED))
        else:
            stdout.write(_SIZE.pack(len(result)))
            stdout.write(result)
    stdout.flush()


def main(stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Answer batch after batch until the input ends; return the status of a child that failed."""
    gc.disable()
    warnings.simplefilter("ignore")
    while head := stdin.read(_SIZE.size):
        batch = []
        for _ in range(*_SIZE.unpack(head)):
            path_bytes, source_bytes = _HEAD.unpack(stdin.read(_HEAD.size))
            batch.append((stdin.read(path_bytes), stdin.read(source_bytes)))
        child = os.fork()
        if child == 0:
            compile_batch(batch, stdout)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
