# SPDX-License-Identifier: Apache-2.0
"""Where the Python code of a project lies: what is installed, and what runs where it stands.

A distribution's own packages go into the environment, as its wheel would put them there. The files
of a project that is no distribution (``main.py`` beside ``requirements.txt``, the shape ``uv init``
makes) stay together in the working directory, because such code opens its neighbours by relative
path: Flask its ``templates``, FastAPI its ``static``, Django its settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import DirEntry, scandir
from pathlib import Path

from wheelship.request.errors import Finding, SourceError
from wheelship.request.ignore import is_never_shipped
from wheelship.request.model import Project
from wheelship.wheel.name import normalized

__all__ = ["Layout", "find_layout"]

_NOT_THE_SERVICE = frozenset(
    {
        "bench",
        "benchmarks",
        "conftest.py",
        "doc",
        "docs",
        "example",
        "examples",
        "fabfile.py",
        "htmlcov",
        "node_modules",
        "notebooks",
        "noxfile.py",
        "setup.py",
        "test",
        "tests",
    }
)
_DATA_OF_FRAMEWORKS = (".streamlit", "static", "templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Top-level files and directories of the code, relative to the project.

    Attributes:
        installed: path in the project → path below ``site-packages``.
        placed: paths that keep their place below the working directory.
    """

    installed: dict[str, str]
    placed: tuple[str, ...]


def find_layout(project: Project) -> Layout:
    """Find the code of ``project``; a project may have none at all.

    Raises:
        SourceError: a directory cannot be listed.
    """
    root = project.root
    top = _code(root)
    source = root / "src"
    if not (source / "__init__.py").exists():  # with it, "src" is itself the name to import
        installed = {f"src/{name}": name for name in _code(source)}
        if installed:
            return Layout(installed=installed, placed=())
    if project.declared:
        named = {name: name for name in top if _import_name(name) == project.name}
        if named:
            return Layout(installed=named, placed=())
    placed = [name for name in top if not _is_beside_the_service(name)]
    placed += [name for name in _DATA_OF_FRAMEWORKS if (root / name).is_dir() and placed]
    return Layout(installed={}, placed=tuple(sorted(set(placed))))


def _is_beside_the_service(name: str) -> bool:
    return name in _NOT_THE_SERVICE or name.startswith("test_")


def _import_name(name: str) -> str:
    """Return a file or directory name in the spelling of normalised distribution names."""
    return normalized(name.removesuffix(".py"))


def _code(folder: Path) -> list[str]:
    """Return the names of the modules and packages in ``folder``, sorted."""
    return sorted(entry.name for entry in _entries(folder) if _is_code(entry))


def _is_code(entry: DirEntry[str]) -> bool:
    if is_never_shipped(entry.name):
        return False
    if entry.name.endswith(".py"):
        return entry.name.removesuffix(".py").isidentifier()
    return entry.name.isidentifier() and entry.is_dir() and _holds_code(Path(entry.path), 2)


def _holds_code(folder: Path, levels: int) -> bool:
    """Say whether Python files lie in ``folder``, looking no deeper than ``levels``.

    The limit keeps a directory of a million recordings from being walked for nothing.
    """
    try:
        entries = _entries(folder)
    except SourceError:
        return False  # a database's directory beside the code is nobody's package
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return False
    if any(entry.name.endswith(".py") for entry in entries):
        return True
    inner = [Path(entry.path) for entry in entries if levels > 1 and entry.is_dir()]
    return any(_holds_code(path, levels - 1) for path in inner)


def _entries(folder: Path) -> list[DirEntry[str]]:
    try:
        with scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SourceError(
            [Finding(file=str(folder), message=f"cannot be listed: {error.strerror}")]
        ) from error
