# SPDX-License-Identifier: Apache-2.0
"""What ``--output`` can say, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.sink.output import (
    FORMS,
    ArchiveOutput,
    InvalidOutput,
    LayoutOutput,
    Output,
    parse_output,
    refuse_collisions,
)

HERE = Path("/project")


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("oci:dist", LayoutOutput(HERE / "dist"), "oci:/project/dist"),
        ("oci:a/b:v1", LayoutOutput(HERE / "a/b", "v1"), "oci:/project/a/b:v1"),
        ("oci:/a:v1", LayoutOutput(Path("/a"), "v1"), "oci:/a:v1"),
        ("docker-archive:a.tar", ArchiveOutput("docker-archive", HERE / "a.tar"), None),
        ("docker-archive:a:b", ArchiveOutput("docker-archive", HERE / "a:b"), None),
    ],
)
def test_output(text: str, expected: Output, shown: str | None) -> None:
    output = parse_output(text, HERE)
    assert output == expected
    assert shown is None or str(output) == shown


@pytest.mark.parametrize("text", ["", "oci", "oci:", "dist", "tar:x", "docker-archive:", "OCI:x"])
def test_what_cannot_be_written_is_told_what_can(text: str) -> None:
    with pytest.raises(InvalidOutput) as caught:
        parse_output(text, HERE)
    assert repr(text) in caught.value.message
    for form in FORMS:
        assert form in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["oci:dist:v1", "docker-archive:a.tar"])
def test_one_place_is_not_for_two_variants(text: str) -> None:
    outputs = [parse_output("oci:dist", HERE), parse_output(text, HERE)]
    refuse_collisions(outputs, 1)
    refuse_collisions(outputs[:1], 2)
    with pytest.raises(InvalidOutput, match="2 variants are built") as caught:
        refuse_collisions(outputs, 2)
    assert caught.value.where == str(outputs[1])
