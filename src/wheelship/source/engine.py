# SPDX-License-Identifier: Apache-2.0
"""Images in Docker or podman, by what ``save`` exports.

The export goes to the workspace first. It names its layers at its end (``manifest.json``, in older
engines the configuration, too), so nothing of it can be read as it comes; the file is gone with
the reading. Where the image is too large for the disk, the engine's own word on its size says so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from wheelship.engine.client import MISSING, Client, Program, reason_of
from wheelship.engine.trouble import trouble_of
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.source.archive import open_archive
from wheelship.source.choose import Wanted
from wheelship.source.errors import NoImage, shown
from wheelship.source.oci import ReadImage
from wheelship.store.errors import DiskFull, disk_errors

__all__ = ["open_engine_image"]

_ASK_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_INSTEAD = "\nwithout an engine: read it from its registry, registry:REF"
_ABSENT = ("no such image", "no such object", "image not known", "unable to find", "not found")


@contextmanager
def open_engine_image(
    client: Client | None,
    program: Program,
    name: str,
    wanted: Wanted,
    *,
    workspace: Path,
    emit: Emit,
) -> Iterator[ReadImage]:
    """Yield the image that the engine knows as ``name``, a reference or an identity.

    Raises:
        NoImage: the engine has none of that name.
        DockerMissing, PodmanMissing, EngineForbidden, DockerFailed, PodmanFailed: it cannot be
            asked.
        DiskFull: there is no room for the export.
        InvalidImage, UnsupportedImage, ImageLacksPlatform: as of archives.
    """
    called = f"{program}:{name}"
    if client is None:
        raise MISSING[program](
            f"there is no {program} client on PATH",
            where=called,
            hint=f"name it: --{program} FILE or WHEELSHIP_{program.upper()}",
        )
    identity, size = _inspect(client, name, called)
    free = shutil.disk_usage(workspace).free
    if size > free:
        raise DiskFull(
            f"exporting it takes about {size} bytes, and {free} are free",
            where=str(workspace),
            hint="choose another place: --store DIR or WHEELSHIP_STORE; or read it from its "
            "registry: registry:REF",
        )
    with ExitStack() as resources:
        with disk_errors(workspace):
            out = resources.enter_context(tempfile.NamedTemporaryFile(dir=workspace))
            _save(client, identity, size, out, called, emit)
        path = Path(out.name)
        with open_archive(
            path, "any", None, wanted, called, workspace=workspace, emit=emit
        ) as image:
            yield image


def _inspect(client: Client, name: str, called: str) -> tuple[str, int]:
    """Return the identity and the unpacked size of an image."""
    try:
        done = client.run(
            "image", "inspect", "--format", "{{.Id}} {{.Size}}", name, seconds=_ASK_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise client.failed(f"has not answered for {_ASK_SECONDS:.0f} s", where=called) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        if any(one in said.lower() for one in _ABSENT):
            raise NoImage(
                f"{client.program} has no such image",
                where=called,
                hint=f"{client.program} pull {name}",
            )
        reason = shown(reason_of(said))
        known = trouble_of(client, reason, _INSTEAD)
        if known is not None:
            known.where = called
            raise known
        raise client.failed(
            f"`{client.program} image inspect` failed: {reason}",
            where=called,
            hint=f"see whether {client.program} is well: {client.program} info",
        )
    identity, _, size = done.stdout.decode(errors="replace").strip().partition(" ")
    return identity or name, int(size) if size.isdecimal() else 0


def _save(
    client: Client, identity: str, size: int, out: IO[bytes], called: str, emit: Emit
) -> None:
    """Let the engine write the export of ``identity`` into ``out``, past this process."""
    emit(Started("save", called, size or None))
    try:
        with tempfile.TemporaryFile() as said:
            _run_save(client, identity, out, said, called, emit)
    except BaseException:
        emit(Finished("save", called, "failed"))
        raise
    emit(Finished("save", called, "done"))


def _run_save(
    client: Client, identity: str, out: IO[bytes], said: IO[bytes], called: str, emit: Emit
) -> None:
    process = client.start("save", identity, stdin=subprocess.DEVNULL, stdout=out, stderr=said)
    path, seen = Path(out.name), 0
    try:
        status = None
        while status is None:
            try:
                status = process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                status = None
            now = path.stat().st_size
            emit(Advanced("save", called, now - seen))
            seen = now
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if status != 0:
        said.seek(0)
        why = shown(reason_of(said.read(64 * 1024).decode(errors="replace")) or f"status {status}")
        if "no space left" in why:
            raise DiskFull(f"no space left to export it: {why}", where=str(path.parent))
        raise client.failed(f"`{client.program} save` failed: {why}", where=called)
