# SPDX-License-Identifier: Apache-2.0
"""Which accelerators the project is written for: its dependencies, base images, indexes, code."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from wheelship.discover.dockerfile import Dockerfile
from wheelship.discover.model import Found, Place, ProposedVariant
from wheelship.request.code import Module
from wheelship.request.model import Accelerator, Project
from wheelship.request.requirement import requirement_name
from wheelship.variant.accelerator import accelerator_row, accelerator_versions

__all__ = ["find_variants", "unused_bases"]

_DEVICES = (Accelerator.CUDA, Accelerator.ROCM)
_EXTRAS = (
    (re.compile(r"cpu|cpu-only", re.ASCII), Accelerator.CPU),
    (re.compile(r"(?:cuda|cu|gpu|nvidia)-?(?P<version>\d+)?", re.ASCII), Accelerator.CUDA),
    (re.compile(r"(?:rocm|amd|hip)-?(?P<version>\d[\d.]*)?", re.ASCII), Accelerator.ROCM),
)
_LABEL = re.compile(r"(?P<kind>cu|rocm)(?P<version>\d[\d.]*)(?![\w.])")
_FILE = re.compile(r"requirements[-_./](?P<name>[\w.-]+)\.txt", re.ASCII)
_IMAGE_VERSION = re.compile(r"\d+\.\d+")
_WITH_CUDA = re.compile(r"(?:jax|jaxlib)\[[^\]]*cuda|tensorflow\[[^\]]*and-cuda")


def find_variants(
    root: Path,
    project: Project,
    dockerfiles: Sequence[Dockerfile],
    uv: Mapping[str, object],
    modules: Sequence[Module],
) -> tuple[Found[ProposedVariant], ...]:
    """Return the variants to propose, ``cpu`` first; none for a project without accelerators.

    ``uv`` is the table ``[tool.uv]``, whose indexes may be torch's.
    """
    names = _Names(root, project)
    cpu = accelerator_row(Accelerator.CPU)
    # What is published for each accelerator under one name: torch and what goes with it.
    families = [family for family in cpu.families if family.labels]
    torch = names.first(lambda name: any(family.holds(name) for family in families))
    foreign = names.first(
        lambda name: (
            name not in cpu.allowed and any(fnmatchcase(name, pattern) for pattern in cpu.forbidden)
        ),
        direct=True,
    ) or names.specifier(_WITH_CUDA)
    hints = dict(_hints(dockerfiles, uv))
    marks = _Marks(extras=_extras(project), files=_files(root), project=project)
    rocm_only = foreign is not None and re.search(r"rocm|migraphx", foreign.why) is not None
    found: list[Found[ProposedVariant]] = []
    other = next((marks.file(one) for one in _DEVICES if one in marks.files), None)
    if torch is None and foreign is None and other is None:
        return ()
    if foreign is None:
        found.append(_variant(Accelerator.CPU, marks, torch or other or Found(value="", why="")))
    code = _cuda_in_code(modules)
    if not rocm_only:
        reason = hints.get(Accelerator.CUDA) or marks.file(Accelerator.CUDA) or foreign
        reason = reason or code or torch
        if reason is not None:
            found.append(_variant(Accelerator.CUDA, marks, reason))
    rocm = hints.get(Accelerator.ROCM) or (foreign if rocm_only else None)
    rocm = rocm or marks.file(Accelerator.ROCM)
    if rocm is None and Accelerator.ROCM in marks.extras:
        rocm = Found(value="", why=f"the extra {marks.extras[Accelerator.ROCM][0]}")
    if rocm is not None:
        found.append(_variant(Accelerator.ROCM, marks, rocm))
    return tuple(found)


def unused_bases(
    variants: Sequence[Found[ProposedVariant]], dockerfiles: Sequence[Dockerfile]
) -> Iterator[Found[str]]:
    """Yield a remark on each base image for an accelerator that no variant is proposed for."""
    proposed = {one.value.name for one in variants}
    for accelerator, hint in dict(_hints(dockerfiles, {})).items():
        if accelerator.value not in proposed:
            why = f"{hint.why} is for {accelerator.value}, but no dependency is: no variant for it"
            yield Found(value=accelerator.value, why=why, place=hint.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """Extras and requirements files named like accelerators, each with the version in its name."""

    extras: Mapping[Accelerator, tuple[str, str]]
    files: Mapping[Accelerator, tuple[str, str]]
    project: Project

    def file(self, accelerator: Accelerator) -> Found[str] | None:
        if accelerator not in self.files:
            return None
        name, version = self.files[accelerator]
        return Found(value=version, why="a requirements file for it", place=Place(name))

    def requirements(self, accelerator: Accelerator) -> tuple[str, ...]:
        """Return the variant's files: the project's own count only where they stand here too."""
        if accelerator not in self.files:
            return ()
        name = self.files[accelerator][0]
        return (name,) if self.project.declared else ("requirements.txt", name)


def _variant(
    accelerator: Accelerator,
    marks: _Marks,
    reason: Found[str],
) -> Found[ProposedVariant]:
    extra, written = marks.extras.get(accelerator, ("", ""))
    known = accelerator_versions(accelerator)
    named = [one for text in (reason.value, written) if (one := _nearest(text, known)) is not None]
    version = named[-1] if named else next(iter(known), None)
    why = reason.why
    if reason.value and version is not None and not named:
        why = f"the default, since nothing is known of {reason.value}: {why}"
    return Found(
        value=ProposedVariant(
            name=accelerator.value,
            version=version,
            extras=(extra,) if extra else (),
            requirements=marks.requirements(accelerator),
        ),
        why=why,
        place=reason.place,
    )


def _nearest(written: str, known: Sequence[str]) -> str | None:
    """Return the known release that ``12.8.1``, ``128`` or ``6.4`` names."""
    numbers = written.split(".")
    if len(numbers) == 1 and len(written) > 2 and written.isdecimal():  # noqa: PLR2004 - cu128
        numbers = [written[:-1], written[-1]]
    return next((one for one in known if one.split(".") == numbers[:2]), None)


class _Names:
    """What the project depends on: by itself, and through a ``uv.lock`` if there is one."""

    def __init__(self, root: Path, project: Project) -> None:
        self._project = project
        groups = (*project.extras.values(), *project.groups.values())
        self._own = [*project.dependencies, *(text for texts in groups for text in texts)]
        self._locked = tuple(_locked(root))

    def first(self, wanted: Callable[[str], bool], *, direct: bool = False) -> Found[str] | None:
        """Return the first dependency whose name is ``wanted``; direct ones only if asked."""
        texts = self._project.dependencies if direct else self._own
        for text in texts:
            if wanted(requirement_name(text)):
                return Found(value="", why=f"the dependency {requirement_name(text)}")
        for name in () if direct else self._locked:
            if wanted(name):
                return Found(value="", why=f"{name} is locked", place=Place("uv.lock"))
        return None

    def specifier(self, pattern: re.Pattern[str]) -> Found[str] | None:
        """Return the first direct dependency written like ``pattern``."""
        for text in self._project.dependencies:
            if pattern.match(text):
                return Found(value="", why=f"the dependency {text.partition(']')[0]}]")
        return None


def _locked(root: Path) -> Iterator[str]:
    try:
        document = tomllib.loads((root / "uv.lock").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    packages = document.get("package")
    for package in packages if isinstance(packages, list) else ():
        name = package.get("name") if isinstance(package, dict) else None
        if isinstance(name, str):
            yield name


def _extras(project: Project) -> dict[Accelerator, tuple[str, str]]:
    """Return accelerator → (extra named like it, version in that name), uv's way for variants."""
    return _named((name, name) for name in sorted(project.extras))


def _files(root: Path) -> dict[Accelerator, tuple[str, str]]:
    """Return the same of requirements files beside the project's own."""
    paths = (*sorted(root.glob("requirements*.txt")), *sorted(root.glob("requirements/*.txt")))
    matches = (_FILE.fullmatch(path.relative_to(root).as_posix()) for path in paths)
    return _named((match[0], match["name"].lower()) for match in matches if match is not None)


def _named(names: Iterable[tuple[str, str]]) -> dict[Accelerator, tuple[str, str]]:
    found: dict[Accelerator, tuple[str, str]] = {}
    for whole, name in names:
        for shape, accelerator in _EXTRAS:
            match = shape.fullmatch(name)
            if match is not None:
                found.setdefault(accelerator, (whole, match.groupdict().get("version") or ""))
    return found


def _hints(
    dockerfiles: Sequence[Dockerfile], uv: Mapping[str, object]
) -> Iterator[tuple[Accelerator, Found[str]]]:
    """Yield what names an accelerator; of several for one, the last counts."""
    indexes = uv.get("index")
    for index in indexes if isinstance(indexes, list) else ():
        url = index.get("url") if isinstance(index, dict) else None
        match = _LABEL.search(url) if isinstance(url, str) else None
        if match is not None:
            kind = Accelerator.CUDA if match["kind"] == "cu" else Accelerator.ROCM
            place = Place("pyproject.toml")
            yield kind, Found(value=match["version"], why="an index of [tool.uv]", place=place)
    for dockerfile in reversed(dockerfiles):
        for base in dockerfile.bases:
            version = _IMAGE_VERSION.search(base.value.rpartition(":")[2])
            value = version[0] if version else ""
            why = f"the base image {base.value}"
            if re.search(r"(?:^|/)nvidia/|[/:-]cuda", base.value):
                yield Accelerator.CUDA, Found(value=value, why=why, place=base.place)
            elif re.search(r"(?:^|/)rocm/|[/:-]rocm", base.value):
                yield Accelerator.ROCM, Found(value=value, why=why, place=base.place)


def _cuda_in_code(modules: Sequence[Module]) -> Found[str] | None:
    for module in modules:
        for node in ast.walk(module.tree):
            is_torch = isinstance(node, ast.Attribute) and module.resolve(node) == "torch.cuda"
            is_name = isinstance(node, ast.Constant) and node.value == "cuda"
            if (is_torch or is_name) and isinstance(node, ast.expr):
                place = Place(module.path, node.lineno)
                return Found(value="", why="the code asks for CUDA", place=place)
    return None
