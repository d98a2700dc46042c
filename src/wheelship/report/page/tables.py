# SPDX-License-Identifier: Apache-2.0
"""The tables that stand in the page without JavaScript: the largest rows, the rest, the total.

``static/tables.js`` writes the same rows from the same leaves when it sorts or filters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wheelship.inspect.model import Contents, OwnerType, Sizes
from wheelship.report.page.leaves import Forest, Leaf
from wheelship.report.page.words import counted, html
from wheelship.report.size import format_bytes
from wheelship.report.step import NOT_SAID

__all__ = ["KIND_WORDS", "TABLES", "TYPE_WORDS", "Table", "tables"]

_ROWS = 30
_DIGEST_DIGITS = 12

TYPE_WORDS: dict[OwnerType, str] = {
    "python": "Python package",
    "debian": "Debian package",
    "application": "application",
    "generated": "generated",
    "image": "image structure",
    "unknown": "unknown",
}

KIND_WORDS = {
    "shared-object": "compiled libraries",
    "executable": "programs",
    "python": "Python source",
    "bytecode": "compiled Python",
    "header": "headers for compilers",
    "static-library": "libraries for linkers",
    "test": "test suites",
    "documentation": "documentation",
    "model": "model weights",
    "data": "other files",
    "cache": "caches",
    "metadata": "records of packages",
    "structure": "directories, links, archive framing",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page: its name in the page, its title, what its first two columns hold."""

    name: str
    title: str
    first: str
    second: str


TABLES = (
    Table("package", "Packages", "Package", "Type"),
    Table("layer", "Layers", "Created by", "Digest"),
    Table("kind", "File kinds", "Kind", "What it is"),
    Table("directory", "Directories", "Directory, with all below it", ""),
    Table("file", "Largest files", "File", "Owner"),
)


@dataclass(slots=True)
class _Row:
    name: str
    note: str
    sizes: Sizes = field(default_factory=Sizes)
    files: int = 0
    is_file: bool = False

    def add(self, leaf: Leaf) -> None:
        self.sizes += leaf.sizes
        self.files += leaf.files


def tables(contents: Contents, forest: Forest) -> dict[str, str]:
    """Return the rows of each of :data:`TABLES`, body and foot, by its name."""
    total = _Row("Total", "", contents.sizes, sum(one.files for one in forest.leaves))
    rows = {
        "package": _packages(forest),
        "layer": _layers(forest),
        "kind": _kinds(forest),
        "directory": _directories(forest),
        "file": _files(forest),
    }
    known = contents.transfer_known
    return {name: _body(name, found, total, known=known) for name, found in rows.items()}


def _packages(forest: Forest) -> list[_Row]:
    rows = [
        _Row(f"{one.name} {one.version}".strip(), TYPE_WORDS[one.type]) for one in forest.owners
    ]
    for leaf in forest.leaves:
        rows[leaf.group.owner].add(leaf)
    return rows


def _layers(forest: Forest) -> list[_Row]:
    rows = []
    for number, layer in zip(forest.layer_numbers, forest.layers, strict=True):
        if layer is None:
            rows.append(_Row("manifest, configuration" if number == "documents" else number, ""))
        else:
            digest = layer.digest.hex[:_DIGEST_DIGITS]
            rows.append(_Row(f"{number}: {layer.created_by or NOT_SAID}", digest))
    for leaf in forest.leaves:
        rows[leaf.group.layer].add(leaf)
    return rows


def _kinds(forest: Forest) -> list[_Row]:
    rows = [_Row(kind, KIND_WORDS.get(kind, "")) for kind in forest.kinds]
    for leaf in forest.leaves:
        rows[leaf.group.kind].add(leaf)
    return rows


def _directories(forest: Forest) -> list[_Row]:
    """Return all but those that hold nothing but one other."""
    paths = [""]
    children = Counter[int]()
    for parent, name in forest.directories[1:]:
        paths.append(f"{paths[parent]}/{name}")
        children[parent] += 1
    rows = [_Row(path or "/", "") for path in paths]
    own = set()
    for leaf in forest.leaves:
        if leaf.files:
            own.add(leaf.directory)
        at = leaf.directory
        rows[at].add(leaf)
        while at:
            at = forest.directories[at][0]
            rows[at].add(leaf)
    return [row for at, row in enumerate(rows) if at in own or children[at] != 1]


def _files(forest: Forest) -> list[_Row]:
    paths = [""]
    for parent, name in forest.directories[1:]:
        paths.append(f"{paths[parent]}/{name}")
    found = []
    for leaf in forest.leaves:
        if leaf.name and leaf.files:
            owner = forest.owners[leaf.group.owner]
            note = f"{owner.name} {owner.version}".strip()
            path = f"{paths[leaf.directory]}/{leaf.name}"
            found.append(_Row(path, note, leaf.sizes, leaf.files, is_file=True))
    return found


def _body(name: str, rows: Sequence[_Row], total: _Row, *, known: bool) -> str:
    ranked = sorted(rows, key=lambda row: -row.sizes.unpacked)
    there, rest = ranked[:_ROWS], ranked[_ROWS:]
    lines = ["<tbody>", *(_line(row, total, known=known) for row in there), "</tbody>", "<tfoot>"]
    if rest and name != "directory":  # one directory is in another: their sums say nothing
        sums = _sum(f"{counted(len(rest))} more rows", rest)
        lines.append(_line(sums, total, known=known))
    if name == "file":
        named = _sum("", rows)
        others = total.sizes - named.sizes
        row = _Row("smaller files, directories, links", "", others, total.files - named.files)
        lines.append(_line(row, total, known=known))
    lines += [_line(total, total, known=known), "</tfoot>"]
    return "\n".join(lines)


def _sum(name: str, rows: Iterable[_Row]) -> _Row:
    row = _Row(name, "")
    for one in rows:
        row.sizes += one.sizes
        row.files += one.files
    return row


def _line(row: _Row, total: _Row, *, known: bool) -> str:
    share = 100 * row.sizes.unpacked / max(1, total.sizes.unpacked)
    transfer = _amount("transfer", row.sizes.transfer, known=known)
    unpacked = _amount("unpacked", row.sizes.unpacked)
    effective = _amount("effective", row.sizes.effective)
    return (
        f'<tr><th scope="row"><span class="name">{_name(row)}</span></th>'
        f'<td class="note">{html(row.note)}</td>'
        f'<td class="share"><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none"'
        f' aria-hidden="true"><rect width="{share:.2f}" height="8"/></svg>'
        f"<span>{share:.1f} %</span></td>{transfer}{unpacked}{effective}"
        f'<td class="num files">{counted(row.files)}</td></tr>'
    )


def _name(row: _Row) -> str:
    """Return the name, of a file with the way to it set apart."""
    way, slash, name = row.name.rpartition("/") if row.is_file else ("", "", row.name)
    return (
        f'<span class="way">{html(way + slash, 700)}</span>{html(name)}' if way else html(name, 700)
    )


def _amount(name: str, size: int, *, known: bool = True) -> str:
    if not known:
        return f'<td class="num {name}">unknown</td>'
    return f'<td class="num {name}"><data value="{size}">{format_bytes(size)}</data></td>'
