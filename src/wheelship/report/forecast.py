# SPDX-License-Identifier: Apache-2.0
"""What a planned layer will weigh, whether it is there already, and what must be fetched for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from wheelship.build.execute import find_layer
from wheelship.build.model import Prepared
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.lock.model import LockedWheel
from wheelship.oci.digest import Digest
from wheelship.plan.model import (
    ApplicationRecipe,
    BaseRecipe,
    BytecodeRecipe,
    ForeignRecipe,
    LayerPlan,
    PythonRecipe,
    WheelsRecipe,
)
from wheelship.store.store import Store

__all__ = ["Forecast", "Missing", "Size", "State", "Total", "forecast", "total"]

State: TypeAlias = Literal["stored", "empty", "make", "fetch"]
"""``stored``: the store has it; ``empty``: it is known to hold nothing, so the image has no such
layer; ``make``: it will be made; ``fetch``: it is another image's and will be fetched as it is."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes; not ``exact`` is an estimate from the sizes of the files that go into the layer."""

    bytes: int
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A file that has to be fetched; ``size_bytes`` is 0 where the lock does not say."""

    identity: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One layer; a size that nothing tells is None. ``digest`` is that of a layer that is known."""

    plan: LayerPlan
    state: State
    transfer: Size | None
    unpacked: Size | None
    missing: tuple[Missing, ...]
    digest: Digest | None

    @property
    def identity(self) -> str:
        """Equal for layers that are one and the same blob, as far as can be known."""
        return str(self.plan.key if self.digest is None else self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Sums over layers: of the sizes that are known, and how many layers have none."""

    transfer: Size
    unpacked: Size
    transfer_unknown: int
    unpacked_unknown: int


def forecast(
    layer: LayerPlan, prepared: Prepared, store: Store, find_links: Sequence[Path] = ()
) -> Forecast:
    """Look up one layer; ``find_links`` are the directories of wheels that a build looks into."""
    record, stored = find_layer(layer, store), store.find_layer(layer.key)
    if stored is not None and stored.digest is None:
        nothing = Size(0, exact=True)
        return Forecast(
            plan=layer, state="empty", transfer=nothing, unpacked=nothing, missing=(), digest=None
        )
    if record is not None:
        foreign = isinstance(layer.recipe, ForeignRecipe) and stored is None
        return Forecast(
            plan=layer,
            state="fetch" if foreign else "stored",
            transfer=Size(record.size_bytes, exact=True),
            unpacked=Size(record.unpacked_bytes, exact=True),
            missing=(
                Missing(
                    identity=str(record.digest), name=layer.title, size_bytes=record.size_bytes
                ),
            )
            if foreign
            else (),
            digest=record.digest,
        )
    return Forecast(
        plan=layer,
        state="make",
        transfer=_transfer(layer),
        unpacked=_unpacked(layer),
        missing=tuple(_missing(_inputs(layer, prepared), store, find_links)),
        digest=None,
    )


def total(layers: Iterable[Forecast]) -> Total:
    """Add up."""
    layers = tuple(layers)
    transfer = [one.transfer for one in layers if one.transfer is not None]
    unpacked = [one.unpacked for one in layers if one.unpacked is not None]
    return Total(
        transfer=_sum(transfer),
        unpacked=_sum(unpacked),
        transfer_unknown=len(layers) - len(transfer),
        unpacked_unknown=len(layers) - len(unpacked),
    )


def _sum(sizes: Sequence[Size]) -> Size:
    return Size(sum(one.bytes for one in sizes), exact=all(one.exact for one in sizes))


def _files(layer: LayerPlan) -> tuple[LockedWheel | LockedPackage, ...]:
    """Return the locked files whose content is the layer's."""
    match layer.recipe:
        case WheelsRecipe(wheels=wheels):
            return wheels
        case BaseRecipe(lock=lock, group=group):
            return tuple(one for one in lock.packages if one.group == group)
        case _:
            return ()


def _transfer(layer: LayerPlan) -> Size | None:
    """Return the size of the files: compressed already, they hardly change on their way."""
    sizes = [file.size_bytes for file in _files(layer)]
    return Size(sum(sizes), exact=False) if sizes and all(sizes) else None


def _unpacked(layer: LayerPlan) -> Size | None:
    if not isinstance(layer.recipe, ApplicationRecipe):
        return None
    snapshot = layer.recipe.snapshot
    own = sum(file.size_bytes for file in snapshot.files)
    return Size(own + sum(len(file.data) for file in snapshot.generated), exact=False)


def _inputs(layer: LayerPlan, prepared: Prepared) -> Iterable[LockedWheel | LockedPackage]:
    """Return all locked files that making the layer may need, those of the interpreter included."""
    recipe = layer.recipe
    yield from _files(layer)
    if isinstance(recipe, BytecodeRecipe):
        yield from recipe.wheels.wheels
    compiled = prepared.variant.bytecode == "all" and isinstance(
        recipe, BytecodeRecipe | PythonRecipe | ApplicationRecipe
    )
    # A layer of system packages is joined to those of the base; what compiles may be another base.
    wanted = prepared.base if isinstance(recipe, BaseRecipe) else prepared.maker or prepared.base
    if isinstance(wanted, DebianLock) and (compiled or isinstance(recipe, BaseRecipe)):
        yield from (one for one in wanted.packages if one.group == "base")


def _missing(
    files: Iterable[LockedWheel | LockedPackage], store: Store, find_links: Sequence[Path]
) -> Iterable[Missing]:
    for file in {one.sha256: one for one in files}.values():
        if not any(path.is_file() for path in _places(file, store, find_links)):
            yield Missing(
                identity=f"sha256:{file.sha256}",
                name=Path(file.filename).name,
                size_bytes=file.size_bytes,
            )


def _places(
    file: LockedWheel | LockedPackage, store: Store, find_links: Sequence[Path]
) -> Iterable[Path]:
    """Yield where a build looks before it asks a server (build/artifacts.py)."""
    yield store.download(file.sha256)
    if isinstance(file, LockedWheel):
        if file.path is not None:
            yield file.path
        yield from (directory / file.filename for directory in find_links)
