# SPDX-License-Identifier: Apache-2.0
"""Reads the request of a project from its files (DESIGN §6)."""

from __future__ import annotations

import re
from pathlib import Path

from wheelship.oci.platform import Platform
from wheelship.request.accelerator import VARIANT_KEYS
from wheelship.request.document import Document, Findings, load
from wheelship.request.history import read_history, with_history
from wheelship.request.model import Request, Variant
from wheelship.request.project import read_project
from wheelship.request.settings import COMMON_KEYS
from wheelship.request.table import Table
from wheelship.request.value import canonical_name, parse_repository
from wheelship.request.variants import VariantReader

__all__ = ["read_request"]

_OWN = "wheelship.toml"
_PYPROJECT = "pyproject.toml"
_PROJECT_KEYS = frozenset({"default-variant", "history", "name", "repository", "variants"})
_VARIANT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_USUAL_VARIANT = "cpu"


def read_request(root: Path, *, native: Platform | None = None) -> Request:
    """Read and validate the request of the project in the directory ``root``.

    ``native`` is the platform of variants that name none; None means the build machine's.

    Raises:
        ConfigurationError: with every finding at once.
    """
    root = root.resolve()
    findings = Findings()
    pyproject = load(root, _PYPROJECT, findings)
    own = load(root, _OWN, findings)
    findings.raise_if_any()
    table, config_file = _wheelship_table(root, pyproject, own, findings)
    project, files = read_project(root, pyproject, findings, config_file=config_file)
    hint = f"it belongs to one variant: write it {_header(table, 'variants', 'NAME')}"
    table.only(COMMON_KEYS | _PROJECT_KEYS, dict.fromkeys(VARIANT_KEYS, hint))
    history = read_history(table, root)
    reader = VariantReader(project, files, table, native)
    variants = _variants(table, reader)
    request = Request(
        project=project,
        variants=variants,
        default_variant=_default_variant(table, variants),
        repository=table.parsed("repository", parse_repository),
        name=table.parsed("name", canonical_name),
        notes=tuple(reader.notes),
    )
    findings.raise_if_any()
    return with_history(request, history)


def _wheelship_table(
    root: Path, pyproject: Document | None, own: Document | None, findings: Findings
) -> tuple[Table, Path | None]:
    """Return the wheelship table, empty when there is none, and the file that holds it."""
    where = ("tool", "wheelship")
    tool = None if pyproject is None else pyproject.data.get("tool")
    given = isinstance(tool, dict) and "wheelship" in tool
    if own is not None:
        if pyproject is not None and given:
            hint = f"keep [tool.wheelship] or {_OWN}, and remove the other"
            findings.add_key(pyproject, where, f"{_OWN} holds the configuration too", hint=hint)
        return Table(own, (), own.data, findings), root / _OWN
    if pyproject is None:
        # Findings about what is missing name the file that would hold it.
        return Table(Document(name=_OWN, text="", data={}), (), {}, findings), None
    table = Table(pyproject, (), pyproject.data, findings)
    if given and isinstance(tool, dict) and not isinstance(tool["wheelship"], dict):
        Table(pyproject, ("tool",), tool, findings).table("wheelship")  # reports the type
    return table.descend(*where), root / _PYPROJECT if given else None


def _variants(table: Table, reader: VariantReader) -> dict[str, Variant]:
    group = table.table("variants")
    if group is None or not group.data:
        empty = Table(table.document, (*table.path, "variants", _USUAL_VARIANT), {}, table.findings)
        return {_USUAL_VARIANT: reader.read(_USUAL_VARIANT, empty)}
    variants: dict[str, Variant] = {}
    for name in group.data:
        own = group.table(name)
        if not _VARIANT_NAME.fullmatch(name):
            hint = "letters, digits and hyphens: it becomes part of a tag and of pylock.NAME.toml"
            group.report(name, "is no name for a variant", hint=hint)
        if own is None:
            continue
        hint = f"it belongs to the whole project: write it {_header(table)}"
        own.only(COMMON_KEYS | VARIANT_KEYS, dict.fromkeys(_PROJECT_KEYS, hint))
        variants[name] = reader.read(name, own)
    return variants


def _default_variant(table: Table, variants: dict[str, Variant]) -> str:
    chosen = table.text("default-variant")
    if chosen is not None:
        if chosen not in variants:
            hint = f"one of {', '.join(variants)}"
            table.report("default-variant", f"there is no variant {chosen!r}", hint=hint)
        return chosen
    if _USUAL_VARIANT in variants:
        return _USUAL_VARIANT
    if len(variants) > 1 and "default-variant" not in table:
        message = f"there is no variant {_USUAL_VARIANT!r}, so one must be named"
        table.report("default-variant", message, hint=f'default-variant = "{next(iter(variants))}"')
    return next(iter(variants), _USUAL_VARIANT)


def _header(table: Table, *inner: str) -> str:
    path = (*table.path, *inner)
    return f"under [{'.'.join(path)}]" if path else "at the top of the file"
