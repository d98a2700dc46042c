# SPDX-License-Identifier: Apache-2.0
"""Reads the layers of an image side by side, those that were read before from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event as Flag
from threading import Lock

from wheelship.archive.untar import InvalidLayer
from wheelship.events import Advanced, Emit, Finished, Started
from wheelship.inspect.model import LayerContent
from wheelship.inspect.scan.kept import KeptContents
from wheelship.inspect.scan.read import Limits, read_layer
from wheelship.source.model import ImageSource, SourceLayer

__all__ = ["read_layers"]


class _Stopped(Exception):
    """Another layer failed; nobody sees this."""


def read_layers(
    source: ImageSource,
    *,
    kept: KeptContents | None,
    emit: Emit,
    jobs: int,
    limits: Limits | None = None,
) -> tuple[LayerContent, ...]:
    """Return what the layers of ``source`` hold, lowest first.

    A layer that ``kept`` has is not opened, so a registry is not asked for it. Equal layers are
    read once. ``emit`` is called from ``jobs`` threads; its bytes are those of the blobs. The first
    failure stops the others.

    Raises:
        InvalidLayer: a layer is damaged, no tar archive, leads out of the image, exceeds
            ``limits``, or is not what the configuration says; or all together exceed them.
        UnsupportedLayer: it is compressed in a way that is not read here.
        WheelshipError: whatever opening or reading a blob raises.
    """
    limits = limits or Limits()
    unique = {layer.descriptor.digest: layer for layer in source.layers}
    stopped = Flag()
    reader = _Reader(source, kept, emit, limits, stopped)
    # The largest first: it decides how long all take.
    order = sorted(unique.values(), key=lambda one: -one.descriptor.size_bytes)
    pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="inspect")
    try:
        found = {one.descriptor.digest: pool.submit(reader.read, one) for one in order}
        wait(found.values(), return_when=FIRST_EXCEPTION)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
    for one in found.values():
        error = None if one.cancelled() else one.exception()
        if error is not None and not isinstance(error, _Stopped):
            raise error
    return tuple(
        _promised(found[layer.descriptor.digest].result(), layer, source.reference)
        for layer in source.layers
    )


def _promised(content: LayerContent, layer: SourceLayer, where: str) -> LayerContent:
    """Return ``content`` if it is what the configuration says of ``layer``.

    Who read it may have been told something else: another image that has it, or another place of
    it in this one.
    """
    if content.diff_id != layer.diff_id:
        raise InvalidLayer(
            f"layer {content.digest} is not what its configuration promises: it unpacks to "
            f"{content.diff_id}, not to {layer.diff_id}",
            where=where,
        )
    return content


class _Reader:
    """Reads one layer, or finds what was read before."""

    def __init__(
        self,
        source: ImageSource,
        kept: KeptContents | None,
        emit: Emit,
        limits: Limits,
        stopped: Flag,
    ) -> None:
        self._source = source
        self._kept = kept
        self._emit = emit
        self._limits = limits
        self._stopped = stopped
        self._times = Counter(layer.descriptor.digest for layer in source.layers)
        self._sums = Counter[str]()
        self._lock = Lock()

    def read(self, layer: SourceLayer) -> LayerContent:
        subject = str(layer.descriptor.digest)
        self._emit(Started("inspect", subject, layer.descriptor.size_bytes))
        try:
            content = None if self._kept is None else self._kept.find(layer.descriptor.digest)
            if content is not None:
                _promised(content, layer, self._source.reference)
                self._count(content)
                self._emit(Finished("inspect", subject, "reused"))
                return content
            with self._source.open(layer) as stream:
                content = read_layer(
                    stream,
                    layer,
                    limits=self._limits,
                    advance=self._advance(subject),
                    emit=self._emit,
                    where=self._source.reference,
                )
            self._count(content)
        except BaseException:
            self._emit(Finished("inspect", subject, "failed"))
            raise
        if self._kept is not None:
            self._kept.put(content)
        self._emit(Finished("inspect", subject, "done"))
        return content

    def _count(self, content: LayerContent) -> None:
        """Hold what all layers have together to the limits, each as often as the image has it.

        Whether a sum is too large does not depend on the order in which layers are read.
        """
        sizes = {
            "entries": len(content.entries),
            "characters of names": sum(len(one.path) + len(one.target) for one in content.entries),
            "bytes of package databases": sum(len(data) for _, data in content.documents),
        }
        limits = (self._limits.entries, self._limits.name_bytes, self._limits.documents_bytes)
        times = self._times[content.digest]
        with self._lock:
            self._sums.update({what: times * size for what, size in sizes.items()})
            sums = [self._sums[what] for what in sizes]
        for what, found, limit in zip(sizes, sums, limits, strict=True):
            if found > limit:
                raise InvalidLayer(
                    f"has more than {limit} {what} in its layers", where=self._source.reference
                )

    def _advance(self, subject: str) -> Callable[[int], None]:
        def advance(count: int) -> None:
            if self._stopped.is_set():
                raise _Stopped
            self._emit(Advanced("inspect", subject, count))

        return advance
