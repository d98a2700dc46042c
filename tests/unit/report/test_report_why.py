# SPDX-License-Identifier: Apache-2.0
"""Ways to a package: the shortest from each thing that was asked for, and who asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.debian.lock import DebianLock
from wheelship.lock.model import LockedWheel
from wheelship.lock.target import Target
from wheelship.oci.platform import Platform
from wheelship.report.why import Graph, Root, debian_graph, python_graph
from wheelship.request.model import Accelerator, Budget, Check, Project, Sources, Variant
from wheelship.store.store import Store
from wheelship.testing.deb import MadeDeb, make_deb

AMD64 = Platform(architecture="amd64")


def root(name: str) -> Root:
    return Root(package=name, label=name, origin="project")


def graph(requires: dict[str, tuple[str, ...]], *roots: str) -> Graph:
    return Graph(roots=tuple(map(root, roots)), requires=requires)


def paths(found: Graph, package: str) -> list[tuple[str, ...]]:
    return [way.path for way in found.ways(package)]


def test_there_is_one_way_from_each_root_that_leads_there() -> None:
    found = graph({"a": ("x",), "b": ("c",), "c": ("x",), "d": ()}, "a", "b", "d")
    assert paths(found, "x") == [("a", "x"), ("b", "c", "x")]
    assert found.dependants("x") == ("a", "c")


@pytest.mark.parametrize(("short", "long"), [("p", "q"), ("q", "p")])
def test_of_two_ways_the_shorter_is_told(short: str, long: str) -> None:
    found = graph({"a": (short, "r"), "r": (long,), "p": ("x",), "q": ("x",)}, "a")
    assert paths(found, "x") == [("a", short, "x")]


def test_packages_that_require_each_other_end() -> None:
    found = graph({"a": ("b",), "b": ("c",), "c": ("b",)}, "a")
    assert paths(found, "c") == [("a", "b", "c")]


def test_what_was_asked_for_itself_is_its_own_way() -> None:
    assert paths(graph({"a": ("b",), "b": ()}, "a", "b"), "b") == [("b",), ("a", "b")]


def test_what_nothing_leads_to_has_no_way() -> None:
    assert paths(graph({"a": (), "x": ()}, "a"), "x") == []


# --- Python ---


def wheel(name: str, *requires: str) -> LockedWheel:
    return LockedWheel(
        name=name,
        version="1.0",
        filename=f"{name}-1.0-py3-none-any.whl",
        sha256="0" * 64,
        size_bytes=1,
        requires=requires,
    )


def project(*dependencies: str) -> Project:
    return Project(
        root=Path("/project"),
        name="demo",
        version="1",
        requires_python=None,
        dependencies=dependencies,
        extras={"serve": ("uvicorn[standard]>=0.30",), "other": ("unused",)},
        groups={"worker": ("celery",)},
        scripts={},
        config_file=None,
    )


VARIANT = Variant(
    name="cpu",
    accelerator=Accelerator.CPU,
    platforms=(AMD64,),
    python="3.11",
    extras=("serve",),
    groups=("worker",),
    omit={},
    sources=Sources(),
    env={},
    labels={},
    check=Check(),
    budget=Budget(),
)
TARGET = Target(python="3.11", platform=AMD64)


def asked(*dependencies: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    found = python_graph(project(*dependencies), VARIANT, [wheel(one) for one in names], TARGET)
    return [(one.origin, one.label) for one in found.roots]


def test_extras_and_groups_of_the_variant_are_named() -> None:
    """``other`` is an extra that the variant does not choose."""
    found = asked("fastapi>=0.1", names=("fastapi", "uvicorn", "celery", "unused"))
    assert found == [
        ("project", "fastapi>=0.1"),
        ("extra serve", "uvicorn[standard]>=0.30"),
        ("group worker", "celery"),
    ]


@pytest.mark.parametrize(
    ("marker", "applies"),
    [("sys_platform == 'linux'", True), ("platform_machine == 'aarch64'", False)],
)
def test_markers_are_of_the_image(marker: str, *, applies: bool) -> None:
    found = asked(f"torch; {marker}", names=("torch",))
    assert found == ([("project", "torch")] if applies else [])


def test_what_is_left_out_was_not_asked_for() -> None:
    assert asked("torch", names=("numpy",)) == []


def test_an_address_with_a_password_is_not_told() -> None:
    found = asked("alpha @ https://user:secret@example.org/alpha-1.0.whl", names=("alpha",))
    assert found == [("project", "alpha")]


# --- Debian ---


def base(*debs: MadeDeb, system: tuple[MadeDeb, ...] = ()) -> DebianLock:
    packages = [one.locked() for one in debs]
    packages += [one.locked(group="system", requested=True) for one in system]
    return DebianLock(
        release="bookworm",
        architecture="amd64",
        suites=(),
        packages=tuple(sorted(packages, key=lambda one: one.name)),
    )


def test_debian_packages_tell_who_needs_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ssl = make_deb("libssl3", fields={"Depends": "libc6 (>= 1)"})
    libc = make_deb("libc6", fields={"Depends": "libgcc-s1"})
    gcc = make_deb("libgcc-s1", fields={"Depends": "gcc-12-base"})
    more, sound = make_deb("gcc-12-base"), make_deb("libsndfile1", fields={"Depends": "libc6"})
    lock = base(ssl, libc, gcc, more, system=(sound,))
    for deb in (ssl, libc, gcc, more, sound):
        store.download(deb.locked().sha256).write_bytes(deb.data)
    found = debian_graph(lock, store)
    assert found.complete
    assert paths(found, "gcc-12-base") == [
        ("libgcc-s1", "gcc-12-base"),
        ("libc6", "libgcc-s1", "gcc-12-base"),
        ("libsndfile1", "libc6", "libgcc-s1", "gcc-12-base"),
        ("libssl3", "libc6", "libgcc-s1", "gcc-12-base"),
    ]
    ways = {way.root.package: way.root for way in found.ways("gcc-12-base")}
    assert ways["libsndfile1"].origin == "system-packages"
    assert (ways["libssl3"].origin, ways["libssl3"].reason) == ("base", "ssl and hashlib")
    store.close()


def test_without_the_packages_only_the_roots_are_known(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ssl, other = make_deb("libssl3", fields={"Depends": "libother"}), make_deb("libother")
    found = debian_graph(base(ssl, other), store)
    assert not found.complete
    assert paths(found, "libssl3") == [("libssl3",)]
    assert paths(found, "libother") == []
    store.close()
