# SPDX-License-Identifier: Apache-2.0
"""What sort of file an entry is, from its path and mode.

The first that holds:

==================  ==============================================================================
structure           no content of its own: directories, links, devices, whiteouts, framing
bytecode            ``.pyc``, ``.pyo``
cache, model        in a cache of :mod:`~wheelship.inspect.owners.generated`; a model in those of
                    Hugging Face and torch
metadata            in ``.dist-info``, ``.egg-info``, ``conda-meta``, dpkg's and apk's databases
test                in a directory ``test`` or ``tests`` of packages or of Python's library;
                    ``conftest.py``
shared-object       ``.so`` with or without a version
static-library      ``.a``
header              ``.h`` and its relatives, ``.cuh``; below ``include`` also what has no suffix
model               ``.safetensors``, ``.onnx``, ``.gguf`` and their relatives
python              ``.py``, ``.pyi``, ``.pyx``, ``.pxd``, and ``.pth`` beside packages
documentation       manuals, ``/usr/share/doc``, licences, ``.md``, ``.rst``
executable          executable bit
data                all else
==================  ==============================================================================
"""

from __future__ import annotations

import re
from typing import Literal

from wheelship.inspect.model import Entry, FileKind
from wheelship.inspect.owners.generated import cache

__all__ = ["Kinds"]

_BY_SUFFIX: dict[str, FileKind] = {
    **dict.fromkeys(("so", "hsaco"), "shared-object"),
    **dict.fromkeys(("a",), "static-library"),
    **dict.fromkeys(("h", "hh", "hpp", "hxx", "h++", "cuh", "inl", "ipp", "tcc", "tpp"), "header"),
    **dict.fromkeys(
        (
            "safetensors",
            "onnx",
            "gguf",
            "ggml",
            "pt",
            "pth",
            "ckpt",
            "tflite",
            "h5",
            "keras",
            "torchscript",
            "jit",
            "mlmodel",
            "engine",
        ),
        "model",
    ),
    **dict.fromkeys(("py", "pyi", "pyx", "pxd", "pxi"), "python"),
    **dict.fromkeys(("md", "rst", "adoc", "man", "info"), "documentation"),
}
_SHARED_OBJECT = re.compile(r".*\.so(?:\.[0-9]+)+")
_MODEL_NAME = re.compile(r"(?:pytorch_)?model[^/]*\.(?:bin|pb|msgpack|joblib|pkl)|saved_model\.pb")
_DOCUMENT_NAME = re.compile(
    r"(?:licen[cs]e|copying|copyright|notice|authors|readme|changelog|changes|news|history|todo)"
    r"(?:[.-].*)?",
    re.IGNORECASE,
)
_METADATA = re.compile(
    r"(?:.*/)?(?:[^/]+\.(?:dist|egg)-info|conda-meta)/.*|var/lib/(?:dpkg|apt|rpm)/.*|lib/apk/db/.*"
)
_DOCUMENTATION = re.compile(r"usr/(?:local/)?share/(?:doc|man|info|gtk-doc|help)/.*")
_CODE = ("site-packages", "dist-packages")
_TESTS = ("test", "tests")
_PYTHON_LIBRARY = re.compile(r"python3?(?:\.[0-9]+)?")
_MODEL_CACHES = ("huggingface cache", "torch cache")

_Directory = Literal["cache", "model", "metadata", "test", "site", "documentation", "header", ""]


class Kinds:
    """Tells kinds; remembers what it found out about directories."""

    def __init__(self) -> None:
        self._places: dict[str, _Directory] = {}
        self._directory, self._place = "\0", _directory("")

    def kind(self, entry: Entry) -> FileKind:
        """Return what sort of file ``entry`` is."""
        if entry.kind != "file":
            return "structure"
        directory, _, name = entry.path.rpartition("/")
        if directory != self._directory:
            self._directory = directory
            place = self._places.get(directory)
            if place is None:
                place = self._places[directory] = _directory(directory)
            self._place = place
        stem, dot, suffix = name.rpartition(".")
        if suffix in ("pyc", "pyo"):
            return "bytecode"
        if self._place in ("cache", "model", "metadata"):
            return self._place
        if self._place == "test" or name == "conftest.py":
            return "test"
        found = _BY_SUFFIX.get(suffix) if dot and stem else None
        if found == "model" and suffix == "pth" and self._place == "site":
            found = "python"
        if found is None or found == "documentation":
            found = self._by_name(name, found)
        return found or ("executable" if entry.mode & 0o111 else "data")

    def _by_name(self, name: str, found: FileKind | None) -> FileKind | None:
        if ".so." in name and _SHARED_OBJECT.fullmatch(name):
            return "shared-object"
        if self._place == "header" and "." not in name:
            return "header"
        if _MODEL_NAME.fullmatch(name):
            return "model"
        if self._place == "documentation" or _DOCUMENT_NAME.fullmatch(name):
            return "documentation"
        return found


def _directory(path: str) -> _Directory:
    parts = path.split("/")
    inside = f"{path}/"
    held = cache(path)
    if held is not None:
        return "model" if held.name in _MODEL_CACHES else "cache"
    if _METADATA.fullmatch(inside):
        return "metadata"
    if _DOCUMENTATION.fullmatch(inside):
        return "documentation"
    if _has_tests(parts):
        return "test"
    if parts[-1] in _CODE:
        return "site"
    return "header" if "include" in parts else ""


def _has_tests(parts: list[str]) -> bool:
    """Tell a directory of tests below Python's library, a site-packages, or an application."""
    if not any(one in parts for one in _TESTS):
        return False
    first = min(parts.index(one) for one in _TESTS if one in parts)
    above = parts[:first]
    return any(one in _CODE or _PYTHON_LIBRARY.fullmatch(one) for one in above)
