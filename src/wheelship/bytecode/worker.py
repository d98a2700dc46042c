# SPDX-License-Identifier: Apache-2.0
# Runs inside the interpreter of the image, as a script: reads framed sources from stdin, writes
# framed .pyc files to stdout. It imports nothing of wheelship and must run on every Python we ship.
#
# PEP 552 "unchecked hash" files: valid whatever the file times, never looked up at run time.
import gc
import importlib._bootstrap_external as external
import struct
import sys
import warnings

FAILED = 0xFFFFFFFF


def compiled(path, source):
    # What cannot be compiled (templates, Python 2, test data) is left to fail when it is imported.
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    source_hash = external._imp.source_hash(external._RAW_MAGIC_NUMBER, source)
    return bytes(external._code_to_hash_pyc(code, source_hash, False))


def main(stdin, stdout):
    gc.disable()
    warnings.simplefilter("ignore")
    while True:
        head = stdin.read(8)
        if len(head) < 8:
            return
        path_bytes, source_bytes = struct.unpack("<II", head)
        path = stdin.read(path_bytes).decode()
        result = compiled(path, stdin.read(source_bytes))
        if result is None:
            stdout.write(struct.pack("<I", FAILED))
        else:
            stdout.write(struct.pack("<I", len(result)))
            stdout.write(result)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
