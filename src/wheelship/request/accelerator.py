# SPDX-License-Identifier: Apache-2.0
"""Reads what a variant's table says of its accelerator; mistakes go to the table's findings."""

from __future__ import annotations

import re

from wheelship.request.model import Accelerator
from wheelship.request.table import Table

__all__ = ["VARIANT_KEYS", "read_accelerator", "read_gpu_targets", "read_version"]

VARIANT_KEYS = frozenset({"accelerator", "gpu-targets", "version"})
"""Keys that may stand in a variant's table only."""

_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(?:\.\d{1,3})?", re.ASCII)
_GPU_TARGETS = {
    Accelerator.CUDA: re.compile(r"sm_\d{2,3}[af]?", re.ASCII),
    Accelerator.ROCM: re.compile(r"gfx[0-9a-f]{3,5}", re.ASCII),
}
_EXAMPLES = {Accelerator.CUDA: ("13.0", "sm_90"), Accelerator.ROCM: ("6.4", "gfx942")}


def read_accelerator(name: str, table: Table) -> Accelerator:
    """Read ``accelerator``; a variant named like one need not repeat it."""
    given = table.choice("accelerator", tuple(Accelerator))
    if given is None and "accelerator" not in table:
        if name in tuple(Accelerator):
            return Accelerator(name)
        table.report(None, "names no accelerator", hint='accelerator = "cpu"')
    return Accelerator(given or Accelerator.CPU)


def read_version(table: Table, accelerator: Accelerator) -> str | None:
    """Return ``version``, which all but the CPU need."""
    version = table.text("version")
    if accelerator is Accelerator.CPU:
        if "version" in table:
            table.report("version", "the accelerator cpu has no version", hint="remove it")
        return None
    example = f'version = "{_EXAMPLES[accelerator][0]}"'
    if "version" not in table:
        table.report(None, f"the accelerator {accelerator} needs a version", hint=example)
    elif version is not None and not _VERSION.fullmatch(version):
        table.report("version", f"{version!r} is no version of {accelerator}", hint=example)
    return version


def read_gpu_targets(table: Table, accelerator: Accelerator) -> tuple[str, ...]:
    """Return ``gpu-targets`` as written, each once."""
    targets = table.texts("gpu-targets") or ()
    if accelerator is Accelerator.CPU:
        if "gpu-targets" in table:
            table.report("gpu-targets", "the accelerator cpu has no GPU", hint="remove it")
        return ()
    for target in targets:
        if not _GPU_TARGETS[accelerator].fullmatch(target):
            others = [one for one, form in _GPU_TARGETS.items() if form.fullmatch(target)]
            told = f", but one of {others[0]}" if others else ""
            hint = f'gpu-targets = ["{_EXAMPLES[accelerator][1]}"]'
            message = f"{target!r} is no target of {accelerator}{told}"
            table.report("gpu-targets", message, hint=hint)
    return tuple(dict.fromkeys(targets))
