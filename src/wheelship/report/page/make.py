# SPDX-License-Identifier: Apache-2.0
"""Puts the page together; equal inspections give equal pages."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from importlib import resources
from string import Template

from wheelship.history.model import PastBuild
from wheelship.inspect.model import Contents, Inspection
from wheelship.report.page.chart import history_section
from wheelship.report.page.data import encoded
from wheelship.report.page.tables import TABLES, Table, tables
from wheelship.report.page.waste import waste_section
from wheelship.report.page.words import counted, html
from wheelship.report.size import format_bytes

__all__ = ["inspection_page"]

_SCRIPTS = (
    "format.js",
    "image.js",
    "query.js",
    "groups.js",
    "squarify.js",
    "map.js",
    "tables.js",
    "waste.js",
    "main.js",
)
_REFERENCE_LIMIT = 300
_SIZES = (
    ("transfer", "Transfer", "compressed, as registries send it: what is downloaded"),
    ("unpacked", "Unpacked", "archives of all layers, also what later layers hide"),
    ("effective", "Effective", "files in the final file system: what a container sees"),
)
_UNKNOWN = "this source holds no compressed layers, so nobody can tell"


def inspection_page(inspection: Inspection, *, history: Sequence[PastBuild] = ()) -> str:
    """Return one self-contained HTML page about ``inspection``.

    The page weighs at most about 1.5 MB: of an image with more files than fit, the smallest are
    shown together, with their exact sums. It runs no script and loads no style but its own, and
    shows tables where scripts do not run at all. The text holds no lone surrogates.

    Args:
        inspection: what to show.
        history: builds for a chart of sizes over time, in any order.
    """
    contents = inspection.contents
    forest, data = encoded(inspection)
    style = _static("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(map(_static, _SCRIPTS)) + "\n})();"
    findings = len(inspection.findings)
    rows = tables(contents, forest)
    return Template(_static("page.html")).substitute(
        title=html(contents.reference, _REFERENCE_LIMIT),
        reference=html(contents.reference, _REFERENCE_LIMIT),
        facts="".join(f"<li>{fact}</li>" for fact in _facts(inspection)) + _digest(contents),
        sizes=_sizes(inspection),
        waste=waste_section(inspection.findings, transfer_known=contents.transfer_known),
        waste_count=f"{findings} finding{'' if findings == 1 else 's'}",
        tabs="".join(_tab(table, at) for at, table in enumerate(TABLES)),
        panels="".join(_panel(table, at, rows[table.name]) for at, table in enumerate(TABLES)),
        history=history_section(history),
        data=data,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
    )


def _static(name: str) -> str:
    return resources.files("wheelship.report.page").joinpath(f"static/{name}").read_text("utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy knows ``text`` by (CSP level 3, 2.3.1)."""
    return b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _facts(inspection: Inspection) -> list[str]:
    contents, wanted = inspection.contents, inspection.expectation
    layers = len(contents.layers)
    files = sum(item.entry.kind == "file" for item in contents.items)
    facts = [
        html(str(contents.config.platform)),
        f"{counted(layers)} layer{'' if layers == 1 else 's'}",
        f"{counted(files)} file{'' if files == 1 else 's'} in {'it' if layers == 1 else 'them'}",
        f"{format_bytes(contents.content_bytes)} as <code>docker images</code> counts",
    ]
    if wanted.accelerator:
        targets = ", ".join(wanted.gpu_targets)
        facts.append(html(f"meant for {wanted.accelerator}{': ' if targets else ''}{targets}"))
    return facts


def _digest(contents: Contents) -> str:
    if contents.digest is None:
        return ""
    return f'<li class="digest"><code>{contents.digest}</code></li>'


def _sizes(inspection: Inspection) -> str:
    contents = inspection.contents
    parts = []
    for name, title, meaning in _SIZES:
        known = name != "transfer" or contents.transfer_known
        amount = format_bytes(getattr(contents.sizes, name)) if known else "unknown"
        state = " checked" if name == "unpacked" else "" if known else " disabled"
        parts.append(
            f'<label class="size"><input type="radio" name="size" value="{name}"{state}>'
            f'<span class="title">{title}</span><b>{amount}</b>'
            f"<small>{meaning if known else _UNKNOWN}</small></label>"
        )
    return "".join(parts)


def _tab(table: Table, at: int) -> str:
    chosen = "false" if at else "true"
    return (
        f'<button type="button" role="tab" id="tab-{table.name}" aria-selected="{chosen}"'
        f' aria-controls="panel-{table.name}" tabindex="{-1 if at else 0}">{table.title}</button>'
    )


def _panel(table: Table, at: int, rows: str) -> str:
    columns = (
        ("name", table.first, "text"),
        ("note", table.second, "text"),
        ("share", "Share", "num"),
        ("transfer", "Transfer", "num"),
        ("unpacked", "Unpacked", "num"),
        ("effective", "Effective", "num"),
        ("files", "Files", "num"),
    )
    sorted_by = ' aria-sort="descending"'
    heads = "".join(
        f'<th scope="col" class="{name} {kind}" data-sort="{name}"'
        f"{sorted_by if name == 'unpacked' else ''}>{title}</th>"
        if title
        else f'<td class="{name}"></td>'
        for name, title, kind in columns
    )
    return (
        f'<div role="tabpanel" id="panel-{table.name}" class="panel"'
        f' aria-labelledby="tab-{table.name}"{" hidden" if at else ""}>'
        f'<h2 class="unscripted">{table.title}</h2>'
        f'<table data-table="{table.name}"><thead><tr>{heads}</tr></thead>{rows}</table>'
        '<button type="button" class="more scripted" hidden>Show more</button></div>'
    )
