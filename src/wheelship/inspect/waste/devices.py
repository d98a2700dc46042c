# SPDX-License-Identifier: Apache-2.0
"""What belongs to CUDA or ROCm, and what can make use of it, by the data of the variants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

from wheelship.inspect.model import DeviceFacts, Item, Owner
from wheelship.inspect.waste.subject import Subject
from wheelship.variant.accelerator import accelerator_row
from wheelship.variant.model import AcceleratorRow

__all__ = ["DeviceSoftware", "label_of", "library_family"]

_TREE = re.compile(r"(?:usr/local/(cuda)[^/]*|opt/(rocm)[^/]*)/")
_CUDA_DEBIAN = re.compile(
    r"(?:cuda-|libcublas|libcudnn|libcudart|libcufft|libcufile|libcurand|libcusolver|libcusparse"
    r"|libnccl|libnpp|libnvjitlink|libnvrtc|libnvjpeg|libnvinfer|libnvtoolsext|libnvvm|libcupti"
    r"|nvidia-cuda-|nsight-|tensorrt)"
)
_ROCM_DEBIAN = re.compile(
    r"(?:rocm|roc(?:blas|fft|rand|solver|sparse|prim|thrust)|hip(?:blas|fft|rand|solver|sparse|cc)"
    r"|hsa-|miopen|migraphx|rccl|lib(?:roc|hip|amdhip|hsa-|miopen|rccl))"
)
# What is there for others to use, and uses nothing by itself.
_SUPPORT = re.compile(r"(?:amd-torch|cuda-|nvidia-|pytorch-triton|rocm|triton)")
_PROGRAM_BYTES = 1_000_000
_FAMILY = re.compile(r"(lib.+?)(?:-[0-9a-f]{8})?\.so(?:\.(\d+))?(?:\.[\d.]+)?", re.ASCII)

# Python packages that use an accelerator where they find its libraries, whatever their own name or
# label says: they load them at run time, or carry no device code that could be seen.
_USERS = frozenset(
    {
        "bitsandbytes",
        "ctranslate2",
        "cucim",
        "deepspeed",
        "faiss-gpu",
        "flash-attn",
        "jax",
        "llama-cpp-python",
        "mxnet",
        "numba-cuda",
        "paddlepaddle-gpu",
        "pycuda",
        "sglang",
        "tensorflow",
        "vllm",
        "xformers",
        "xgboost",
    }
)


def label_of(owner: Owner) -> str | None:
    """Return the local label of a version (``cu130`` of ``2.13.0+cu130``); None without one."""
    return owner.version.partition("+")[2] or None


def library_family(path: str) -> tuple[str, str] | None:
    """Return the name of a shared library without version and hash, and its major version.

    ``libcublas`` and ``12`` of ``…/libcublas.so.12.4.5``; None for other files.
    """
    found = _FAMILY.fullmatch(path.rpartition("/")[2])
    return None if found is None else (found[1], found[2] or "")


@dataclass(frozen=True)
class DeviceSoftware:
    """Tells which files of ``subject`` belong to an accelerator."""

    subject: Subject

    @cached_property
    def _cpu(self) -> AcceleratorRow:
        return accelerator_row("cpu")

    @cached_property
    def _cuda(self) -> AcceleratorRow:
        return accelerator_row("cuda")

    @cached_property
    def _libraries(self) -> dict[str, re.Pattern[str]]:
        return {
            name: re.compile("|".join(map(translate, patterns)))
            for name, patterns in self._cpu.foreign_libraries.items()
        }

    @cached_property
    def _packages(self) -> dict[Owner, str | None]:
        return {owner: self._package(owner) for owner in self.subject.by_owner}

    def package(self, owner: Owner) -> str | None:
        """Return the accelerator that a package is there for as a whole."""
        return self._packages.get(owner)

    def library(self, item: Item) -> str | None:
        """Return the accelerator that a shared library is of or for."""
        name = item.entry.path.rpartition("/")[2]
        if ".so" not in name:
            return None
        for accelerator, pattern in self._libraries.items():
            if pattern.fullmatch(name):
                return accelerator
        return None

    def of(self, item: Item) -> str | None:
        """Return the accelerator that a file belongs to: by package, by directory, by name."""
        by_package = self.package(item.owner)
        if by_package is not None:
            return by_package
        if found := _TREE.match(item.entry.path):
            return found[1] or found[2]
        return self.library(item)

    def major(self, owner: Owner) -> str | None:
        """Return the major version of CUDA that a Python package is for, where it tells."""
        return self._cuda.major_of(owner.name, owner.version) if owner.type == "python" else None

    def place(self, item: Item) -> str:
        """Return what stands for an accelerator's file in a list: the tree or package it is in."""
        if found := _TREE.match(item.entry.path):
            return found[0].rstrip("/")
        return item.entry.path

    @cached_property
    def users(self) -> tuple[str, ...]:
        """What could make use of an accelerator, other than the accelerator's own packages.

        Packages that are known to, builds that are labelled so, libraries with device code, and
        compiled programs that no package accounts for, of which nothing can be said.
        """
        found: set[str] = set()
        for owner in self.subject.python_owners:
            label = label_of(owner)
            labelled = label is not None and self._foreign(label)
            if owner.name in _USERS or (
                (labelled or self.package(owner)) and not _SUPPORT.match(owner.name)
            ):
                found.add(owner.name)
        for item, fact in self.subject.with_facts:
            if isinstance(fact, DeviceFacts) and self.of(item) is None:
                found.add(item.owner.name if item.owner.type == "python" else item.entry.path)
        found.update(
            item.entry.path
            for item in self.subject.files
            if item.owner.type in ("application", "unknown")
            and item.kind in ("shared-object", "executable")
            and item.entry.size_bytes >= _PROGRAM_BYTES
            and self.of(item) is None
            and not self._is_python(item.entry.path)
        )
        return tuple(sorted(found))

    def _is_python(self, path: str) -> bool:
        """Tell whether an interpreter, of no package in many images, accounts for a file."""
        name = path.rpartition("/")[2]
        if name.startswith(("python3", "libpython3")):
            return True
        return any(path.startswith(f"{one.library}/") for one in self.subject.interpreters)

    def _foreign(self, label: str) -> bool:
        return any(re.fullmatch(pattern, label) for pattern in self._cpu.foreign_labels)

    def _package(self, owner: Owner) -> str | None:
        if owner.type == "python":
            if not self._cpu.forbids(owner.name):
                return None
            return "rocm" if self._cuda.forbids(owner.name) else "cuda"
        if owner.type == "debian":
            if _CUDA_DEBIAN.match(owner.name):
                return "cuda"
            if _ROCM_DEBIAN.match(owner.name):
                return "rocm"
        return None
