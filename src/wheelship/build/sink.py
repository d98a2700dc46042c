# SPDX-License-Identifier: Apache-2.0
"""Where built images go: ``oci:DIR`` and ``docker-archive:FILE``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wheelship.build.context import BuiltImage
from wheelship.errors import InputError
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.files.write import replacing
from wheelship.oci.digest import Digest
from wheelship.store.docker_archive import write_docker_archive
from wheelship.store.errors import disk_errors
from wheelship.store.layout import write_layout
from wheelship.store.store import Store

__all__ = ["InvalidOutput", "Output", "deliver", "parse_output"]


class InvalidOutput(InputError):
    """The output is none that this release can write."""

    code = "invalid-output"


@dataclass(frozen=True, slots=True)
class Output:
    """One output; ``kind`` is ``oci`` or ``docker-archive``, ``tag`` may be given after a colon."""

    kind: str
    path: Path
    tag: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}" + (f":{self.tag}" if self.tag else "")


def parse_output(text: str, directory: Path) -> Output:
    """Read ``oci:DIR[:TAG]`` or ``docker-archive:FILE``, relative to ``directory``.

    Raises:
        InvalidOutput: anything else.
    """
    kind, colon, rest = text.partition(":")
    if kind not in ("oci", "docker-archive") or not colon or not rest:
        raise InvalidOutput(
            f"cannot write {text!r}", hint="use oci:DIR[:TAG] or docker-archive:FILE"
        )
    path, _, tag = rest.rpartition(":") if kind == "oci" and ":" in rest else (rest, "", "")
    return Output(kind, directory / path, tag or None)


def deliver(built: BuiltImage, output: Output, store: Store, reference: str, emit: Emit) -> None:
    """Write ``built`` to ``output``; nothing incomplete ever has its final name.

    ``reference`` is ``name:tag``; a layout gets its tag only.

    Raises:
        DiskFull, NotWritable, InvalidLayout: the target refuses.
    """
    emit(Started("image", str(output)))
    if output.kind == "oci":
        _layout(built, output, store, output.tag or reference.rpartition(":")[2])
    else:
        _archive(built, output.path, store, reference, emit)
    emit(Finished("image", str(output), "done"))


def _layout(built: BuiltImage, output: Output, store: Store, tag: str) -> None:
    linked = write_layout(output.path, built.image, tag, store.blob)
    if not linked:
        return
    for layer in built.plan.layers:
        record = store.find_record(layer.key)
        if record is not None and record.digest in linked:
            store.refresh(layer.key, record)


def _archive(built: BuiltImage, path: Path, store: Store, reference: str, emit: Emit) -> None:
    def advance(count: int) -> None:
        emit(Advanced("image", f"docker-archive:{path}", count))

    with disk_errors(path.parent, "--output docker-archive:FILE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            write_docker_archive(
                stream,
                manifest=built.image.manifest_bytes,
                config=built.image.config_bytes,
                layers=_layer_files(built, store.blob),
                reference=reference,
                advance=advance,
            )


def _layer_files(built: BuiltImage, blob: Callable[[Digest], Path]) -> list[tuple[Digest, Path]]:
    digests = [layer.descriptor.digest for layer in built.image.layers]
    return [(digest, blob(digest)) for digest in digests]
