# SPDX-License-Identifier: Apache-2.0
"""Damaged wheels: never accepted with other content, and never anything but a clear error."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from wheelship.archive.layer import with_parents
from wheelship.errors import WheelshipError
from wheelship.testing.layer import read_layer, write_layer
from wheelship.testing.wheel import make_wheel
from wheelship.wheel.environment import Environment
from wheelship.wheel.errors import InvalidWheel, UnsafeScript
from wheelship.wheel.install import installed_entries, python_sources
from wheelship.wheel.reader import open_wheel
from wheelship.wheel.record import Row, parse_record, render_record
from wheelship.wheel.script import check_script_name, parse_scripts

ENVIRONMENT = Environment(python="3.11")
WHEELS = [
    make_wheel(
        files={
            "demo/__init__.py": b"value = 1\n",
            "demo/data.bin": bytes(range(256)) * 300,
            "demo-1.0.data/scripts/tool": b"#!python\n",
        },
        console_scripts={"demo": "demo:main"},
        method=method,
    )
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]


def install(data: bytes) -> dict[str, bytes]:
    """Install a wheel whose own hash is taken for granted, as if it had been locked damaged."""
    filename = WHEELS[0].filename
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / filename
        path.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        with open_wheel(path, filename, sha256=sha256) as wheel:
            list(python_sources(wheel, ENVIRONMENT))
            blob, _ = write_layer(with_parents(installed_entries(wheel, ENVIRONMENT)))
    return {path: one.data for path, one in read_layer(blob).items()}


EXPECTED = [install(wheel.data) for wheel in WHEELS]


@settings(max_examples=250)
@given(
    st.sampled_from([0, 1]),
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 255)), min_size=1, max_size=3),
)
@example(which=0, flips=[(0, 0x20)])
def test_a_damaged_wheel_is_never_accepted_with_other_content(
    which: int, flips: list[tuple[int, int]]
) -> None:
    """DESIGN §11: a wheel that lies gets a clear error."""
    data = bytearray(WHEELS[which].data)
    for at, mask in flips:
        # Headers are a small part of the file, and the one worth damaging.
        data[-1 - at % 2000 if at % 2 else at % len(data)] ^= mask
    try:
        found = install(bytes(data))
    except WheelshipError as error:
        assert error.code in {"invalid-wheel", "record-mismatch", "content-mismatch"}
        assert error.where
        return
    assert found == EXPECTED[which]


@given(st.sampled_from([0, 1]), st.integers(0, 100_000))
def test_a_truncated_wheel_is_refused(which: int, length: int) -> None:
    data = WHEELS[which].data
    try:
        install(data[: length % len(data)])
    except InvalidWheel:
        return
    raise AssertionError("a truncated wheel was accepted")


PATHS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n"), min_size=1)
ROWS = st.builds(
    Row,
    PATHS,
    st.one_of(
        st.none(),
        st.binary(min_size=32, max_size=32).map(lambda digest: ("sha256", digest.hex())),
        st.binary(min_size=64, max_size=64).map(lambda digest: ("sha512", digest.hex())),
    ),
    st.one_of(st.none(), st.integers(0, 2**50)),
)


@given(st.lists(ROWS, unique_by=lambda row: row.path))
def test_a_written_record_reads_back(rows: list[Row]) -> None:
    text = render_record(rows).decode()
    assert parse_record(text, "demo") == {row.path: row for row in rows}


@given(st.text(max_size=200))
def test_no_record_crashes_the_parser(text: str) -> None:
    try:
        rows = parse_record(text, "demo")
    except WheelshipError:
        return
    assert all(path == row.path for path, row in rows.items())


@given(st.one_of(st.text(max_size=200), st.text(max_size=99).map("[console_scripts]\n{}".format)))
def test_no_entry_points_file_crashes_the_parser(text: str) -> None:
    try:
        points = parse_scripts(text, "demo")
    except (InvalidWheel, UnsafeScript):
        return
    for point in points:
        check_script_name(point.name, "demo")
        for word in (point.module, point.attribute):
            assert all(part.isidentifier() for part in word.split("."))
