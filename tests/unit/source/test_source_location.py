# SPDX-License-Identifier: Apache-2.0
"""What the word IMAGE names."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.oci.reference import Reference
from wheelship.source.errors import NoImage
from wheelship.source.location import (
    ArchiveFile,
    DockerArchive,
    EngineImage,
    LayoutAt,
    OciArchive,
    Project,
    RegistryImage,
    parse_location,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a layout, two archives and a project."""
    for name in ("layout", "odd:name", "project/dist"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("layout", "odd:name"):
        (tmp_path / name / "index.json").write_text("{}")
    (tmp_path / "project/pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (tmp_path / "a.tar").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_path_that_is_there_comes_first(place: Path) -> None:
    found = parse_location("layout", directory=place, variant="cpu")
    assert found == LayoutAt(path=place / "layout", tag="cpu", text="layout")
    assert str(found) == "oci:layout:cpu"
    assert parse_location("a.tar", directory=place) == ArchiveFile(
        path=place / "a.tar", text="a.tar"
    )
    project = Project(path=place / "project", variant="cpu", text="project")
    assert parse_location("project", directory=place, variant="cpu") == project
    odd = LayoutAt(path=place / "odd:name", tag=None, text="odd:name")
    assert parse_location("odd:name", directory=place) == odd, "not the tag of a registry's image"


def test_nothing_is_the_project_here(place: Path) -> None:
    for text in ("", "."):
        found = parse_location(text, directory=place / "project")
        assert found == Project(path=place / "project", variant=None, text=".")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("oci:layout", None),
        ("oci:layout:cpu", "cpu"),
        ("oci:layout:example.org/x:1", "example.org/x:1"),
    ],
)
def test_a_layout_may_have_a_tag(place: Path, text: str, tag: str | None) -> None:
    assert parse_location(text, directory=place) == LayoutAt(
        path=place / "layout", tag=tag, text="layout"
    )


def test_a_name_with_a_colon_is_told_from_a_tag_by_what_is_there(place: Path) -> None:
    found = parse_location("oci:odd:name:cpu", directory=place)
    assert found == LayoutAt(path=place / "odd:name", tag="cpu", text="odd:name")


def test_a_given_tag_wins_over_the_variant(place: Path) -> None:
    found = parse_location("oci:layout:cuda", directory=place, variant="cpu")
    assert isinstance(found, LayoutAt)
    assert found.tag == "cuda"


def test_archives_may_have_names(place: Path) -> None:
    path = place / "a.tar"
    assert parse_location("oci-archive:a.tar:v1", directory=place) == OciArchive(
        path=path, name="v1", text="a.tar"
    )
    for name in ("team/x:1", "@0"):
        assert parse_location(f"docker-archive:{path}:{name}", directory=place) == DockerArchive(
            path=path, name=name, text=str(path)
        )


def test_engines_and_registries(place: Path) -> None:
    def parsed(text: str) -> object:
        return parse_location(text, directory=place)

    assert parsed("docker:x:1") == EngineImage(program="docker", name="x:1")
    assert parsed("podman:localhost/x") == EngineImage(program="podman", name="localhost/x")
    latest = Reference.parse("python:latest")
    assert parsed("registry:python") == RegistryImage(reference=latest)
    assert parsed("python") == RegistryImage(reference=latest)
    mine = Reference.parse("localhost:5000/x:1")
    assert parsed("localhost:5000/x:1") == RegistryImage(reference=mine)
    assert str(parsed("python:3.11")) == "registry:docker.io/library/python:3.11"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("empty", "neither a project nor", "oci:DIR"),
        ("./nowhere", "is not there", "oci:DIR"),
        ("/nowhere/at/all", "is not there", "registry:REF"),
        ("missing.tar", "is not there", "docker-archive:FILE"),
        ("oci:", "oci: alone names no path", "write oci:DIR"),
        ("oci:layout:bad tag", "'bad tag' is no tag|bad tag is no tag", "letters"),
        ("oci:layout:", "is no tag", "letters"),
        ("oci:layout:-x", "is no tag", "letters"),
        ("oci-archive:nowhere.tar", "is no file", "wheelship build --output"),
        ("oci-archive:empty", "is a directory", "wheelship build --output"),
        ("docker:", "is no name", "docker:NAME"),
        ("docker:--format", "is no name", "docker:NAME"),
        ("podman:a b", "is no name", "podman:NAME"),
        ("podman:\x1b[31m", "is no name", "podman:NAME"),
        ("docker://python", "is an address", "registry:python"),
        ("https://example.org/x", "is an address", "registry:example.org/x"),
        ("docker-daemon:x:1", "skopeo's", "docker:x:1"),
        ("containers-storage:x", "skopeo's", "podman:x"),
        ("registry:UPPER/x y", "no name of an image", None),
        ("Not An Image", "no name of an image", None),
        ("x" * 5000, "no name of an image", None),
        ("nul\0byte", "no path and no name", None),
    ],
)
def test_what_names_nothing_says_what_would(
    place: Path, text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(NoImage, match=message) as caught:
        parse_location(text, directory=place)
    assert hint is None or hint in (caught.value.hint or "")
    assert str(caught.value.where).isprintable()
    assert len(str(caught.value.where)) < 200
