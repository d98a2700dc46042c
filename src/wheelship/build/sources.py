# SPDX-License-Identifier: Apache-2.0
"""Turns the sources of a lock into wheels, before anything is planned.

A plan is made of hashes, and what a build of source gives has none before it is done. It is done
once: afterwards the store knows the wheel, and a build with nothing to do only looks there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship.events import Emit
from wheelship.lock.model import Locked, LockedSource, LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.digest import Digest
from wheelship.request.model import BuildRule, Variant
from wheelship.store.store import Store

if TYPE_CHECKING:
    from wheelship.build.artifacts import StoredArtifacts
    from wheelship.sdist.find import Built, Order

__all__ = ["SourceBuilder", "open_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBuilder:
    """Builds what has no wheel.

    Attributes:
        artifacts: makes the door to locked files; called when something has to be built.
        environ: all environment variables.
        machine: architecture of this machine (``amd64``).
    """

    store: Store
    emit: Emit
    artifacts: Callable[[], StoredArtifacts]
    environ: Mapping[str, str]
    machine: str
    offline: bool = False

    def wheels(
        self, packages: Iterable[Locked], variant: Variant, target: Target
    ) -> tuple[LockedWheel, ...]:
        """Return ``packages`` with a wheel in the place of each source, built if need be.

        Raises:
            NotAWheel: something is to be built although the variant forbids it.
            SdistNeedsNative, SdistNeedsNewer: what was built does not fit ``target``.
            WheelshipError: what :func:`wheelship.sdist.make.make_wheel` raises.
        """
        return tuple(
            self._wheel(one, variant, target) if isinstance(one, LockedSource) else one
            for one in packages
        )

    def _wheel(self, source: LockedSource, variant: Variant, target: Target) -> LockedWheel:
        from wheelship.lock.errors import NotAWheel
        from wheelship.sdist.find import Order, find_built
        from wheelship.sdist.fit import check_fits

        if variant.sdist is None:
            raise NotAWheel(
                f"{source.name} {source.version} is locked as source, and nothing is to be built",
                where="sdist",
                hint="remove `sdist = false`, or lock again: wheelship lock",
            )
        order = Order(
            source=source,
            content=_content(source),
            python=target.python,
            rule=variant.sdist.get(source.name, BuildRule()),
            tools=source.build_wheels(self.machine),
        )
        # One that was built here before tells at once that it does not fit an image for others.
        machines = dict.fromkeys((target.platform.architecture, self.machine))
        built = find_built(order, machines, self.store) or self._build(order)
        check_fits(built, source, target)
        return built.locked(source, self.store)

    def _build(self, order: Order) -> Built:
        from uv import find_uv_bin

        from wheelship.lock.uv import clean_environment
        from wheelship.sdist.make import Maker, make_wheel

        with open_sources(
            self.store, self.artifacts, environ=self.environ, offline=self.offline
        ) as file:
            maker = Maker(
                store=self.store,
                emit=self.emit,
                file=file,
                machine=self.machine,
                uv=Path(find_uv_bin()),
                own=Path(sys.executable),
                environ=clean_environment(self.environ),
                offline=self.offline,
            )
            return make_wheel(order, maker)


@contextmanager
def open_sources(
    store: Store,
    artifacts: Callable[[], StoredArtifacts],
    *,
    environ: Mapping[str, str],
    offline: bool,
) -> Iterator[Callable[[LockedSource | LockedWheel], Path]]:
    """Yield a function that returns the local, verified file of a source or a wheel.

    A copy in the store that went bad is fetched once more. A directory is returned as it is; a
    commit is checked out into one that is gone when the block ends.

    Raises (the function):
        NetworkError, InputError: it cannot be had, or is not the one that was locked.
    """
    with closing(artifacts()) as door, ExitStack() as stack:

        def file(locked: LockedSource | LockedWheel) -> Path:
            if isinstance(locked, LockedSource) and locked.kind == "vcs":
                from wheelship.build.repository import check_out

                place = stack.enter_context(store.work_directory())
                return check_out(locked, place / "checkout", environ, offline=offline)
            if isinstance(locked, LockedSource) and locked.kind == "directory":
                return _directory(locked)
            path = door.path(locked)
            if _is_right(path, locked):
                return path
            if path == store.download(locked.sha256):
                path = door.replace(locked)
            if not _is_right(path, locked):
                from wheelship.wheel.errors import WrongWheel

                raise WrongWheel(
                    f"its sha256 is not the locked one, {locked.sha256}",
                    where=str(path),
                    hint="if the file was replaced on purpose, run `wheelship lock`",
                )
            return path

        yield file


def _content(source: LockedSource) -> Digest:
    if source.kind == "vcs":
        return Digest.of(source.commit.encode())
    if source.kind != "directory":
        return Digest(source.sha256)
    from wheelship.sdist.directory import directory_digest

    return directory_digest(_directory(source))


def _directory(source: LockedSource) -> Path:
    if source.path is None or not source.path.is_dir():
        from wheelship.build.artifacts import LockedFileMissing

        raise LockedFileMissing(
            "is locked as a directory, which is not there any more",
            where=str(source.path),
            hint="put it back, or lock again: wheelship lock",
        )
    return source.path


def _is_right(path: Path, locked: LockedSource | LockedWheel) -> bool:
    from wheelship.files.digest import file_digest

    return file_digest(path).hex == locked.sha256
