# SPDX-License-Identifier: Apache-2.0
"""What a run of the bench found, as a JSON file."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from scenario import Result
from usage import Usage

__all__ = ["Document", "machine_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Facts about the machine and the programs, options of the run, and the results."""

    machine: dict[str, str]
    options: dict[str, str]
    results: list[Result]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read what :meth:`write` wrote."""
        document = json.loads(path.read_text())
        results = [
            Result(**{**one, "build": Usage(**one["build"]), "push": Usage(**one["push"])})
            for one in document.pop("results")
        ]
        return cls(results=results, **document)

    @classmethod
    def joined(cls, paths: Sequence[Path]) -> Document:
        """Return the results of several runs on one machine; the facts are those of the last."""
        documents = [cls.read(path) for path in paths]
        results = [one for document in documents for one in document.results]
        return replace(documents[-1], results=results)


def machine_facts() -> dict[str, str]:
    """Return what timings depend on."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": str(os.cpu_count()),
        "processor": model[1] if model else platform.machine(),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "wheelship": version("wheelship"),
        "uv": version("uv"),
    }
