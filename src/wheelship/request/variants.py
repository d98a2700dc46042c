# SPDX-License-Identifier: Apache-2.0
"""Makes each :class:`Variant` from the project's settings and its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wheelship.errors import InputError
from wheelship.oci.platform import Platform
from wheelship.request.model import (
    Accelerator,
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

__all__ = ["VARIANT_KEYS", "VariantReader"]

VARIANT_KEYS = frozenset({"accelerator", "gpu-targets", "version"})
"""Keys that may stand in a variant's table only."""

_PYTHON = re.compile(r"(?<![\d.])3\.1[1-4](?!\d)")
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(?:\.\d{1,3})?", re.ASCII)
_GPU_TARGETS = {
    Accelerator.CUDA: re.compile(r"sm_\d{2,3}[af]?", re.ASCII),
    Accelerator.ROCM: re.compile(r"gfx[0-9a-f]{3,5}", re.ASCII),
}
_EXAMPLES = {Accelerator.CUDA: ("13.0", "sm_90"), Accelerator.ROCM: ("6.4", "gfx942")}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


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
        accelerator = self._accelerator(name, table)
        settings = merge(self._general, read_settings(table, self._project.root))
        at = _Places(table, self._table)
        project, files = self._own_requirements(settings)
        command, port, env = self._start(project, settings, at)
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
            accelerator_version=_version(table, accelerator),
            gpu_targets=_gpu_targets(table, accelerator),
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

    def _accelerator(self, name: str, table: Table) -> Accelerator:
        """Read ``accelerator``; a variant named like one need not repeat it."""
        given = table.choice("accelerator", tuple(Accelerator))
        if given is None and "accelerator" not in table:
            if name in tuple(Accelerator):
                return Accelerator(name)
            table.report(None, "names no accelerator", hint='accelerator = "cpu"')
        return Accelerator(given or Accelerator.CPU)

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

    def _start(
        self, project: Project, settings: Settings, at: _Places
    ) -> tuple[tuple[str, ...] | None, int | None, dict[str, str]]:
        """Return command, port and variables; without a command, those that its code calls for."""
        env = settings["env"] or {}
        if not settings["keys"].isdisjoint({"command", "entrypoint"}):
            return settings["command"], settings["port"], env
        from wheelship.request.start import NoCommand, default_start

        extras, groups = settings["extras"] or (), settings["groups"] or ()
        try:
            start = default_start(project, settings["port"], extras, groups)
        except NoCommand as error:
            hint = error.hint or ""
            line = at.pasteable(hint) if " = " in hint else hint
            at.report("command", error.message, hint=line)
            return None, settings["port"], env
        if start.note not in self.notes:
            self.notes.append(start.note)
        return start.command, settings["port"] or start.port, {**start.env, **env}

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
                self._native = Platform(_ARCHITECTURES.get(machine().lower(), machine()))
            except InputError:
                at.report("platforms", "this machine's is not known", hint='["linux/amd64"]')
                self._native = Platform("amd64")
        return self._native


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


def _version(table: Table, accelerator: Accelerator) -> str | None:
    version = table.text("version")
    if accelerator is Accelerator.CPU:
        if "version" in table:
            table.report("version", "the accelerator cpu has no version", hint="remove it")
        return None
    example = f'version = "{_EXAMPLES[accelerator][0]}"'
    if "version" not in table:
        table.report(None, f"the accelerator {accelerator} needs a version", hint=example)
    elif version is not None and not _VERSION.fullmatch(version):
        table.report("version", f"{version!r} is no version of {accelerator}", hint=example)
    return version


def _gpu_targets(table: Table, accelerator: Accelerator) -> tuple[str, ...]:
    targets = table.texts("gpu-targets") or ()
    if accelerator is Accelerator.CPU:
        if "gpu-targets" in table:
            table.report("gpu-targets", "the accelerator cpu has no GPU", hint="remove it")
        return ()
    for target in targets:
        if not _GPU_TARGETS[accelerator].fullmatch(target):
            others = [one for one, form in _GPU_TARGETS.items() if form.fullmatch(target)]
            told = f", but one of {others[0]}" if others else ""
            hint = f'gpu-targets = ["{_EXAMPLES[accelerator][1]}"]'
            message = f"{target!r} is no target of {accelerator}{told}"
            table.report("gpu-targets", message, hint=hint)
    return tuple(dict.fromkeys(targets))


def _health(settings: Settings, port: int | None, at: _Places) -> Health | None:
    probe = settings["health"]
    if probe is None:
        return None
    if port is None:
        if "port" not in settings["keys"]:
            at.report("health", "has no port to ask", hint="port = 8000")
        return None
    return Health(port=port, **probe)
