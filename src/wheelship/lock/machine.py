# SPDX-License-Identifier: Apache-2.0
"""What this machine's pip and uv were told about where packages come from.

uv reads its own settings itself; of these only ``UV_FIND_LINKS`` is taken over, because wheels
found there must fit the accelerator. uv ignores pip's settings, so these are translated here.

Indexes that pip was given *in addition* are merged by pip with its main index, version by version;
uv takes a package from the first index that has it. For a remote one that is the safer reading of
the same wish, so it is passed on. A local one (``file:``) is not: it usually mirrors a part of the
main index. Measured with two such mirrors: uv's reading locks 36 of 37 packages to old versions
there and makes ``fastapi>=0.165`` unresolvable; pip's reading (``unsafe-best-match``) finds the
right versions but locks 17 of them to paths of this machine.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wheelship.fetch.url import file_path

__all__ = ["MachineSources", "machine_sources", "pip_config_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSources:
    """Sources beside the project's own.

    Attributes:
        find_links: local directories of wheels.
        link_pages: addresses of pages or directories of wheels elsewhere.
        index: main index that takes the place of uv's default, or None.
        extra_indexes: asked before the main index.
        ignored_indexes: pip's further local indexes, which are not used.
        no_index: ask no index at all.
    """

    find_links: tuple[Path, ...] = ()
    link_pages: tuple[str, ...] = ()
    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    ignored_indexes: tuple[str, ...] = ()
    no_index: bool = False


def pip_config_files(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where pip's configuration may be, the weakest first (pip's "Configuration files")."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == "/dev/null":
        return ()
    roots = environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path(root) / "pip/pip.conf" for root in reversed(roots) if root]
    files += [Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    if "VIRTUAL_ENV" in environ:
        files.append(Path(environ["VIRTUAL_ENV"]) / "pip.conf")
    return (*files, Path(named)) if named else tuple(files)


def machine_sources(
    environ: Mapping[str, str], pip_configs: Iterable[str], *, directory: Path
) -> MachineSources:
    """Read the settings of pip and uv.

    ``pip_configs`` are the texts of pip's configuration files, the weakest first; ``directory`` is
    what relative paths in the environment are relative to.
    """
    settings = _pip_settings(environ, pip_configs)
    links = settings.get("find-links", "").split()
    links += environ.get("UV_FIND_LINKS", "").replace(",", " ").split()
    places = [_directory(one, directory) for one in dict.fromkeys(links)]
    pages = [link for link, place in zip(dict.fromkeys(links), places, strict=True) if not place]
    extra = settings.get("extra-index-url", "").split()
    uv_has_index = "UV_DEFAULT_INDEX" in environ or "UV_INDEX_URL" in environ
    return MachineSources(
        find_links=tuple(dict.fromkeys(place for place in places if place)),
        link_pages=tuple(pages),
        index=None if uv_has_index else settings.get("index-url", "").strip() or None,
        extra_indexes=tuple(one for one in extra if _is_remote(one)),
        ignored_indexes=tuple(one for one in extra if not _is_remote(one)),
        no_index=settings.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t"),
    )


def _pip_settings(environ: Mapping[str, str], configs: Iterable[str]) -> dict[str, str]:
    """Return pip's settings; a stronger one replaces a weaker one, it is not added to it."""
    settings: dict[str, str] = {}
    for text in configs:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:  # pip's business; pip itself refuses to work with such a file
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings |= {key.replace("_", "-"): one for key, one in parser.items(section)}
    prefix = "PIP_"
    for name, text in environ.items():
        if name.startswith(prefix) and text:
            settings[name.removeprefix(prefix).lower().replace("_", "-")] = text
    return settings


def _directory(text: str, base: Path) -> Path | None:
    """Return the local directory that a find-links entry names, None for anything else."""
    if text.startswith("file:"):
        path = file_path(text)
    elif "://" in text:
        return None
    else:
        path = base / Path(text).expanduser()
    return None if path is None or path.suffix in (".html", ".htm") else path


def _is_remote(index: str) -> bool:
    return urlsplit(index).scheme in ("http", "https")
