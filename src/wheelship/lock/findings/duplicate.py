# SPDX-License-Identifier: Apache-2.0
"""Two distributions that install the same files: what comes last would win."""

from __future__ import annotations

from collections.abc import Iterator

from wheelship.lock.findings.model import PackageFinding, Subject, exclude_line

__all__ = ["CODES", "find"]

CODES = {
    "same-files": "Two distributions install the same files.",
}


def find(subject: Subject) -> Iterator[PackageFinding]:
    """Yield the packages of which another form is there too; the accelerator's own is kept."""
    for group in subject.compatibility.same_files:
        present = [name for name in group if subject.wheel(name) is not None]
        if len(present) < 2:  # noqa: PLR2004 - one has nothing to collide with
            continue
        own = [name for name in present if subject.row.family_of(name) is not None]
        kept = (own or present)[0]
        for name in present:
            wheel = subject.wheel(name)
            if name == kept or wheel is None:
                continue
            message = f"installs the files of {kept} too"
            yield subject.finding("same-files", wheel, message, exclude_line(name))
