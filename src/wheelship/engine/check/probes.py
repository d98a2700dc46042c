# SPDX-License-Identifier: Apache-2.0
"""Python that runs inside the image, with the image's own interpreter, and prints JSON."""

from __future__ import annotations

__all__ = ["FACTS", "IMPORTS", "INTERPRETER", "MARK"]

INTERPRETER = "python3"

FACTS = """
import errno, json, os, sys

def attempt(directory):
    path = os.path.join(directory, ".wheelship-check")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)
        return ""
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))

status = {}
try:
    with open("/proc/self/status") as file:
        status = dict(line.strip().split(":", 1) for line in file if ":" in line)
except OSError:
    pass
print(json.dumps({
    "uid": os.getuid(),
    "gid": os.getgid(),
    "capabilities": status.get("CapEff", "").strip(),
    "no_new_privileges": status.get("NoNewPrivs", "").strip(),
    "prefix": sys.prefix,
    "closed": {path: attempt(path) for path in ("/", sys.prefix) if sys.argv[1] == "closed"},
    "open": {path: attempt(path) for path in sys.argv[2:]},
}))
"""
"""Arguments: ``open`` to leave the root and the prefix alone, else ``closed``; then the directories
that must be writable. An empty string in the answer means that a file could be made."""

IMPORTS = """
import importlib, importlib.metadata, json, sys

for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        try:
            version = importlib.metadata.version(name.partition(".")[0])
        except importlib.metadata.PackageNotFoundError:
            version = getattr(module, "__version__", "")
        found = {"version": str(version)}
    except BaseException as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    print("\\n\\x1e" + json.dumps(found), flush=True)
"""
"""Arguments: modules. A marked line per module, so that one that ends the interpreter is known."""

MARK = b"\x1e"
