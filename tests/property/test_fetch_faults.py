# SPDX-License-Identifier: Apache-2.0
"""Whatever a server does, a file under its final name is the promised one."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheelship.errors import NetworkError
from wheelship.fetch.download import Download
from wheelship.fetch.fetcher import Fetcher
from wheelship.testing.index import Fault, PackageIndex

BODY = random.Random(3).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
OFFSETS = st.integers(0, len(BODY))

FAULTS = st.one_of(
    st.builds(Fault, truncate=OFFSETS, reset=st.booleans()),
    st.builds(Fault, status=st.sampled_from([429, 500, 503, 404, 416])),
    st.builds(Fault, ignore_range=st.just(True), truncate=OFFSETS),
    st.builds(Fault, promise=OFFSETS),
    st.builds(Fault, body=st.binary(max_size=300)),
    st.builds(
        lambda start, total, body: Fault(
            headers={"Content-Range": f"bytes {start}-{len(BODY)}/{total}"}, body=body
        ),
        OFFSETS,
        st.one_of(OFFSETS, st.just("*")),
        st.binary(max_size=300),
    ),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    with PackageIndex(tmp_path_factory.mktemp("served")) as running:
        running.documents["/file"] = BODY
        yield running


def sleep(seconds: float, cancelled: Event) -> None:
    del seconds, cancelled


@settings(max_examples=150)
@given(
    faults=st.lists(FAULTS, max_size=5),
    leftover=st.one_of(st.none(), st.binary(max_size=50), OFFSETS),
    known=st.booleans(),
)
def test_final_name_means_promised_bytes(
    index: PackageIndex, faults: list[Fault], leftover: bytes | int | None, *, known: bool
) -> None:
    index.faults[:] = faults
    with tempfile.TemporaryDirectory() as place:
        final = Path(place) / "file"
        if leftover is not None:
            begun = leftover if isinstance(leftover, bytes) else BODY[:leftover]
            (Path(place) / "file.partial").write_bytes(begun)
        job = Download(
            url=f"{index.url}/file",
            destination=final,
            sha256=SHA256,
            size_bytes=len(BODY) if known else None,
            subject="file",
        )
        fetcher = Fetcher(user_agent="test", sleep=sleep)
        try:
            fetcher.download(job)
        except NetworkError:
            assert not final.exists()
            index.faults.clear()
            fetcher.download(job)
        assert final.read_bytes() == BODY
        assert [path.name for path in Path(place).iterdir()] == ["file"]
