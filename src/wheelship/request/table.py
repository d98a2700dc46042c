# SPDX-License-Identifier: Apache-2.0
"""A TOML table read strictly: each wrong type, bad value and unknown key becomes a finding.

A reader returns None for a key that is absent and for one that has a finding, so that reading goes
on; nothing built from such a table is used, because the findings are raised first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from wheelship.errors import InputError
from wheelship.request.document import Document, Findings

__all__ = ["Table", "nearest_key", "quoted"]

T = TypeVar("T")
V = TypeVar("V")

_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a table",
}


class Table:
    """A cursor on one table of a document."""

    __slots__ = ("data", "document", "findings", "path")

    def __init__(
        self,
        document: Document,
        path: tuple[str, ...],
        data: Mapping[str, object],
        findings: Findings,
    ) -> None:
        self.document = document
        self.path = path
        self.data = data
        self.findings = findings

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def report(self, key: str | None, message: str, *, hint: str | None = None) -> None:
        """Record a finding about ``key``, or about the table itself."""
        path = self.path if key is None else (*self.path, key)
        self.findings.add_key(self.document, path, message, hint=hint)

    def only(self, known: Collection[str], elsewhere: Mapping[str, str] | None = None) -> None:
        """Report each key that is not in ``known``.

        ``elsewhere`` names keys that exist, but in another table, and says in which.
        """
        for key in self.data:
            if key in known:
                continue
            if elsewhere is not None and key in elsewhere:
                self.report(key, "does not belong here", hint=elsewhere[key])
                continue
            nearest = nearest_key(key, known)
            hint = None if nearest is None else f"did you mean {nearest!r}?"
            self.report(key, "unknown key", hint=hint or f"known keys: {', '.join(sorted(known))}")

    def text(self, key: str) -> str | None:
        """Return a non-empty string."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            scalar = isinstance(value, int | float) and not isinstance(value, bool)
            hint = f'{key} = "{value}"' if scalar else None
            self._mistyped(key, value, "a string", hint=hint)
            return None
        return value if self._is_usable(key, value) else None

    def integer(self, key: str, *, low: int, high: int) -> int | None:
        """Return a whole number within the limits."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            is_number = isinstance(value, str) and value.strip().isdecimal()
            hint = f"{key} = {str(value).strip()}" if is_number else None
            self._mistyped(key, value, "a whole number", hint=hint)
            return None
        if not low <= value <= high:
            nearest = max(low, min(value, high))
            message = f"{value} is not between {low} and {high}"
            self.report(key, message, hint=f"for instance {key} = {nearest}")
            return None
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of non-empty strings."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            hint = f"{key} = [{quoted(value)}]" if isinstance(value, str) else None
            self._mistyped(key, value, "a list of strings", hint=hint)
            return None
        found: list[str] = []
        for item in value:
            if not isinstance(item, str):
                self._mistyped(key, item, "only strings")
            elif self._is_usable(key, item):
                found.append(item)
        return tuple(found) if len(found) == len(value) else None

    def parsed(self, key: str, parse: Callable[[str], T]) -> T | None:
        """Return the string of ``key`` as ``parse`` reads it."""
        text = self.text(key)
        return None if text is None else self._parse(key, text, parse)

    def each(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...] | None:
        """Return the list of strings of ``key`` with each item as ``parse`` reads it."""
        texts = self.texts(key)
        if texts is None:
            return None
        found = [self._parse(key, text, parse) for text in texts]
        usable = tuple(item for item in found if item is not None)
        return usable if len(usable) == len(found) else None

    def size(self, key: str, parse: Callable[[str | int], int]) -> int | None:
        """Return the bytes of a string or a whole number."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            self._mistyped(key, value, "a size", hint=f'{key} = "340 MB"')
            return None
        return self._parse(key, value, parse)

    def choice(self, key: str, allowed: Collection[str]) -> str | None:
        """Return a string that is one of ``allowed``."""
        value = self.text(key)
        if value is None or value in allowed:
            return value
        options = ", ".join(quoted(option) for option in allowed)
        self.report(key, f"{value!r} is not possible here", hint=f"one of {options}")
        return None

    def table(self, key: str) -> Table | None:
        """Return the table of ``key``."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self._mistyped(key, value, "a table")
            return None
        return Table(self.document, (*self.path, key), value, self.findings)

    def descend(self, *keys: str) -> Table:
        """Return the table at ``keys``, empty when there is none.

        For the tables of other tools, whose shape is not ours to judge.
        """
        value: object = self.data
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        data = value if isinstance(value, dict) else {}
        return Table(self.document, (*self.path, *keys), data, self.findings)

    def tables(self, key: str) -> tuple[Table, ...] | None:
        """Return the list of tables of ``key``; findings in them carry the line of the list."""
        value = self.data.get(key)
        if value is None:
            return None
        found: list[Table] = []
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(value, list) or not isinstance(item, dict):
                self._mistyped(key, item, "a list of tables")
                return None
            found.append(Table(self.document, (*self.path, key), item, self.findings))
        return tuple(found)

    def strings(self, key: str) -> dict[str, str] | None:
        """Return a table of strings; empty strings are allowed as its values."""
        inner = self.table(key)
        if inner is None:
            return None
        found: dict[str, str] = {}
        for name, value in inner.data.items():
            if not isinstance(value, str):
                shown = str(value).lower() if isinstance(value, bool) else value
                hint = f'{name} = "{shown}"' if isinstance(value, int | float) else None
                inner._mistyped(name, value, "a string", hint=hint)  # noqa: SLF001 - same class
            elif "\0" in value:
                inner.report(name, "contains a NUL character")
            else:
                found[name] = value
        return found

    def _parse(self, key: str, value: V, parse: Callable[[V], T]) -> T | None:
        try:
            return parse(value)
        except InputError as error:
            self.report(key, error.message, hint=error.hint)
            return None

    def _is_usable(self, key: str, text: str) -> bool:
        if text == "":
            self.report(key, "must not be empty")
        elif "\0" in text:
            self.report(key, "contains a NUL character")
        else:
            return True
        return False

    def _mistyped(self, key: str, value: object, expected: str, *, hint: str | None = None) -> None:
        found = _KINDS.get(type(value), "a date or time")
        self.report(key, f"must be {expected}, not {found}", hint=hint)


def nearest_key(key: str, known: Collection[str]) -> str | None:
    """Return the known key that ``key`` most resembles, None when none is near."""
    from difflib import get_close_matches

    # Comparing is quadratic in the length, and no real key is longer.
    spelled = key[:60].lower().replace("_", "-").replace(" ", "-")
    return next(iter(get_close_matches(spelled, sorted(known), n=1, cutoff=0.6)), None)


def quoted(text: str) -> str:
    """Return ``text`` as a TOML basic string."""
    from json import dumps

    # TOML's basic strings escape as JSON does, except that DEL must be escaped too.
    return dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
