# SPDX-License-Identifier: Apache-2.0
"""The ``.dist-info`` of the application, as installing its wheel would leave it.

Core metadata, "Recording installed projects" and the entry points specification of packaging.
"""

from __future__ import annotations

import csv
import io
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping

from wheelship.request.model import Project

__all__ = ["directory_name", "installed_files", "record"]

_WHEEL = "Wheel-Version: 1.0\nGenerator: wheelship\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
"""Without our version: upgrading wheelship changes no layer of the application."""


def directory_name(project: Project) -> str:
    """Return ``name-version.dist-info`` in the escaped form of the specification."""
    return f"{project.name.replace('-', '_')}-{_normal_version(project.version)}.dist-info"


def installed_files(project: Project) -> dict[str, bytes]:
    """Return the files of the ``.dist-info`` except RECORD, by name."""
    files = {
        "INSTALLER": b"wheelship\n",
        "METADATA": _metadata(project).encode(),
        "WHEEL": _WHEEL.encode(),
    }
    entry_points = _entry_points(project)
    if entry_points:
        files["entry_points.txt"] = entry_points.encode()
    return files


def record(hashes: Mapping[str, tuple[str, int]], own_path: str) -> bytes:
    """Return RECORD for paths relative to ``site-packages`` → (hexadecimal sha256, size)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, (digest, size_bytes) in sorted(hashes.items()):
        encoded = urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        writer.writerow((path, f"sha256={encoded}", size_bytes))
    writer.writerow((own_path, "", ""))
    return text.getvalue().encode()


def _metadata(project: Project) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project.name}",
        f"Version: {_normal_version(project.version)}",
    ]
    if project.requires_python is not None:
        lines.append(f"Requires-Python: {project.requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in project.dependencies]
    for extra, requirements in sorted(project.extras.items()):
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_of_extra(text, extra)}" for text in requirements]
    return "\n".join(lines) + "\n"


def _of_extra(requirement: str, extra: str) -> str:
    """Return the requirement with ``extra == "…"`` added to its marker."""
    if ";" not in requirement and "@" not in requirement:
        return f'{requirement}; extra == "{extra}"'
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    marker, parsed.marker = parsed.marker, None
    # A URL ends at the first blank, so the semicolon needs one before it.
    condition = f'extra == "{extra}"' if marker is None else f'({marker}) and extra == "{extra}"'
    return f"{parsed} ; {condition}"


def _entry_points(project: Project) -> str:
    groups = {"console_scripts": project.scripts, **project.entry_points}
    sections: Iterable[str] = (
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in sorted(names.items()))
        for group, names in sorted(groups.items())
        if names
    )
    return "\n".join(sections)


def _normal_version(version: str) -> str:
    if version.replace(".", "").isdecimal() and version.isascii() and "0" not in _leading(version):
        return version
    from packaging.version import Version

    return str(Version(version))


def _leading(version: str) -> str:
    """Return the first digits of the parts that have more than one, where zeros are dropped."""
    return "".join(part[0] for part in version.split(".") if len(part) > 1)
