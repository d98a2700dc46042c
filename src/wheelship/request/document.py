# SPDX-License-Identifier: Apache-2.0
"""TOML documents, and the findings about them until they are raised together."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from wheelship.request.errors import ConfigurationError, Finding
from wheelship.request.lines import key_lines, line_of

__all__ = ["Document", "Findings", "load"]

_TOML_HINT = 'correct that line; text needs quotes (name = "demo"), lists need brackets'
_TOO_DEEP = "its values are nested too deeply"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file of the configuration; ``name`` is its path relative to the project."""

    name: str
    text: str
    data: dict[str, object]


class Findings:
    """Collects findings in the order they are made, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[str, ...], str], tuple[str | None, int | None]] = {}
        self._documents: dict[str, Document] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(
        self, file: str, message: str, *, hint: str | None = None, line: int | None = None
    ) -> None:
        """Record a finding about a file or one of its lines."""
        self._found.setdefault((file, (), message), (hint, line))

    def add_key(
        self, document: Document, path: tuple[str, ...], message: str, *, hint: str | None = None
    ) -> None:
        """Record a finding about the key at ``path``; its line is looked up when it is raised."""
        self._documents[document.name] = document
        self._found.setdefault((document.name, path, message), (hint, None))

    def raise_if_any(self) -> None:
        """Raise what was collected.

        Raises:
            ConfigurationError: there is at least one finding.
        """
        if not self._found:
            return
        lines = {name: key_lines(document.text) for name, document in self._documents.items()}
        raise ConfigurationError(
            Finding(
                file=file,
                key=_dotted(path) if path else None,
                message=message,
                hint=hint,
                line=line_of(path, lines[file]) if path else line,
            )
            for (file, path, message), (hint, line) in self._found.items()
        )


def load(root: Path, name: str, findings: Findings) -> Document | None:
    """Read ``root/name``; None when there is no such file or a finding says why it is unusable."""
    try:
        text = (root / name).read_bytes().decode("utf-8")
        return Document(name=name, text=text, data=tomllib.loads(text))
    except FileNotFoundError:
        pass
    except OSError as error:
        findings.add(name, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        findings.add(name, f"is not UTF-8 (byte {error.start})", hint="save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        reason, line = _syntax_error(error)
        findings.add(name, f"is not valid TOML: {reason}", line=line, hint=_TOML_HINT)
    except RecursionError:
        findings.add(name, _TOO_DEEP)
    return None


def _syntax_error(error: tomllib.TOMLDecodeError) -> tuple[str, int | None]:
    """Split ``Expected … (at line 3, column 5)``; the exception has no fields before 3.14."""
    reason, _, position = str(error).partition(" (at line ")
    number = position.partition(",")[0]
    return (reason, int(number)) if number.isdecimal() else (str(error), None)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(part if _is_bare(part) else f'"{part}"' for part in path)


def _is_bare(part: str) -> bool:
    return part != "" and part.isascii() and part.replace("-", "_").replace("_", "a").isalnum()
