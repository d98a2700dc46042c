# SPDX-License-Identifier: Apache-2.0
"""Makes small Debian packages and a signed archive of them, right ones and broken ones."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from pysequoia import Cert, SignatureMode, Tsk, sign

from wheelship.debian.distribution import Cut, Distribution, Seed, Suite
from wheelship.debian.lock import LockedPackage
from wheelship.errors import NetworkError

__all__ = ["DebArchive", "MadeDeb", "TarMember", "ar_bytes", "make_deb", "tar_bytes"]

DATE = datetime(2026, 7, 1, 12, tzinfo=UTC)
"""Date of the release files of a :class:`DebArchive`, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member for :func:`tar_bytes`; ``kind`` is a type of :mod:`tarfile`."""

    name: str
    data: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeDeb:
    """A package in memory, with the fields of its paragraph in an index."""

    name: str
    version: str
    architecture: str
    fields: dict[str, str]
    data: bytes

    @property
    def filename(self) -> str:
        """Path in the pool."""
        return f"pool/main/{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    @property
    def paragraph(self) -> str:
        """Its paragraph of an index."""
        fields = self.fields | {
            "Filename": self.filename,
            "Size": str(len(self.data)),
            "SHA256": hashlib.sha256(self.data).hexdigest(),
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items())

    def locked(self, *, group: str = "base", requested: bool = False) -> LockedPackage:
        """Return what a lock says about it."""
        return LockedPackage(
            name=self.name,
            version=self.version,
            architecture=self.architecture,
            archive="main",
            filename=self.filename,
            sha256=hashlib.sha256(self.data).hexdigest(),
            size_bytes=len(self.data),
            source=self.name,
            source_version=self.version,
            group="system" if group == "system" else "base",
            requested=requested,
        )

    def write(self, directory: Path) -> Path:
        """Write the file into ``directory`` and return its path."""
        path = directory / f"{self.name}.deb"
        path.write_bytes(self.data)
        return path


def make_deb(  # noqa: PLR0913 - a factory: each knob is one way a package can be
    name: str = "demo",
    version: str = "1.0-1",
    *,
    architecture: str = "amd64",
    files: Mapping[str, bytes | str] | None = None,
    members: Iterable[TarMember] | None = None,
    scripts: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    data_tar: bytes | None = None,
) -> MadeDeb:
    """Make a package.

    ``files`` maps paths to content, or to ``-> target`` for a link; their directories come along.
    ``members`` are taken as they are instead. ``scripts`` are maintainer scripts and ``triggers``;
    ``fields`` are further control fields such as ``Depends``.
    """
    control = {"Package": name, "Version": version, "Architecture": architecture}
    control |= {"Maintainer": "Test <test@example.org>", "Description": "for tests"}
    control |= fields or {}
    text = "".join(f"{key}: {value}\n" for key, value in control.items())
    given = list(members) if members is not None else list(_members(files or {}))
    sums = "".join(
        f"{hashlib.md5(one.data, usedforsecurity=False).hexdigest()}  {one.name}\n"
        for one in given
        if one.kind == tarfile.REGTYPE
    )
    control_members = [
        TarMember("./control", text.encode()),
        TarMember("./md5sums", sums.encode("utf-8", "surrogateescape")),
    ]
    control_members += [
        TarMember(f"./{key}", value.encode(), 0o644 if key == "triggers" else 0o755)
        for key, value in (scripts or {}).items()
    ]
    data = ar_bytes(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(tar_bytes(control_members)),
            "data.tar.xz": lzma.compress(tar_bytes(given) if data_tar is None else data_tar),
        }
    )
    return MadeDeb(name=name, version=version, architecture=architecture, fields=control, data=data)


def tar_bytes(members: Iterable[TarMember]) -> bytes:
    """Return a tar archive with exactly these members, in order, names unchecked."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            header = tarfile.TarInfo(member.name)
            header.type, header.linkname = member.kind, member.target
            header.mode, header.uid, header.gid = member.mode, member.uid, member.gid
            header.size = len(member.data)
            archive.addfile(header, io.BytesIO(member.data))
    return out.getvalue()


def ar_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive with exactly these members, in order."""
    out = b"!<arch>\n"
    for name, data in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{0o100644:<8o}{len(data):<10}`\n"
        out += header.encode() + data + b"\n" * (len(data) % 2)
    return out


def _members(files: Mapping[str, bytes | str]) -> Iterable[TarMember]:
    seen: set[str] = set()
    for path, content in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in seen:
                seen.add(parent)
                yield TarMember(f"./{parent}/", mode=0o755, kind=tarfile.DIRTYPE)
        if isinstance(content, str):
            yield TarMember(f"./{path}", kind=tarfile.SYMTYPE, target=content.removeprefix("-> "))
        else:
            yield TarMember(f"./{path}", content, 0o755 if "/bin/" in path else 0o644)


@dataclass(slots=True, kw_only=True)
class DebArchive:
    """A signed archive in memory that serves itself.

    ``suites`` hold packages by suite name. Every attribute may be changed before the next fetch;
    ``tamper`` sees each path (relative to the server) and body last and may change the body.
    """

    codename: str = "bookworm"
    suites: dict[str, list[MadeDeb]] = field(default_factory=dict)
    date: datetime = DATE
    valid_until: datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)
    by_hash: bool = True
    tamper: Callable[[str, bytes], bytes] = lambda path, body: body  # noqa: ARG005 - the identity
    requests: list[str] = field(default_factory=list)
    key: Tsk = field(default_factory=lambda: Tsk.generate("Archive <archive@example.org>"))

    MAIN = "http://127.0.0.1/debian"
    SECURITY = "http://127.0.0.1/debian-security"

    @property
    def certificates(self) -> dict[str, Cert]:
        """The archive's certificate by its fingerprint."""
        certificate = self.key.extract_certificate()
        return {certificate.fingerprint: certificate}

    def distribution(
        self, seeds: Iterable[str], cuts: Iterable[Cut] = (), debug: Iterable[str] = ()
    ) -> Distribution:
        """Return the table of a release that this archive is trusted for."""
        return Distribution(
            codename=self.codename,
            version="12",
            python="3.11",
            suites=tuple(
                Suite(
                    name=name,
                    archive="security" if name.endswith("-security") else "main",
                    label="Debian-Security" if name.endswith("-security") else "Debian",
                    keys=tuple(self.certificates),
                )
                for name in self.suites
            ),
            seeds=tuple(Seed(name, "for tests") for name in seeds),
            debug=tuple(Seed(name, "for tests") for name in debug),
            cuts=tuple(cuts),
        )

    def keyring(self, fingerprints: Iterable[str]) -> dict[str, Cert]:
        """Return the certificates among those asked for."""
        return {key: self.certificates[key] for key in fingerprints}

    def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        """Serve ``url``; an unknown one is a :class:`~wheelship.errors.NetworkError`."""
        path = url.removeprefix("http://127.0.0.1/")
        self.requests.append(path)
        body = self.files().get(path)
        if body is None:
            raise NetworkError(f"404 for {url}")
        body = self.tamper(path, body)
        if len(body) > limit_bytes:
            raise NetworkError(f"more than {limit_bytes} bytes from {url}")
        return body

    def files(self) -> dict[str, bytes]:
        """Return everything that the archive serves, by path."""
        found: dict[str, bytes] = {}
        for suite, packages in self.suites.items():
            root = "debian-security" if suite.endswith("-security") else "debian"
            text = "\n".join(one.paragraph for one in packages).encode()
            packed = lzma.compress(text)
            directory = f"{root}/dists/{suite}"
            rows = {"Packages": text, "Packages.xz": packed}
            names = {f"main/binary-amd64/{name}": data for name, data in rows.items()}
            found[f"{directory}/main/binary-amd64/Packages.xz"] = packed
            if self.by_hash:
                digest = hashlib.sha256(packed).hexdigest()
                found[f"{directory}/main/binary-amd64/by-hash/SHA256/{digest}"] = packed
            found[f"{directory}/InRelease"] = self.sign(self.release_text(suite, names))
            found |= {f"{root}/{one.filename}": one.data for one in packages}
        return found

    def release_text(self, suite: str, files: Mapping[str, bytes]) -> str:
        """Return the text of a release file."""
        security = suite.endswith("-security")
        fields = {
            "Origin": "Debian",
            "Label": "Debian-Security" if security else "Debian",
            "Suite": "oldstable" + suite.removeprefix(self.codename),
            "Codename": suite,
            "Date": _date(self.date),
        }
        if self.valid_until is not None:
            fields["Valid-Until"] = _date(self.valid_until)
        if self.by_hash:
            fields["Acquire-By-Hash"] = "yes"
        fields |= self.fields
        rows = "".join(
            f" {hashlib.sha256(data).hexdigest()} {len(data):8} {name}\n"
            for name, data in files.items()
        )
        return "".join(f"{key}: {value}\n" for key, value in fields.items()) + f"SHA256:\n{rows}"

    def sign(self, text: str) -> bytes:
        """Sign a text as release files are signed."""
        return bytes(sign(self.key.signer(), text.encode(), mode=SignatureMode.CLEAR))


def _date(time: datetime) -> str:
    # Debian writes the zone as UTC and not as +0000.
    return format_datetime(time).replace("+0000", "UTC")
