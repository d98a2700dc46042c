# SPDX-License-Identifier: Apache-2.0
"""The application as files of an image (DESIGN §10, ``mode = "source"``).

The modules and packages of a distribution go into the environment, together with a generated
``.dist-info`` and the console scripts. Code that is no distribution, and what ``app.include``
names, keeps its place below the working directory; where Python files lie there, a ``.pth`` file
makes them importable from anywhere.

Symbolic links are followed and their content is copied: files change their places relative to each
other on the way into the image, so a link kept as it is would dangle, and a wheel of the same
project could hold none either. A link that leaves the project is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from posixpath import relpath

from wheelship.archive.entry import Entry, File, InMemory, Streamed
from wheelship.oci.digest import Digest
from wheelship.request.distinfo import directory_name, installed_files, record
from wheelship.request.errors import Finding, SourceError
from wheelship.request.layout import Layout, find_layout
from wheelship.request.model import Project, Variant
from wheelship.request.tree import Selected, select

__all__ = ["GeneratedFile", "Snapshot", "SourceFile", "entries", "snapshot"]

ScriptMaker = Callable[[str, str], bytes]
"""Makes the wrapper of a console script from module and attribute."""

_ENVIRONMENT = "opt/venv"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the project; ``target`` is its path in the image without a leading slash."""

    path_in_project: str
    target: str
    size_bytes: int
    sha256: str
    executable: bool
    source: Path

    @property
    def mode(self) -> int:
        """The mode in the image, from the executable bit alone."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedFile:
    """A file that no file of the project corresponds to."""

    path: str
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The application at one moment, sorted by path.

    ``key`` covers contents, paths in the image and modes; it knows no times and no place on disk.
    """

    files: tuple[SourceFile, ...]
    generated: tuple[GeneratedFile, ...]
    key: Digest


def snapshot(project: Project, variant: Variant, make_script: ScriptMaker) -> Snapshot:
    """Find, read and hash the files of the application.

    Raises:
        SourceError: with every file that cannot be shipped, at once.
        InputError: an ignore file cannot be read.
    """
    layout = find_layout(project)
    findings: list[Finding] = []
    selected = select(project.root, layout, variant.include, variant.exclude, findings)
    packages = f"{_ENVIRONMENT}/lib/python{variant.python}/site-packages"
    workdir = variant.workdir.strip("/")
    files: list[SourceFile] = []
    for file in selected:
        installed = _installed_path(layout, file.path)
        target = f"{workdir}/{file.path}" if installed is None else f"{packages}/{installed}"
        try:
            files.append(_read(file, target))
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            findings.append(Finding(file=file.path, message=message))
    if findings:
        raise SourceError(findings)
    generated = _generate(project, files, packages, workdir, make_script)
    return Snapshot(
        files=tuple(sorted(files, key=lambda file: file.target)),
        generated=generated,
        key=_key(files, generated),
    )


def entries(snapshot: Snapshot) -> Iterator[Entry]:
    """Yield the files of the snapshot, sorted by path; directories are left to the layer writer.

    Each file of the project is read again and must still have the content that was hashed.

    Raises:
        SourceError: it has not; content that is streamed raises it while it is read.
    """
    everything: dict[str, SourceFile | GeneratedFile] = {
        **{file.target: file for file in snapshot.files},
        **{file.path: file for file in snapshot.generated},
    }
    for path, file in sorted(everything.items()):
        if isinstance(file, GeneratedFile):
            yield File(path=path, mode=file.mode, content=InMemory(file.data))
        elif file.size_bytes > _CHUNK_BYTES:
            content = Streamed(file.size_bytes, partial(_stream, file))
            yield File(path=path, mode=file.mode, content=content)
        else:
            data = b"".join(_stream(file))
            yield File(path=path, mode=file.mode, content=InMemory(data))


def _installed_path(layout: Layout, path: str) -> str | None:
    """Return the path below ``site-packages`` of a file that belongs to the distribution."""
    for root, name in layout.installed.items():
        if path == root or path.startswith(root + "/"):
            return name + path[len(root) :]
    return None


def _read(file: Selected, target: str) -> SourceFile:
    digest, size_bytes = hashlib.sha256(), 0
    with file.source.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return SourceFile(
        path_in_project=file.path,
        target=target,
        size_bytes=size_bytes,
        sha256=digest.hexdigest(),
        executable=file.executable,
        source=file.source,
    )


def _stream(file: SourceFile) -> Iterator[bytes]:
    digest, left = hashlib.sha256(), file.size_bytes
    try:
        with file.source.open("rb") as stream:
            while chunk := stream.read(min(_CHUNK_BYTES, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
                yield chunk
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from error
    if left or digest.hexdigest() != file.sha256:
        raise _changed(file, "changed while the image was built")


def _changed(file: SourceFile, message: str) -> SourceError:
    hint = "build again when nothing writes to the project"
    return SourceError([Finding(file=file.path_in_project, message=message, hint=hint)])


def _generate(
    project: Project,
    files: list[SourceFile],
    packages: str,
    workdir: str,
    make_script: ScriptMaker,
) -> tuple[GeneratedFile, ...]:
    generated: list[GeneratedFile] = []
    if any(file.target.startswith(f"{workdir}/") and file.target.endswith(".py") for file in files):
        path = f"{packages}/wheelship-workdir.pth"
        generated.append(GeneratedFile(path=path, data=f"/{workdir}\n".encode()))
    if project.declared:
        for name, target in sorted(project.scripts.items()):
            module, _, attribute = target.partition(":")
            path = f"{_ENVIRONMENT}/bin/{name}"
            data = make_script(module, attribute)
            generated.append(GeneratedFile(path=path, data=data, mode=0o755))
        folder = f"{packages}/{directory_name(project)}"
        generated += [
            GeneratedFile(path=f"{folder}/{name}", data=data)
            for name, data in installed_files(project).items()
        ]
        hashes = {
            relpath(file.target, packages): (file.sha256, file.size_bytes)
            for file in files
            if file.target.startswith(f"{packages}/")
        }
        for file in generated:
            digest = hashlib.sha256(file.data).hexdigest()
            hashes[relpath(file.path, packages)] = (digest, len(file.data))
        path = f"{folder}/RECORD"
        data = record(hashes, relpath(path, packages))
        generated.append(GeneratedFile(path=path, data=data))
    return tuple(sorted(generated, key=lambda file: file.path))


def _key(files: list[SourceFile], generated: tuple[GeneratedFile, ...]) -> Digest:
    rows = [(file.target, file.mode, file.sha256) for file in files]
    rows += [(file.path, file.mode, hashlib.sha256(file.data).hexdigest()) for file in generated]
    # Paths hold no NUL, so no two lists of rows share one text.
    text = "".join(f"{path}\0{mode:o}\0{digest}\0" for path, mode, digest in sorted(rows))
    return Digest.of(text.encode())
