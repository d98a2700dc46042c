# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request: findings, collected first and raised together (STYLE 2.10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wheelship.errors import InputError

__all__ = ["ConfigurationError", "Finding", "FindingsError", "InvalidValue", "SourceError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to correct.

    Attributes:
        file: path relative to the project, with forward slashes.
        key: dotted TOML key as it would be searched for, or None for the file as a whole.
        message: what is wrong.
        hint: a fix that can be pasted, if there is one.
        line: line number of the key, from 1, if it is known.
    """

    file: str
    key: str | None = None
    message: str
    hint: str | None = None
    line: int | None = None

    @property
    def where(self) -> str:
        """The place as editors and compilers write it: ``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def to_json(self) -> dict[str, object]:
        """Return the form that stands in ``--json`` output."""
        return {
            "file": self.file,
            "line": self.line,
            "key": self.key,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        key = "" if self.key is None else f"{self.key}: "
        return f"{self.where}: {key}{self.message}"


class InvalidValue(InputError):
    """A value that cannot be read as what it stands for: a size, a duration, a path."""

    code = "invalid-value"


class FindingsError(InputError):
    """Root of the errors that hold findings; ``findings`` is never empty."""

    code = "findings"

    def __init__(self, headline: str, findings: Iterable[Finding]) -> None:
        self.headline = headline
        self.findings = tuple(findings)
        first = self.findings[0]
        if len(self.findings) == 1:
            super().__init__(str(first), where=first.where, hint=first.hint)
            return
        lines = [f"{len(self.findings)} problems in {headline}:"]
        for finding in self.findings:
            lines.append(f"  {finding}")
            if finding.hint is not None:
                lines.append(f"    fix: {finding.hint}".replace("\n", "\n         "))
        super().__init__("\n".join(lines))


class ConfigurationError(FindingsError):
    """The project's configuration cannot be used as it stands."""

    code = "configuration"

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__("the configuration", findings)


class SourceError(FindingsError):
    """Files of the application cannot become files of an image."""

    code = "application-files"

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__("the application's files", findings)
