# SPDX-License-Identifier: Apache-2.0
"""Several outputs of one image: all are filled, and a failure names its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wheelship.errors import WheelshipError
from wheelship.events import Advanced, Event, Finished, discard
from wheelship.oci.validate import problems_of_layout
from wheelship.sink.deliver import deliver
from wheelship.sink.model import Tools
from wheelship.sink.output import ArchiveOutput, LayoutOutput
from wheelship.store.errors import DamagedStore
from wheelship.store.layout import read_layout


def test_all_outputs_are_filled_and_reported(load: Any, tmp_path: Path) -> None:
    archive, layout = tmp_path / "a.tar", tmp_path / "dist"
    events: list[Event] = []
    outputs = [ArchiveOutput("docker-archive", archive), LayoutOutput(layout)]
    first, second = deliver(load.parcel(), outputs, Tools(), events.append)
    assert (first.output, second.output) == (f"docker-archive:{archive}", f"oci:{layout}")
    assert (first.reference, second.reference) == ("team/demo:cpu", "cpu")
    assert first.moved_bytes == archive.stat().st_size
    assert second.moved_bytes == 0, "hard links move nothing"
    assert load.linked == {one.digest for one in load.image.blobs}
    assert problems_of_layout(layout) == []
    finished = [(one.subject, one.outcome) for one in events if isinstance(one, Finished)]
    assert finished == [(str(output), "done") for output in outputs]
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) > 0


@pytest.mark.parametrize("broken", [0, 1])
def test_a_failure_names_its_output_and_keeps_no_other_from_being_filled(
    load: Any, tmp_path: Path, broken: int
) -> None:
    (tmp_path / "file").write_bytes(b"")
    outputs = [
        ArchiveOutput("docker-archive", tmp_path / "a.tar"),
        ArchiveOutput("docker-archive", tmp_path / "b.tar"),
    ]
    outputs[broken] = ArchiveOutput("docker-archive", tmp_path / "file" / "in-it.tar")
    events: list[Event] = []
    with pytest.raises(WheelshipError) as caught:
        deliver(load.parcel(), outputs, Tools(), events.append)
    assert str(tmp_path / "file") in (caught.value.where or "")
    assert outputs[1 - broken].path.is_file()
    finished = {one.subject: one.outcome for one in events if isinstance(one, Finished)}
    assert finished == {str(outputs[broken]): "failed", str(outputs[1 - broken]): "done"}


def test_an_error_about_something_else_names_the_output_too(load: Any, tmp_path: Path) -> None:
    path = load.damage(1)
    output = ArchiveOutput("docker-archive", tmp_path / "out" / "a.tar")
    with pytest.raises(DamagedStore) as caught:
        deliver(load.parcel(), [output], Tools(), discard)
    assert caught.value.where == f"{output}: {path}"
    assert list((tmp_path / "out").iterdir()) == [], "nothing incomplete is left"


def test_bytes_that_had_to_be_copied_into_a_layout_are_counted(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another file system, where nothing can be linked."""

    def refuse(*_: Path) -> None:
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    output = LayoutOutput(tmp_path / "dist", "v1")
    sizes = [one.size_bytes for one in load.image.blobs]
    (first,) = deliver(load.parcel(), [output], Tools(), discard)
    assert (first.moved_bytes, first.reference) == (sum(sizes), "v1")
    assert load.linked == set()
    assert read_layout(tmp_path / "dist", "v1").digest == load.image.descriptor.digest
    (second,) = deliver(load.parcel(), [output], Tools(), discard)
    assert second.moved_bytes == 0, "it was there"
