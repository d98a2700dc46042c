# SPDX-License-Identifier: Apache-2.0
"""What a wheel becomes: the right files in the right places, and a RECORD that is true of them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from wheelship.archive.entry import File
from wheelship.archive.layer import with_parents
from wheelship.errors import WheelshipError
from wheelship.testing.layer import Found, read_layer, write_layer
from wheelship.testing.wheel import MadeWheel, make_wheel
from wheelship.wheel.environment import Environment
from wheelship.wheel.errors import InvalidWheel, UnsafeScript
from wheelship.wheel.install import installed_entries, python_sources
from wheelship.wheel.reader import Wheel, open_wheel

ENVIRONMENT = Environment(python="3.11")
SITE = "opt/venv/lib/python3.11/site-packages"
BIN = "opt/venv/bin"


@contextmanager
def opened(folder: Path, made: MadeWheel, *, waive: bool = False) -> Iterator[Wheel]:
    path = made.write(folder)
    with open_wheel(path, made.filename, sha256=made.sha256, waive_record=waive) as wheel:
        yield wheel


def install(
    folder: Path, made: MadeWheel, omit: tuple[str, ...] = (), *, waive: bool = False
) -> dict[str, Found]:
    """Install into a layer and return the layer's files, as another reader sees them."""
    with opened(folder, made, waive=waive) as wheel:
        entries = list(installed_entries(wheel, ENVIRONMENT, omit))
        blob, _ = write_layer(with_parents(entries))
    return {path: one for path, one in read_layer(blob).items() if one.kind != b"5"}


def refusal(folder: Path, files: Mapping[str, bytes], **knobs: object) -> WheelshipError:
    made = make_wheel(files=files, **knobs)  # type: ignore[arg-type]
    with pytest.raises(WheelshipError) as caught:
        install(folder, made)
    return caught.value


def check_record(files: dict[str, Found], info: str = "demo-1.0.dist-info") -> list[str]:
    """Check that RECORD lists exactly the installed files, rightly; return its paths."""
    site = Path("/") / SITE
    text = files[f"{SITE}/{info}/RECORD"].data.decode()
    rows = list(csv.reader(io.StringIO(text)))
    listed = {}
    for path, hashed, size in rows:
        parts: list[str] = []
        for part in (*site.parts[1:], *path.split("/")):
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        listed["/".join(parts)] = (hashed, size)
    assert set(listed) == set(files)
    for path, (hashed, size) in listed.items():
        if path == f"{SITE}/{info}/RECORD":
            assert (hashed, size) == ("", "")
            continue
        algorithm, _, encoded = hashed.partition("=")
        digest = hashlib.new(algorithm, files[path].data).digest()
        assert encoded == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert int(size) == len(files[path].data)
    paths = [row[0] for row in rows]
    assert paths == sorted(paths)
    return paths


def test_the_root_spreads_to_site_packages(tmp_path: Path) -> None:
    """Binary distribution format, spread: purelib and platlib are one on Debian."""
    files = {"demo/__init__.py": b"", "demo/_c.so": b"\x7fELF" * 9000, "demo.pth": b"\n"}
    for purelib in (True, False):
        found = install(tmp_path, make_wheel(files=files, purelib=purelib))
        for name, data in files.items():
            assert found[f"{SITE}/{name}"].data == data
        assert set(found) == {f"{SITE}/{name}" for name in files} | {
            f"{SITE}/demo-1.0.dist-info/{name}"
            for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER")
        }
        check_record(found)


def test_every_data_directory_goes_to_its_scheme(tmp_path: Path) -> None:
    """Binary distribution format, spread 2.b; headers as pip lays them out in an environment."""
    data = {
        "purelib/demo/pure.py": f"{SITE}/demo/pure.py",
        "platlib/demo/plat.so": f"{SITE}/demo/plat.so",
        "scripts/tool": f"{BIN}/tool",
        "headers/sub/demo.h": "opt/venv/include/site/python3.11/demo-pkg/sub/demo.h",
        "data/share/man/demo.1": "opt/venv/share/man/demo.1",
        "data/etc/demo.conf": "opt/venv/etc/demo.conf",
        "data/bin/helper": f"{BIN}/helper",
    }
    files = {f"Demo.Pkg-1.0.data/{name}": name.encode() for name in data}
    found = install(tmp_path, make_wheel("Demo.Pkg", files=files))
    for name, path in data.items():
        assert found[path].data == name.encode()
    paths = check_record(found, "Demo.Pkg-1.0.dist-info")
    assert "../../../bin/tool" in paths
    assert "../../../share/man/demo.1" in paths


def test_executable_bits_come_from_the_archive(tmp_path: Path) -> None:
    """DESIGN §10: modes from the executable bit alone; scripts are executable in any case."""
    files = {
        "demo/run": b"",
        "demo/odd": b"",
        "demo/plain.py": b"",
        "demo-1.0.data/scripts/tool": b"",
        "demo-1.0.data/scripts/large": b"\x7fELF" + bytes(1_100_000),
        "demo-1.0.data/data/bin/helper": b"",
        "demo-1.0.data/data/bin/plain": b"",
    }
    modes = {
        "demo/run": 0o4777,
        "demo/odd": 0o001,
        "demo/plain.py": 0o1666,
        "demo-1.0.data/scripts/tool": 0o644,
        "demo-1.0.data/data/bin/helper": 0o700,
    }
    found = install(tmp_path, make_wheel(files=files, modes=modes))
    assert {path: found[path].mode for path in found if "dist-info" not in path} == {
        f"{SITE}/demo/run": 0o755,
        f"{SITE}/demo/odd": 0o755,
        f"{SITE}/demo/plain.py": 0o644,
        f"{BIN}/tool": 0o755,
        f"{BIN}/large": 0o755,
        f"{BIN}/helper": 0o755,
        f"{BIN}/plain": 0o644,
    }
    check_record(found)


def test_placeholder_lines_of_scripts_name_the_image_s_python(tmp_path: Path) -> None:
    """Binary distribution format, spread 2.d; only below ``scripts``."""
    files = {
        "demo-1.0.data/scripts/tool": b"#!python\nprint(1)\n",
        "demo-1.0.data/scripts/shell": b"#!/bin/sh\n",
        "demo-1.0.data/data/bin/kept": b"#!python\n",
        "demo/kept": b"#!python\n",
    }
    found = install(tmp_path, make_wheel(files=files))
    assert found[f"{BIN}/tool"].data == b"#!/opt/venv/bin/python\nprint(1)\n"
    assert found[f"{BIN}/shell"].data == b"#!/bin/sh\n"
    assert found[f"{BIN}/kept"].data == found[f"{SITE}/demo/kept"].data == b"#!python\n"
    check_record(found)


def test_entry_points_become_scripts(tmp_path: Path) -> None:
    scripts = {"demo": "demo:main", "Demo-Two": "demo.sub:Cls.run"}
    found = install(tmp_path, make_wheel(console_scripts=scripts))
    assert found[f"{BIN}/demo"].data.startswith(b"#!/opt/venv/bin/python\n")
    assert b"from demo.sub import Cls\n" in found[f"{BIN}/Demo-Two"].data
    assert {found[f"{BIN}/{name}"].mode for name in scripts} == {0o755}
    assert "../../../bin/demo" in check_record(found)


def test_what_installers_write_is_ours(tmp_path: Path) -> None:
    """INSTALLER names who installed; a signature of another RECORD would be a lie.

    So would be where another copy of the wheel came from.
    """
    info = "demo-1.0.dist-info"
    files = {
        f"{info}/INSTALLER": b"somebody else\n",
        f"{info}/RECORD.jws": b"{}",
        f"{info}/RECORD.p7s": b"",
        f"{info}/REQUESTED": b"",
        f"{info}/direct_url.json": b"{}",
        f"{info}/licenses/LICENSE": b"free\n",
    }
    found = install(tmp_path, make_wheel(files=files))
    assert found[f"{SITE}/{info}/INSTALLER"].data == b"wheelship\n"
    assert f"{SITE}/{info}/licenses/LICENSE" in found
    gone = ("RECORD.jws", "RECORD.p7s", "REQUESTED", "direct_url.json")
    assert not [name for name in gone if f"{SITE}/{info}/{name}" in found]
    check_record(found)


def test_bytecode_beside_its_source_is_left_out(tmp_path: Path) -> None:
    """It would be stale, as every layer has another time; without a source it is the module."""
    files = {
        "demo/a.py": b"",
        "demo/__pycache__/a.cpython-311.pyc": b"stale",
        "demo/__pycache__/notes.txt": b"kept",
        "demo/sourceless.pyc": b"kept",
        "demo-1.0.data/purelib/demo/__pycache__/b.cpython-311.pyc": b"stale",
    }
    found = install(tmp_path, make_wheel(files=files))
    assert {path for path in found if "dist-info" not in path} == {
        f"{SITE}/demo/a.py",
        f"{SITE}/demo/__pycache__/notes.txt",
        f"{SITE}/demo/sourceless.pyc",
    }
    check_record(found)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_record_is_verified_while_the_layer_is_written(tmp_path: Path, method: int) -> None:
    """A hash that RECORD promises is checked in the pass that writes the layer."""
    for size in (10, 200_000):
        lie = make_wheel(files={"demo.py": b"x" * size}).data
        with zipfile.ZipFile(io.BytesIO(lie)) as archive:
            record = archive.read("demo-1.0.dist-info/RECORD").decode()
        made = make_wheel(files={"demo.py": b"y" * size}, record=record, method=method)
        with pytest.raises(WheelshipError, match="its sha256 is") as caught:
            install(tmp_path, made)
        assert caught.value.code == "content-mismatch"


def test_what_a_waived_record_does_not_say_is_computed(tmp_path: Path) -> None:
    """The installed RECORD is true even when the wheel's was not (DESIGN §6)."""
    files = {"demo/a.py": b"a", "demo/b.py": b"b" * 70_000, "demo-1.0.data/data/c": b"c"}
    made = make_wheel(files=files, record="demo/a.py,,99\nghost.py,,\n")
    with pytest.raises(WheelshipError):
        install(tmp_path, made)
    found = install(tmp_path, made, waive=True)
    assert found[f"{SITE}/demo/b.py"].data == b"b" * 70_000
    assert not [path for path in found if "ghost" in path]
    check_record(found)


def test_a_missing_size_in_record_is_filled_in(tmp_path: Path) -> None:
    files = {"demo/a.py": b"a"}
    with zipfile.ZipFile(io.BytesIO(make_wheel(files=files).data)) as archive:
        record = archive.read("demo-1.0.dist-info/RECORD").decode()
    made = make_wheel(files=files, record=record.replace(",1\n", ",\n"))
    check_record(install(tmp_path, made))


# Attacks


@pytest.mark.parametrize(
    "name", ["python", "python3.11", "pypy", "../x", "a/b", "activate", ".wh.python"]
)
def test_an_entry_point_must_not_take_over_the_environment(tmp_path: Path, name: str) -> None:
    """CVE-2026-8643, GHSA-4gg8-gxpx-9rph."""
    error = refusal(tmp_path, {}, console_scripts={name: "demo:main"})
    assert isinstance(error, UnsafeScript)
    assert error.where == "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "name",
    ["scripts/python", "scripts/python3", "data/bin/python3.11", "scripts/activate", "scripts/a b"],
)
def test_a_script_must_not_take_over_the_environment(tmp_path: Path, name: str) -> None:
    """The same names by way of ``.data``."""
    assert isinstance(refusal(tmp_path, {f"demo-1.0.data/{name}": b""}), UnsafeScript)


@pytest.mark.parametrize("name", ["data/pyvenv.cfg", "data/bin"])
def test_data_must_not_replace_the_environment(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path, {f"demo-1.0.data/{name}": b""})
    assert isinstance(error, InvalidWheel)
    assert "would replace /opt/venv/" in error.message


@pytest.mark.parametrize("name", ["stdlib/os.py", "Scripts/x", "loose.py", "userbase/a", "data"])
def test_an_unknown_scheme_is_refused(tmp_path: Path, name: str) -> None:
    """Binary distribution format: the keys of the install scheme, and no others."""
    error = refusal(tmp_path, {f"demo-1.0.data/{name}": b""})
    assert isinstance(error, InvalidWheel)
    assert f"puts demo-1.0.data/{name} under an unknown scheme" in error.message


@pytest.mark.parametrize(
    ("files", "scripts"),
    [
        ({"demo.py": b"", "demo-1.0.data/purelib/demo.py": b""}, {}),
        ({"demo-1.0.data/purelib/x.py": b"", "demo-1.0.data/platlib/x.py": b""}, {}),
        ({"demo-1.0.data/scripts/tool": b""}, {"tool": "demo:main"}),
        ({"demo-1.0.data/data/lib/python3.11/site-packages/demo.py": b"", "demo.py": b""}, {}),
        ({"demo-1.0.data/purelib/demo-1.0.dist-info/METADATA": b""}, {}),
        ({"demo-1.0.data/purelib/demo-1.0.dist-info/INSTALLER": b"pip\n"}, {}),
        ({"demo-1.0.data/purelib/demo-1.0.dist-info/RECORD": b""}, {}),
    ],
)
def test_two_files_in_one_place_are_refused(
    tmp_path: Path, files: dict[str, bytes], scripts: dict[str, str]
) -> None:
    """Which one wins would depend on the installer."""
    error = refusal(tmp_path, files, console_scripts=scripts)
    assert isinstance(error, InvalidWheel)
    assert "twice" in error.message


def test_a_second_package_by_way_of_data_is_refused(tmp_path: Path) -> None:
    """Metadata of another package would be believed by pip and scanners."""
    for scheme in ("purelib", "data/lib/python3.11/site-packages"):
        for ending in ("dist-info", "Dist-Info"):
            name = f"demo-1.0.data/{scheme}/requests-9.9.{ending}/METADATA"
            error = refusal(tmp_path, {name: b"Name: requests\n"})
            assert isinstance(error, InvalidWheel)
            assert f"would install requests-9.9.{ending}" in error.message


def test_a_data_directory_of_another_name_is_nothing_special(tmp_path: Path) -> None:
    """Only ``{distribution}-{version}.data`` spreads."""
    found = install(tmp_path, make_wheel(files={"other-1.0.data/scripts/python": b""}))
    assert f"{SITE}/other-1.0.data/scripts/python" in found
    assert not [path for path in found if path.startswith(BIN)]


# What is left out


def test_omitted_files_are_neither_installed_nor_recorded(tmp_path: Path) -> None:
    """DESIGN §6, ``omit``: globs over paths below site-packages."""
    files = {"demo/a.py": b"", "demo/lib/a.so": b"", "demo/lib/b.so.1": b"", "demo/tests/x/y": b""}
    found = install(tmp_path, make_wheel(files=files), omit=("demo/lib/*.so", "demo/tests/*"))
    kept = {path.removeprefix(f"{SITE}/") for path in found if "dist-info" not in path}
    assert kept == {"demo/a.py", "demo/lib/b.so.1"}
    check_record(found)


def test_files_outside_site_packages_can_be_omitted(tmp_path: Path) -> None:
    files = {"demo-1.0.data/data/share/x": b"", "demo-1.0.data/scripts/tool": b""}
    found = install(tmp_path, make_wheel(files=files), omit=("../../../share/*",))
    assert {path for path in found if SITE not in path} == {f"{BIN}/tool"}


def test_omitting_does_not_hide_a_conflict(tmp_path: Path) -> None:
    files = {"demo.py": b"", "demo-1.0.data/purelib/demo.py": b""}
    with pytest.raises(InvalidWheel, match="twice"):
        install(tmp_path, make_wheel(files=files), omit=("demo.py",))


# Sources for bytecode


def test_python_sources_are_what_gets_installed(tmp_path: Path) -> None:
    """Bytecode is made of the modules in site-packages, wherever the wheel holds them."""
    files = {
        "demo/b.py": b"",
        "demo/a.py": b"",
        "demo/a.pyi": b"",
        "demo/data.txt": b"",
        "demo-1.0.data/purelib/pure.py": b"",
        "demo-1.0.data/platlib/plat.py": b"",
        "demo-1.0.data/scripts/script.py": b"",
        "demo-1.0.data/data/share/example.py": b"",
        "demo-1.0.data/data/lib/python3.11/site-packages/data.py": b"",
        "demo/skipped/x.py": b"",
    }
    with opened(tmp_path, make_wheel(files=files)) as wheel:
        found = list(python_sources(wheel, ENVIRONMENT, ("demo/skipped/*",)))
        installed = {entry.path for entry in installed_entries(wheel, ENVIRONMENT)}
    assert found == [
        (f"{SITE}/data.py", "demo-1.0.data/data/lib/python3.11/site-packages/data.py"),
        (f"{SITE}/demo/a.py", "demo/a.py"),
        (f"{SITE}/demo/b.py", "demo/b.py"),
        (f"{SITE}/plat.py", "demo-1.0.data/platlib/plat.py"),
        (f"{SITE}/pure.py", "demo-1.0.data/purelib/pure.py"),
    ]
    assert {path for path, _ in found} <= installed


def test_sources_of_a_wheel_that_cannot_be_installed_do_not_crash(tmp_path: Path) -> None:
    """Bytecode may be made before the layer whose check refuses the wheel."""
    with opened(tmp_path, make_wheel(files={"demo-1.0.data/loose.py": b""})) as wheel:
        assert list(python_sources(wheel, ENVIRONMENT)) == []


def test_the_environment_names_its_places() -> None:
    other = Environment(python="3.13", prefix="/srv/app")
    assert other.interpreter == "/srv/app/bin/python"
    assert other.site_packages == "srv/app/lib/python3.13/site-packages"
    assert other.scheme("headers", "x") == "srv/app/include/site/python3.13/x"
    assert other.scheme("nonsense", "x") is None


def test_entries_are_files_in_the_order_of_the_archive(tmp_path: Path) -> None:
    """Reading a wheel front to back is one sequential pass; RECORD is known last."""
    files = {"z.py": b"", "a.py": b"", "m.py": b""}
    with opened(tmp_path, make_wheel(files=files)) as wheel:
        entries = list(installed_entries(wheel, ENVIRONMENT))
    assert all(isinstance(entry, File) for entry in entries)
    assert [entry.path for entry in entries][:3] == [f"{SITE}/{name}" for name in files]
    assert entries[-1].path.endswith("/RECORD")
