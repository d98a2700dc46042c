# SPDX-License-Identifier: Apache-2.0
"""From a reference to a locked base image: its layers are read once, and never executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from wheelship.archive.result import LayerBytes
from wheelship.archive.untar import LayerFile
from wheelship.base.errors import ForeignArchitecture, InvalidBase, UnusableLayer
from wheelship.base.examine import check_room, find_python, links_of
from wheelship.base.files import FileTree
from wheelship.base.model import BaseImage, BaseLayer, Pairs, files_key
from wheelship.base.source import FoundImage, ImageSource
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.oci.descriptor import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, Descriptor
from wheelship.oci.digest import Digest, InvalidDigest
from wheelship.oci.platform import Platform
from wheelship.store.store import Store

__all__ = ["fetch_layer", "lock_image"]

_UNPACKED_BYTES = 64 * 1024**3
_CREATED_BY_CHARACTERS = 4096
_FETCHERS = 4

MEDIA_TYPES = {
    LAYER_GZIP: LAYER_GZIP,
    LAYER_TAR: LAYER_TAR,
    LAYER_ZSTD: LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}
"""Docker's names for the same bytes become OCI's: tools that convert images refuse a manifest that
mixes the two (docs/explanation/base.md)."""


def lock_image(
    reference: str,
    platform: Platform,
    python: str,
    source: ImageSource,
    store: Store,
    emit: Emit,
    *,
    known: BaseImage | None = None,
) -> BaseImage:
    """Find the image that ``reference`` names now, read its layers and return what they hold.

    Layers that are fetched for this stay in the store. None is read again when the image is still
    ``known``, the one that was locked before.

    Raises:
        InvalidBase, UnusableLayer: the image cannot be a base.
        BaseLacksPython, NotGlibc, BaseTooOld, ForeignArchitecture, BaseOccupied: what is in it
            cannot be built on.
        InvalidLayer, UnsupportedLayer: a layer is damaged, or cannot be read here.
        NetworkError, MachineError: it cannot be had.
    """
    subject = f"base {reference}"
    emit(Started("resolve", subject))
    try:
        found = source.image(platform)
        if known is not None and known.digest == found.digest and store.marked(files_key(known))[0]:
            emit(Finished("resolve", subject, "reused"))
            return known
        config = _Config(found, reference)
        if config.architecture != platform.architecture:
            raise ForeignArchitecture(
                f"is for {config.architecture}, and {platform} is wanted",
                where=reference,
                hint="choose a tag that is made for the platform",
            )
        tree = FileTree()
        layers = _read_layers(found, config, tree, source, store, emit, subject)
        check_room(tree, reference)
        passwd, group = tree.find("etc/passwd"), tree.find("etc/group")
        image = BaseImage(
            reference=reference,
            name=found.name,
            platform=platform,
            digest=found.digest,
            config=Digest.of(found.config),
            layers=layers,
            python=find_python(
                tree, config.env, python, architecture=platform.architecture, reference=reference
            ),
            env=config.env,
            labels=config.labels,
            passwd=_text(passwd.text if passwd else None),
            group=_text(group.text if group else None),
            links=links_of(tree),
        )
    except BaseException:
        emit(Finished("resolve", subject, "failed"))
        raise
    rows = [[path, node.kind[0], node.sha256] for path, node in tree.walk()]
    store.mark(files_key(image), rows)
    detail = f"Python {image.python.version}, sha256:{image.digest.hex[:12]}"
    emit(Finished("resolve", subject, "done", detail))
    return image


def fetch_layer(layer: BaseLayer, source: Callable[[], ImageSource], store: Store) -> Path:
    """Bring the layer into the store and return its file; ``source`` is asked if it is not there.

    Raises:
        NetworkError, InputError, MachineError: it cannot be had.
    """
    path = _fetch(layer, source, store)
    _keep(layer, path, store)
    return store.blob(layer.digest)


def _fetch(layer: BaseLayer, source: Callable[[], ImageSource], store: Store) -> Path:
    if store.find_layer(layer.key) is not None:
        return store.blob(layer.digest)
    destination = store.download(layer.digest.hex)
    if not destination.exists():
        source().blob(layer.descriptor, destination)
    return destination


def _keep(layer: BaseLayer, path: Path, store: Store) -> None:
    """Move a fetched layer to where the store has its layers."""
    if path == store.blob(layer.digest):
        return
    if store.find_layer(layer.key) is not None:  # another process was first
        path.unlink(missing_ok=True)
        return
    finished = LayerBytes(
        digest=layer.digest,
        diff_id=layer.diff_id,
        size_bytes=layer.size_bytes,
        unpacked_bytes=layer.unpacked_bytes,
        index=(),
    )
    store.put_layer(layer.key, path, finished)


def _read_layers(
    found: FoundImage,
    config: _Config,
    tree: FileTree,
    source: ImageSource,
    store: Store,
    emit: Emit,
    subject: str,
) -> tuple[BaseLayer, ...]:
    layers: list[BaseLayer] = []
    left = _UNPACKED_BYTES
    wanted = _layers(found, config)
    with ThreadPoolExecutor(_FETCHERS, thread_name_prefix="base") as pool:
        # Equal layers are one file: the empty layer of old images occurs many times.
        unique = {one.digest: one for one in wanted}
        fetched = {
            digest: pool.submit(_fetch, one, lambda: source, store)
            for digest, one in unique.items()
        }
        try:
            for layer in wanted:
                path = fetched[layer.digest].result()
                if not path.exists():
                    path = store.blob(layer.digest)
                size = tree.add_layer(
                    LayerFile(path=path, diff_id=layer.diff_id),
                    limit_bytes=left,
                    advance=lambda count: emit(Advanced("resolve", subject, count)),
                )
                left -= size
                read = replace(layer, unpacked_bytes=size)
                _keep(read, path, store)
                layers.append(read)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(layers)


def _layers(found: FoundImage, config: _Config) -> list[BaseLayer]:
    """Return the layers, their unpacked size not known yet."""
    return [
        BaseLayer(
            digest=descriptor.digest,
            diff_id=diff_id,
            media_type=_media_type(descriptor, found, config.reference),
            size_bytes=descriptor.size_bytes,
            unpacked_bytes=0,
            created=row[0],
            created_by=row[1],
        )
        for descriptor, diff_id, row in zip(
            found.layers, config.diff_ids, config.history, strict=True
        )
    ]


def _media_type(layer: Descriptor, found: FoundImage, reference: str) -> str:
    name = layer.media_type
    if name in MEDIA_TYPES:
        return MEDIA_TYPES[name]
    what = "packed in a way that is not known here"
    if "encrypted" in name:
        what = "encrypted, so what is in it cannot be read"
    elif "foreign" in name or "nondistributable" in name:
        what = "not to be distributed, so an image that holds it could not be pushed"
    raise UnusableLayer(
        f"its layer {layer.digest} is {what} ({name[:80]})",
        where=f"{reference} ({found.digest})",
        hint="choose another base image",
    )


class _Config:
    """What the configuration of the base says, in plain types."""

    def __init__(self, found: FoundImage, reference: str) -> None:
        self.reference = reference
        try:
            document: dict[str, Any] = json.loads(found.config)
            run = document.get("config") or {}
            self.architecture = str(document["architecture"])
            self.diff_ids = [Digest.parse(one) for one in document["rootfs"]["diff_ids"]]
            self.env: Pairs = _environment(run.get("Env") or ())
            self.labels: Pairs = tuple(
                sorted((str(name), str(value)) for name, value in (run.get("Labels") or {}).items())
            )
            rows = [one for one in document.get("history") or () if not one.get("empty_layer")]
            self.history = [(_plain(one, "created"), _plain(one, "created_by")) for one in rows]
        except (ValueError, KeyError, TypeError, AttributeError, InvalidDigest) as error:
            raise InvalidBase(
                f"its configuration is malformed: {error!r}", where=reference
            ) from error
        count = len(found.layers)
        if len(self.diff_ids) != count or not count:
            raise InvalidBase(
                f"it has {count} layers, and its configuration names {len(self.diff_ids)}",
                where=reference,
            )
        if len(self.history) != count:
            self.history = [("", "")] * count  # optional, and some tools write nonsense


def _environment(rows: Sequence[str]) -> Pairs:
    variables = dict(row.split("=", 1) for row in rows if "=" in row and not row.startswith("="))
    return tuple(sorted(variables.items()))


def _plain(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    return value[:_CREATED_BY_CHARACTERS] if isinstance(value, str) else ""


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogateescape")
