# SPDX-License-Identifier: Apache-2.0
"""The modules of a project as syntax trees, read without importing or executing any of them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.request.ignore import is_never_shipped
from wheelship.request.layout import find_layout
from wheelship.request.model import Project

__all__ = ["Module", "calls_at_import", "keyword", "read_modules"]

_LARGEST_MODULE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Module:
    """One module of the project.

    Attributes:
        name: what imports call it; a package's ``__init__.py`` has the package's own name.
        path: relative to the project, with forward slashes.
        placed: it keeps its place below the working directory, so it can be run by its path.
        names: local name → what it was imported from, relative imports made absolute.
    """

    name: str
    path: str
    placed: bool
    tree: ast.Module
    names: Mapping[str, str]

    def resolve(self, expression: ast.expr | None) -> str:
        """Return the dotted name that ``expression`` stands for, empty for anything else."""
        match expression:
            case ast.Name(id=name):
                return self.names.get(name, f"{self.name}.{name}")
            case ast.Attribute(value=value, attr=attribute):
                owner = self.resolve(value)
                return f"{owner}.{attribute}" if owner else ""
            case _:
                return ""

    def imports(self, package: str) -> bool:
        """Say whether anything of ``package`` is imported."""
        return any(one == package or one.startswith(f"{package}.") for one in self.names.values())

    @property
    def has_main(self) -> bool:
        """Whether it does something when it is run: ``if __name__ == "__main__"``."""
        return any(map(_is_main_guard, self.tree.body))


def read_modules(project: Project, words: Collection[bytes] = ()) -> Iterator[Module]:
    """Yield the project's modules that parse and hold one of ``words`` (all without words).

    Raises:
        SourceError: a directory of the project cannot be listed.
    """
    layout = find_layout(project)
    roots = {**layout.installed, **{name: name for name in layout.placed}}
    for start, target in sorted(roots.items()):
        for path in _files(project.root / start):
            relative = path.relative_to(project.root).as_posix()
            if is_never_shipped(relative) or "tests" in relative.split("/"):
                continue
            name = (target + relative.removeprefix(start)).removesuffix(".py")
            tree = _parse(path, words)
            if tree is not None:
                dotted = name.removesuffix("/__init__").replace("/", ".")
                package = dotted if name.endswith("/__init__") else dotted.rpartition(".")[0]
                yield Module(
                    name=dotted,
                    path=relative,
                    placed=start in layout.placed,
                    tree=tree,
                    names=_imported(tree, package),
                )


def calls_at_import(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls that are made when the module is run, main guard included."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        pending += ast.iter_child_nodes(node)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value of a keyword argument."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def _files(start: Path) -> Iterator[Path]:
    if start.is_file():
        yield start
    else:
        yield from sorted(start.rglob("*.py"))


def _parse(path: Path, words: Collection[bytes]) -> ast.Module | None:
    """Return the syntax tree, None for what is not wanted or does not parse."""
    try:
        if path.stat().st_size > _LARGEST_MODULE_BYTES:
            return None
        source = path.read_bytes()
        if words and not any(word in source for word in words):
            return None
        return ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(tree: ast.Module, package: str) -> dict[str, str]:
    """Return what is imported anywhere; of two imports of one name that at the top wins."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):  # breadth first, so the top of the module comes before functions
        match node:
            case ast.Import(names=names):
                for alias in names:
                    local = alias.asname or alias.name.partition(".")[0]
                    known.setdefault(local, alias.name if alias.asname else local)
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = _absolute(module, level, package)
                for alias in names:
                    known.setdefault(alias.asname or alias.name, f"{origin}.{alias.name}")
            case _:
                pass
    return known


def _absolute(module: str | None, level: int, package: str) -> str:
    if level == 0:
        return module or ""
    parts = package.split(".")
    within = parts[: len(parts) - level + 1]
    return ".".join([*within, *([module] if module else [])])


def _is_main_guard(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case _:
            return False
