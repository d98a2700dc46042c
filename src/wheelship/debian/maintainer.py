# SPDX-License-Identifier: Apache-2.0
"""What becomes of maintainer scripts: none is run, each is accounted for.

Following Debian Policy §6.5: into an empty root, packages are unpacked (``preinst install``) and
configured once (``postinst configure``). Whatever a script does in any other case cannot happen.
A script that nobody has read is an error, never skipped: what it would have done may be what makes
its package work (``libblas.so.3`` exists only after one has run).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, Protocol, TypeAlias

from wheelship.debian.errors import UnknownMaintainerScript
from wheelship.debian.package import DebPackage
from wheelship.debian.script import Alternative, reduce_script

__all__ = [
    "Certificates",
    "Copy",
    "Effect",
    "Link",
    "MakeDirectory",
    "ScriptWaiver",
    "Text",
    "Verdict",
    "judge",
]

_SHOWN_LINES = 24


class ScriptWaiver(Protocol):
    """The user's word that a package's scripts need not run (``request.model.Waiver`` is one)."""

    @property
    def package(self) -> str:
        """Name of the package."""
        ...

    @property
    def version(self) -> str | None:
        """The only version it is given for, or None."""
        ...

    @property
    def reason(self) -> str:
        """Why the package works without."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, unless something is there."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Text:
    """A file with this text, unless something is there."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a file of some package, unless something is there."""

    path: str
    source: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """A directory, unless something is there."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Certificates:
    """One file with all certificates below a directory."""

    path: str
    source: str


Effect: TypeAlias = Link | Text | Copy | MakeDirectory | Certificates | Alternative

Handling: TypeAlias = Literal["generated", "nothing", "reproduced", "partial", "waived"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one script was accounted for.

    ``generated``: only sections that debhelper wrote; ``nothing``: it does nothing in an image;
    ``reproduced``: its effects are made without it; ``partial``: some are not, see the reason;
    ``waived``: by the user.
    """

    package: str
    script: str
    handling: Handling
    reason: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unread:
    package: str
    script: str
    text: str
    sha256: str


def judge(
    packages: Sequence[DebPackage], architecture: str, waivers: Sequence[ScriptWaiver]
) -> tuple[Verdict, ...]:
    """Account for every script of ``packages``.

    Raises:
        UnknownMaintainerScript: for some there is no rule and no waiver; all of them are named.
    """
    rules = _Rules(architecture)
    waived = {waiver.package: waiver for waiver in waivers}
    verdicts: list[Verdict] = []
    unread: list[_Unread] = []
    for package in packages:
        for name in sorted(package.scripts):
            found = rules.verdict(package, name)
            waiver = waived.get(package.locked.name)
            if isinstance(found, Verdict):
                verdicts.append(found)
            elif waiver is not None and waiver.version in (None, package.locked.version):
                verdicts.append(Verdict(found.package, name, "waived", waiver.reason))
            else:
                unread.append(found)
    if unread:
        raise _unknown(unread)
    return tuple(verdicts)


class _Rules:
    """What people have read: ``data/scripts.toml``."""

    def __init__(self, architecture: str) -> None:
        text = resources.files(__package__).joinpath("data/scripts.toml").read_text("utf-8")
        table: dict[str, Any] = tomllib.loads(text)
        self._architecture = architecture
        self._fixed: dict[str, str] = table["fixed"]
        self._generated: dict[str, str] = table["generated"]
        self._read: dict[tuple[str, str, str], dict[str, Any]] = {
            (package, rule["script"], sha256): rule
            for rule in table["rules"]
            for package in rule["packages"]
            for sha256 in rule["sha256"]
        }

    def verdict(self, package: DebPackage, script: str) -> Verdict | _Unread:
        name = package.locked.name
        if script in self._fixed:
            return Verdict(name, script, "nothing", self._fixed[script])
        text = package.scripts[script]
        reduced = reduce_script(
            text, version=package.locked.version, architecture=self._architecture
        )
        if not self._generated.keys() >= set(reduced.tools):
            return _Unread(name, script, text, reduced.sha256)
        reasons = [self._generated[tool] for tool in dict.fromkeys(reduced.tools)]
        if not reduced.statements:
            return Verdict(name, script, "generated", "; ".join(reasons) or "it says nothing")
        if reduced.alternatives:
            reason = "links to the alternative with the highest priority"
            return Verdict(name, script, "reproduced", reason, reduced.alternatives)
        rule = self._read.get((name, script, reduced.sha256))
        if rule is None:
            return _Unread(name, script, text, reduced.sha256)
        effects = tuple(_effects(rule.get("effects", ())))
        handling: Handling = "reproduced" if effects else "nothing"
        if rule.get("partial"):
            handling = "partial"
        return Verdict(name, script, handling, "; ".join([rule["reason"], *reasons]), effects)


def _effects(tables: Sequence[Mapping[str, Any]]) -> Iterator[Effect]:
    for table in tables:
        match table:
            case {"link": path, "target": target}:
                yield Link(path, target)
            case {"file": path, "text": text}:
                yield Text(path, text)
            case {"file": path, "copy": source}:
                yield Copy(path, source)
            case {"directory": path, "mode": mode}:
                yield MakeDirectory(path, mode)
            case {"certificates": path, "source": source}:
                yield Certificates(path, source)
            case {"alternative": link, "path": path, "priority": priority}:
                yield Alternative(link, path, priority)
            case other:
                raise AssertionError(f"unreadable effect in data/scripts.toml: {other}")


def _unknown(unread: list[_Unread]) -> UnknownMaintainerScript:
    packages = list(dict.fromkeys(one.package for one in unread))
    shown = "\n".join(_shown(one) for one in unread)
    rows = ", ".join(f'{{ package = "{one}", reason = "…" }}' for one in packages)
    return UnknownMaintainerScript(
        f"nobody has read what the installation of {', '.join(packages)} does, and scripts of"
        f" packages are never run:\n{shown}",
        where="system-packages",
        hint="if the package works without it, say so in [tool.wheelship]:\n"
        f"waive-scripts = [{rows}]",
    )


def _shown(one: _Unread) -> str:
    lines = one.text.rstrip().splitlines()
    shown = lines[:_SHOWN_LINES]
    if len(lines) > len(shown):
        shown.append(f"… {len(lines) - len(shown)} more lines")
    body = "\n".join(f"  | {line}" for line in shown)
    return f"{one.package}, {one.script} (reduced {one.sha256}):\n{body}"
