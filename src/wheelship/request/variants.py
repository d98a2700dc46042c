# SPDX-License-Identifier: Apache-2.0
"""Makes each :class:`Variant` from the project's settings and its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from wheelship.errors import InputError
from wheelship.oci.platform import Platform
from wheelship.request.accelerator import read_accelerator, read_gpu_targets, read_version
from wheelship.request.model import (
    Budget,
    Check,
    Health,
    Project,
    Sources,
    Variant,
)
from wheelship.request.requirement import BASE_PYTHONS, PYTHONS, allows, choose_python
from wheelship.request.requirements_file import Requirements, read_requirements
from wheelship.request.sdist import rules_of
from wheelship.request.settings import Settings, merge, read_settings
from wheelship.request.table import Table, nearest_key, quoted

__all__ = ["VariantReader"]

_PYTHON = re.compile(r"(?<![\d.])3\.1[1-4](?!\d)")


class VariantReader:
    """Reads the variants of one project; what is wrong goes to the findings of ``table``."""

    def __init__(
        self, project: Project, files: Requirements, table: Table, native: Platform | None
    ) -> None:
        self._project = project
        self._files = files
        self._table = table
        self._native = native
        self._general = read_settings(table, project.root)
        self.notes: list[str] = []

    def read(self, name: str, table: Table) -> Variant:
        """Return the variant ``name`` of the table ``[variants.name]``."""
        accelerator = read_accelerator(name, table)
        settings = merge(self._general, read_settings(table, self._project.root))
        at = _Places(table, self._table)
        project, files = self._own_requirements(settings)
        command, port, env, stop_signal = self._start(project, settings, at)
        extras = self._chosen(settings["extras"], self._project.extras, at, "extras")
        groups = self._chosen(settings["groups"], self._project.groups, at, "groups")
        self._check_conflicts(extras, groups, at)
        own = settings["requirements"] is not None
        include, exclude = settings["app"] or ((), ())
        base = settings["base"] or "debian"
        if base != "debian" and settings["system_packages"]:
            hint = 'base = "debian", or an image that holds them'
            at.report("system-packages", "join the base debian only", hint=hint)
        return Variant(
            name=name,
            accelerator=accelerator,
            accelerator_version=read_version(table, accelerator),
            gpu_targets=read_gpu_targets(table, accelerator),
            platforms=settings["platforms"] or (self._native_platform(at),),
            python=self._python(settings, at, base),
            base=base,
            system_packages=settings["system_packages"] or (),
            waive_scripts=settings["waive_scripts"] or (),
            waive_record=settings["waive_record"] or (),
            extras=extras,
            groups=groups,
            exclude_packages=settings["exclude_packages"] or (),
            requirements=project.dependencies if own else None,
            constraints=project.constraints if own else (),
            hashes=project.hashes if own else None,
            omit=settings["omit"] or {},
            sources=self._sources(settings, files),
            sdist=rules_of(settings["sdist"]),
            include=include,
            exclude=exclude,
            command=command,
            entrypoint=settings["entrypoint"],
            stop_signal=stop_signal,
            env=env,
            port=port,
            workdir=settings["workdir"] or "/app",
            user=settings["user"] or (65532, 65532),
            writable=settings["writable"] or (),
            labels=settings["labels"] or {},
            health=_health(settings, port, at),
            check=Check(imports=settings["check_imports"] or (), request=settings["check_request"]),
            budget=settings["budget"] or Budget(),
            bytecode="none" if settings["bytecode"] == "none" else "all",
            layers=settings["layers"] or 40,
        )

    def _own_requirements(self, settings: Settings) -> tuple[Project, Requirements]:
        """Return the project as the variant sees it, and what its requirements files say.

        Files that the table names come beside ``[project]``, and in the place of requirements.txt.
        """
        project, names = self._project, settings["requirements"]
        if names is None:
            return project, self._files
        files = read_requirements(project.root, names, self._table.findings)
        before = (project.dependencies, project.constraints)
        if not project.declared:
            before = ((), project.uv.constraints)
        seen = replace(
            project,
            dependencies=(*before[0], *files.requirements),
            constraints=(*before[1], *files.constraints),
            hashes=files.allowed_files(),
        )
        return seen, files

    def _check_conflicts(
        self, extras: tuple[str, ...], groups: tuple[str, ...], at: _Places
    ) -> None:
        """Report extras and groups that the project declares to exclude each other."""
        chosen = {*(("extra", one) for one in extras), *(("group", one) for one in groups)}
        for conflict in self._project.uv.conflicts:
            both = sorted(chosen & conflict)
            if len(both) > 1:
                names = " and ".join(f"{kind} {name!r}" for kind, name in both)
                key = "extras" if both[0][0] == "extra" else "groups"
                at.report(
                    key,
                    f"{names} exclude each other: [tool.uv] conflicts says so",
                    hint="choose one of them; variants can choose different ones",
                )

    def _start(self, project: Project, settings: Settings, at: _Places) -> _Run:
        """Return what the table says; without a command, what the project's code calls for."""
        given = _Run(
            command=settings["command"],
            port=settings["port"],
            env=settings["env"] or {},
            stop_signal=settings["stop_signal"],
        )
        if not settings["keys"].isdisjoint({"command", "entrypoint"}):
            return given
        from wheelship.request.start import NoCommand, default_start

        extras, groups = settings["extras"] or (), settings["groups"] or ()
        try:
            start = default_start(project, settings["port"], extras, groups)
        except NoCommand as error:
            hint = error.hint or ""
            line = at.pasteable(hint) if " = " in hint else hint
            at.report("command", error.message, hint=line)
            return given
        if start.note not in self.notes:
            self.notes.append(start.note)
        return _Run(
            command=start.command,
            port=given.port or start.port,
            env={**start.env, **given.env},
            stop_signal=given.stop_signal or start.stop_signal,
        )

    def _python(self, settings: Settings, at: _Places, base: str) -> str:
        """Return the chosen Python, or the newest that the project allows.

        Which release an image has is seen when it is locked, and ``requires-python`` with it.
        """
        wanted = self._project.requires_python
        chosen = settings["python"]
        if base != "debian":
            if chosen is None and "python" not in settings["keys"]:
                named = _PYTHON.search(base)
                hint = f'python = "{named[0] if named else BASE_PYTHONS[0]}"'
                at.report("base", "is an image, so `python` must say which one it has", hint=hint)
            return chosen or BASE_PYTHONS[0]
        if chosen is not None and chosen not in PYTHONS:
            hint = f'one of {", ".join(map(quoted, PYTHONS))}, or base = "python:{chosen}-slim"'
            at.report("python", f"{chosen!r} is not possible with the base debian", hint=hint)
        if chosen is None:
            newest = choose_python(wanted)
            if newest is None:
                choices = " and ".join(f"{minor} ({full})" for minor, full in PYTHONS.items())
                message = (
                    f"requires-python {wanted!r} allows none of the Pythons of Debian: {choices}"
                )
                at.report("python", message, hint='requires-python = ">=3.11"')
            return newest or next(reversed(PYTHONS))
        if chosen in PYTHONS and not allows(wanted, chosen):
            message = f"requires-python {wanted!r} does not allow {PYTHONS[chosen]}"
            newest = choose_python(wanted)
            at.report("python", message, hint=newest and f'python = "{newest}"')
        return chosen

    def _chosen(
        self,
        names: tuple[str, ...] | None,
        known: Mapping[str, object],
        at: _Places,
        key: str,
    ) -> tuple[str, ...]:
        for name in names or ():
            if name not in known:
                nearest = nearest_key(name, known)
                hint = f"did you mean {nearest!r}?" if nearest else None
                choices = ", ".join(sorted(known)) or "none"
                at.report(key, f"the project has no {name!r} (it has: {choices})", hint=hint)
        return tuple(dict.fromkeys(names or ()))

    def _sources(self, settings: Settings, files: Requirements) -> Sources:
        """Merge what the table, requirements files and uv's settings say; the first one wins.

        Indexes of uv that are explicit are no part of it: only a source leads to them.
        """
        uv = [one for one in self._project.uv.indexes if not one.explicit]
        listed = [_as_url(one.address) for one in uv if not (one.flat or one.default)]
        links = [one.address for one in uv if one.flat]
        indexes = settings["indexes"]
        if indexes is None:
            default = (_as_url(one.address) for one in uv if one.default and not one.flat)
            main = files.index or next(default, None)
            extra = (*files.extra_indexes, *listed)
        else:
            main, extra = next(iter(indexes), None), indexes[1:]
        directories = (*files.find_links, *(Path(one) for one in links if "://" not in one))
        return Sources(
            find_links=settings["find_links"] or tuple(dict.fromkeys(directories)),
            link_pages=tuple(one for one in links if "://" in one),
            index=main,
            extra_indexes=tuple(dict.fromkeys(extra)),
            named_indexes=tuple(
                (one.name, one.address) for one in self._project.uv.indexes if one.name
            ),
            torch_index=settings["torch_index"],
            debian_mirror=settings["debian_mirror"],
        )

    def _native_platform(self, at: _Places) -> Platform:
        """Return the platform of variants that name none."""
        if self._native is None:
            from platform import machine

            try:
                self._native = Platform.of_machine(machine())
            except InputError:
                at.report("platforms", "this machine's is not known", hint='["linux/amd64"]')
                self._native = Platform("amd64")
        return self._native


class _Run(NamedTuple):
    """How the service is started and ended."""

    command: tuple[str, ...] | None
    port: int | None
    env: dict[str, str]
    stop_signal: str | None


class _Places:
    """Finds the table to blame for a setting: the variant's if the key is there."""

    def __init__(self, variant: Table, project: Table) -> None:
        self._variant = variant
        self._project = project

    def report(self, key: str, message: str, *, hint: str | None = None) -> None:
        """Record a finding about ``key`` where it is written."""
        table = self._variant if key in self._variant else self._project
        table.report(key, message, hint=hint)

    def pasteable(self, line: str) -> str:
        """Return ``line`` below its header if the project has no wheelship table yet."""
        header = "".join(f"[{'.'.join(self._project.path)}]\n" for _ in self._project.path[:1])
        return line if self._project.data else header + line


def _as_url(address: str) -> str:
    return address if "://" in address else Path(address).as_uri()


def _health(settings: Settings, port: int | None, at: _Places) -> Health | None:
    probe = settings["health"]
    if probe is None:
        return None
    if port is None:
        if "port" not in settings["keys"]:
            at.report("health", "has no port to ask", hint="port = 8000")
        return None
    return Health(port=port, **probe)
