# SPDX-License-Identifier: Apache-2.0
"""What Debian packages say is theirs: dpkg's database, or the status.d of images without dpkg.

dpkg keeps names and versions in ``status`` and the paths in ``info/<package>.list``; distroless
images, and ours, keep a control file and the checksums of its files for each package. A path that a
layer changes stays its package's, and so do the configuration files and the database's own records
of a package. What one package diverts, another one's file of that name, lies where it was led to.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelship.inspect.model import Owner
from wheelship.inspect.owners.claims import FOREVER, Claim, Claims, Document, real_path

__all__ = ["debian_claims"]

_STATUS = "var/lib/dpkg/status"
_STATUS_D = "var/lib/dpkg/status.d/"
_INFO = "var/lib/dpkg/info/"
_DIVERSIONS = "var/lib/dpkg/diversions"
_FIELD = re.compile(r"^(Package|Version|Status|Conffiles):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_RECORDS = (
    "list",
    "md5sums",
    "conffiles",
    "config",
    "postinst",
    "postrm",
    "preinst",
    "prerm",
    "shlibs",
    "symbols",
    "templates",
    "triggers",
)
"""What dpkg keeps in ``info`` about a package; no list names these files."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A version of a package, from a layer on until before another."""

    version: str
    since: int
    until: int


def debian_claims(documents: Iterable[Document], known: Mapping[str, str]) -> Claims:
    """Return what each Debian package claims; paths are as merged /usr has them."""
    claims = Claims(known)
    by_path: dict[str, list[Document]] = defaultdict(list)
    for one in documents:
        if one.path.startswith("var/lib/dpkg/"):
            by_path[one.path].append(one)
    packages = _Packages(claims, by_path)
    for path, rows in sorted(by_path.items()):
        if path.startswith(_INFO) and path.endswith(".list"):
            for row in rows:
                packages.add_list(path, row)
        elif path.startswith(_STATUS_D) and not path.endswith(".md5sums"):
            for row in rows:
                packages.add_control(row, by_path.get(f"{path}.md5sums", ()))
    return claims


class _Packages:
    def __init__(self, claims: Claims, by_path: dict[str, list[Document]]) -> None:
        self._claims = claims
        self._spans: dict[str, list[_Span]] = {}
        self._conffiles: dict[str, set[str]] = defaultdict(set)
        self._read_status(by_path.get(_STATUS, ()))
        self._diverted = dict(_diversions(by_path.get(_DIVERSIONS, ())))

    def _read_status(self, rows: Sequence[Document]) -> None:
        for row in sorted(rows, key=lambda one: one.since):
            for fields in _stanzas(row.text):
                name, version = fields.get("Package", ""), fields.get("Version", "")
                spans = self._spans.setdefault(name, [])
                if spans and spans[-1].version == version and spans[-1].until == row.since:
                    spans[-1] = _Span(version, spans[-1].since, row.until)
                else:
                    spans.append(_Span(version, row.since, row.until))
                for line in fields.get("Conffiles", "").splitlines():
                    words = line.split()
                    if words:
                        self._conffiles[name].add(words[0])

    def add_list(self, path: str, row: Document) -> None:
        """Add the paths of ``info/<package>[:<architecture>].list``."""
        name = posixpath.basename(path).removesuffix(".list").partition(":")[0]
        spans = self._spans.get(name) or [_Span("", row.since, FOREVER)]
        overlapping = [one for one in spans if one.since < row.until and row.since < one.until]
        for span in overlapping or spans:
            owner = Owner("debian", name, span.version)
            since, until = max(row.since, span.since), min(row.until, span.until)
            claim = Claim(owner, since, max(until, since), (0, name))
            for line in row.text.splitlines():
                self._add(line, claim)
            for line in self._conffiles.get(name, ()):
                self._add(line, claim)
            for suffix in _RECORDS:
                self._claims.add(f"{path.removesuffix('.list')}.{suffix}", claim)

    def add_control(self, row: Document, sums: Iterable[Document]) -> None:
        """Add a package of ``status.d``: its control file and the checksums beside it."""
        for fields in _stanzas(row.text):
            name = fields.get("Package") or posixpath.basename(row.path)
            claim = Claim(
                Owner("debian", name, fields.get("Version", "")), row.since, row.until, (0, name)
            )
            self._add(row.path, claim)
            for line in fields.get("Conffiles", "").splitlines():
                self._add((line.split() or [""])[0], claim)
            for one in sums:
                if one.since < row.until and row.since < one.until:
                    self._add(one.path, claim)
                    for line in one.text.splitlines():
                        self._add(line.partition(" ")[2].strip(), claim)

    def _add(self, path: str, claim: Claim) -> None:
        path = path.strip("/")
        if not path or path == ".":
            return
        led = self._diverted.get(path)
        if led is not None and led[1] != claim.owner.name:
            path = led[0]
        self._claims.add(real_path(path), claim)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in text.split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        if fields.get("Package"):
            yield fields


def _diversions(rows: Iterable[Document]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield path → (where it is led to, the package that diverts)."""
    for row in rows:
        lines = row.text.splitlines()
        for path, led, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False):
            yield path.strip("/"), (led.strip("/"), package)
