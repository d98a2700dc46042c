# SPDX-License-Identifier: Apache-2.0
"""The one executor: a source in, a wheel in the store out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelship.events import Emit, Finished, Started, Warned
from wheelship.files.digest import file_digest
from wheelship.lock.model import LockedSource, LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.sdist.confine import without_network
from wheelship.sdist.declare import add_requirements
from wheelship.sdist.directory import copy_directory
from wheelship.sdist.elf import Needs
from wheelship.sdist.errors import InvalidSdist, WrongBuild
from wheelship.sdist.find import Built, Order, remember
from wheelship.sdist.interpreter import find_interpreter
from wheelship.sdist.normalize import normalize
from wheelship.sdist.process import Workshop, build_wheel
from wheelship.sdist.unpack import unpack_sdist
from wheelship.store.store import Store

__all__ = ["Maker", "make_wheel"]

_OF_THE_SYSTEM = frozenset(
    {
        *(f"lib{name}.so.6" for name in ("c", "m")),
        *(f"lib{name}.so.1" for name in ("rt", "util", "anl", "gcc_s")),
        *("libpthread.so.0", "libdl.so.2", "libresolv.so.2", "libstdc++.so.6"),
        *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
    }
)
"""What every base has: glibc's libraries and the compilers' run-time libraries."""

_NEWEST_GLIBC = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What a build needs of its surroundings.

    Attributes:
        file: returns the local, verified file of a source's archive or of a wheel.
        machine: architecture of this machine (``amd64``).
        own: this process's interpreter.
        environ: all environment variables; the build gets PATH alone.
        offline: whether the network is not to be used, whatever a rule allows.
    """

    store: Store
    emit: Emit
    file: Callable[[LockedSource | LockedWheel], Path]
    machine: str
    uv: Path
    own: Path
    environ: Mapping[str, str]
    offline: bool = False


def make_wheel(order: Order, maker: Maker) -> Built:
    """Build the wheel of ``order``, normalise it and keep it in the store.

    Raises:
        SdistBuildFailed, SdistNoPython, InvalidSdist, WrongBuild: there is no wheel.
        NetworkError, MachineError: a file cannot be had, or the disk failed.
    """
    source, store = order.source, maker.store
    subject = f"{source.name} {source.version}".rstrip()
    tools = {one.filename: maker.file(one) for one in order.tools}
    place = maker.file(source)
    maker.emit(Started("build", subject))
    try:
        python = find_interpreter(order.python, maker.own, maker.uv, maker.environ)
        with store.work_directory() as work:
            (work / "tools").mkdir()
            for filename, path in tools.items():
                (work / "tools" / Path(filename).name).symlink_to(path)
            tree = _tree(source, place, work)
            add_requirements(tree, order.rule.requires)
            search = maker.environ.get("PATH", "")
            shop = Workshop(
                uv=maker.uv,
                python=python,
                work=work,
                tools=work / "tools",
                path=search,
                prefix=_confinement(order, search, maker),
            )
            wheel = build_wheel(tree, source.name, order.rule, shop)
            built = _keep(wheel, order, work, maker)
    except BaseException:
        maker.emit(Finished("build", subject, "failed"))
        raise
    remember(order, built, store)
    maker.emit(Finished("build", subject, "done", built.filename))
    if built.libraries:
        maker.emit(
            Warned(
                "sdist-needs-library",
                f"the wheel built of {subject} needs {', '.join(built.libraries)}, which it does "
                "not bring; the image must have them",
                hint='name the Debian packages that do:\nsystem-packages = ["…"]',
            )
        )
    return built


def _confinement(order: Order, path: str, maker: Maker) -> tuple[str, ...]:
    if order.rule.network and not maker.offline:
        return ()
    words = without_network(path)
    if words is None:
        maker.emit(
            Warned(
                "sdist-not-confined",
                f"this machine does not let the build of {order.source.name} run without the "
                "network; what it loads would stand in no lock",
                hint="allow user namespaces, and install util-linux for the program unshare",
            )
        )
    return words or ()


def _tree(source: LockedSource, place: Path, work: Path) -> Path:
    """Return the tree to be built, in ``work``.

    Raises:
        InvalidSdist: it cannot be unpacked, or lacks the subdirectory.
    """
    if source.kind == "vcs":
        tree = work / "source"
        place.rename(tree)  # with its history, of which some backends make a version
    elif source.kind == "directory":
        tree = copy_directory(place, work / "source")
    else:
        (work / "source").mkdir()
        tree = unpack_sdist(place, source.filename, work / "source")
    inner = (tree / source.subdirectory).resolve()
    if not inner.is_dir() or not inner.is_relative_to(tree.resolve()):
        raise InvalidSdist(f"has no directory {source.subdirectory!r}", where=source.filename)
    return inner


def _keep(wheel: Path, order: Order, work: Path, maker: Maker) -> Built:
    version, pure = _identity(wheel.name, order, maker.machine)
    made = work / "normalized"
    seen = normalize(wheel, made)
    sha256 = file_digest(made).hex
    made.chmod(0o444)
    size = made.stat().st_size
    made.replace(maker.store.download(sha256))
    machines = {one.machine for one in seen.needs.values()} & {"amd64", "arm64"}
    return Built(
        filename=wheel.name,
        version=version,
        sha256=sha256,
        size_bytes=size,
        # A wheel that calls itself fit for every machine is not when it holds compiled code.
        architecture=None if pure and not machines else maker.machine,
        glibc_minor=max((one.glibc_minor for one in seen.needs.values()), default=0),
        libraries=tuple(_foreign(seen.needs)),
    )


def _foreign(needs: Mapping[str, Needs]) -> Iterable[str]:
    """Return the libraries that neither the wheel nor every base has."""
    own = {name.rpartition("/")[2] for name in needs} | {one.soname for one in needs.values()}
    wanted = {library for one in needs.values() for library in one.libraries}
    return sorted(wanted - own - _OF_THE_SYSTEM)


def _identity(filename: str, order: Order, machine: str) -> tuple[str, bool]:
    """Return the wheel's version and whether its tags fit every machine.

    Raises:
        WrongBuild: it is not the wheel that was asked for.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import Version

    source = order.source
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise WrongBuild(f"the backend made no wheel: {error}", where=filename) from error
    same_version = not source.version or version == Version(source.version)
    if name != source.name or not same_version:
        raise WrongBuild(
            f"the backend made {name} {version} from {source.name} {source.version}",
            where=source.filename,
            hint="choose another version of the package",
        )
    # Which C library the image has is held against the symbols that are really used, later.
    here = Target(python=order.python, platform=Platform(machine), glibc_minor=_NEWEST_GLIBC)
    if tags.isdisjoint(here.tags()):
        raise WrongBuild(
            f"the backend made a wheel that Python {order.python} on this machine cannot use",
            where=filename,
        )
    return str(version), all(tag.platform == "any" for tag in tags)
