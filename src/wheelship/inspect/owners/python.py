# SPDX-License-Identifier: Apache-2.0
"""What Python distributions say is theirs ("Recording installed projects" of packaging).

A distribution owns what its RECORD lists, its own ``.dist-info``, and the directories below
``site-packages`` that no other one writes to. Of two that list one path, the one installed further
out has it (a copy vendored into another's package is that other's), then the first by name.
Distributions without RECORD (Debian's, and old ``egg-info``) own the directories of
``top_level.txt``, or of their name.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelship.inspect.model import Owner
from wheelship.inspect.owners.claims import Claim, Claims, Document
from wheelship.wheel.name import normalized

__all__ = ["Distribution", "distributions", "python_claims"]

_DEPTH_MAX = 16
_KEPT_IN = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution, as long as its metadata directory stays.

    Attributes:
        directory: the ``.dist-info`` or ``.egg-info``.
        name: normalized.
        local: installed from a directory of the builder's machine: it is what the image is for.
        installer: content of INSTALLER.
        documents: the files in ``directory`` that were kept, by name.
    """

    directory: str
    name: str
    version: str
    since: int
    until: int
    local: bool
    installer: str
    documents: dict[str, Document]

    @property
    def site(self) -> str:
        """The directory that it is installed in."""
        return posixpath.dirname(self.directory)


def distributions(documents: Iterable[Document]) -> tuple[Distribution, ...]:
    """Return the distributions of all layers, sorted by directory and layer."""
    directories: dict[str, list[tuple[str, Document]]] = defaultdict(list)
    for one in documents:
        directory, _, name = one.path.rpartition("/")
        if directory.endswith(_KEPT_IN):
            directories[directory].append((name, one))
        elif name.endswith(".egg-info"):  # distutils wrote one file
            directories[one.path].append(("PKG-INFO", one))
    return tuple(
        _distribution(directory, files)
        for directory, rows in sorted(directories.items())
        for files in _generations(rows)
    )


def _generations(rows: Sequence[tuple[str, Document]]) -> Iterator[dict[str, Document]]:
    """Yield the files of one directory as each layer that wrote there left them."""
    for layer in sorted({one.since for _, one in rows}):
        lower = {name: one for name, one in rows if one.since < layer < one.until}
        yield lower | {name: one for name, one in rows if one.since == layer}


def _distribution(directory: str, files: dict[str, Document]) -> Distribution:
    headers = _headers(files.get("METADATA") or files.get("PKG-INFO"))
    guess, _, rest = posixpath.basename(directory).rpartition(".")[0].partition("-")
    return Distribution(
        directory=directory,
        name=normalized(headers.get("name") or guess),
        version=headers.get("version") or rest.partition("-")[0],
        since=max(one.since for one in files.values()),
        until=min(one.until for one in files.values()),
        local=_is_local(files.get("direct_url.json")),
        installer=files["INSTALLER"].text.strip() if "INSTALLER" in files else "",
        documents=files,
    )


def _headers(document: Document | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in document.text.splitlines() if document else ():
        if not line:  # the description follows
            break
        key, separator, value = line.partition(":")
        if separator and not line[0].isspace():
            found.setdefault(key.lower(), value.strip())
    return found


def _is_local(document: Document | None) -> bool:
    """Tell whether a directory was installed; a local archive may be anybody's wheel."""
    if document is None:
        return False
    try:
        origin = json.loads(document.content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(origin, dict):
        return False
    return str(origin.get("url", "")).startswith("file:") and "dir_info" in origin


def python_claims(
    found: Sequence[Distribution], owners: Sequence[Owner], known: Mapping[str, str]
) -> Claims:
    """Return what each of ``found`` claims for its owner of ``owners``."""
    claims = Claims(known)
    for one, owner in zip(found, owners, strict=True):
        claim = Claim(owner, one.since, one.until, (one.site.count("/"), one.name))
        claims.add(one.directory, claim)
        below = f"{one.site}/" if one.site else ""
        claimed: set[str] = set()
        last = ""
        for path in _listed(one):
            claims.add(path, claim)
            directory = path.rpartition("/")[0]
            if directory == last:  # rows of one directory follow each other
                continue
            last = directory
            for _ in range(_DEPTH_MAX):
                if directory in claimed or not directory.startswith(below):
                    break
                if claims.knows(directory):
                    claimed.add(directory)
                    claims.add(directory, claim)
                directory = directory.rpartition("/")[0]
    return claims


def _listed(one: Distribution) -> Iterator[str]:
    """Yield the paths that a distribution lists, or the directories that must be its own."""
    record = one.documents.get("RECORD")
    installed = one.documents.get("installed-files.txt")
    below = f"{one.site}/" if one.site else ""
    if record is not None:
        yield from _rows(record, below)
    elif installed is not None:
        for line in installed.text.splitlines():
            yield _inside(one.directory, line)
    else:
        top = one.documents.get("top_level.txt")
        names = top.text.split() if top is not None else [one.name.replace("-", "_")]
        for name in names:
            yield _inside(one.site, name)
            yield _inside(one.site, f"{name}.py")


def _rows(record: Document, below: str) -> Iterator[str]:
    """Yield the paths of RECORD; what cannot be read of it claims nothing."""
    site = below.rstrip("/")
    try:
        content = io.BytesIO(record.content)
        text = io.TextIOWrapper(content, "utf-8", "surrogateescape", newline="")
        for cells in csv.reader(text):
            path = cells[0] if cells else ""
            if not path:
                continue
            if path[0] in "./" or "/." in path:
                yield _inside(site, path)
            else:
                yield below + path
    except csv.Error:
        return


def _inside(directory: str, path: str) -> str:
    """Return ``path``, relative to ``directory`` or absolute, as an entry's; "" where it climbs."""
    found = posixpath.normpath(f"/{directory}/{path}" if path[:1] != "/" else path)
    return found.strip("/")
