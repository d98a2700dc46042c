# SPDX-License-Identifier: Apache-2.0
"""The nouns: valid by construction, one encoding each, and what the specification calls them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from wheelship.oci.config import Healthcheck, History, ImageConfig, canonical_json
from wheelship.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from wheelship.oci.digest import Digest, InvalidDigest
from wheelship.oci.image import Image, Layer
from wheelship.oci.platform import InvalidPlatform, Platform

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
AMD64 = Platform(architecture="amd64")


def test_a_digest_has_one_wire_form() -> None:
    """image-spec, descriptor.md: ``sha256:`` and 64 lower-case digits."""
    assert str(Digest.of(b"")) == f"sha256:{EMPTY}"
    assert Digest.parse(f"sha256:{EMPTY}") == Digest(EMPTY) == Digest.of(b"")
    assert Digest("0" * 64) < Digest("f" * 64)


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY,
        f"sha512:{EMPTY}{EMPTY}",
        f"SHA256:{EMPTY}",
        f"sha256:{EMPTY.upper()}",
        f"sha256:{EMPTY[:-1]}",
        f"sha256:{EMPTY}0",
        f"sha256:{EMPTY}\n",
        f"sha256: {EMPTY}",
        "sha256:../../etc/passwd",
    ],
)
def test_anything_else_is_no_digest(text: str) -> None:
    """A digest in hand is a safe file name."""
    with pytest.raises(InvalidDigest):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("text", "architecture", "machine"),
    [
        ("linux/amd64", "amd64", "x86_64"),
        ("linux/arm64", "arm64", "aarch64"),
        ("linux/arm64/v8", "arm64", "aarch64"),
    ],
)
def test_platforms_are_read(text: str, architecture: str, machine: str) -> None:
    found = Platform.parse(text)
    assert (found.architecture, found.machine) == (architecture, machine)
    assert str(found) == f"linux/{architecture}"
    assert found.to_json() == {"architecture": architecture, "os": "linux"}


@pytest.mark.parametrize(
    "text",
    ["", "linux", "amd64", "linux/riscv64", "windows/amd64", "linux/arm64/v7", "linux/AMD64"],
)
def test_other_platforms_are_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidPlatform) as caught:
        Platform.parse(text)
    assert caught.value.hint == "use linux/amd64 or linux/arm64"
    assert f"{text}/" not in caught.value.message, "what was written, no more"


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("x86_64", "amd64"), ("AMD64", "amd64"), ("aarch64", "arm64"), ("arm64", "arm64")],
)
def test_processors_have_several_names(machine: str, architecture: str) -> None:
    assert Platform.of_machine(machine) == Platform(architecture)


def test_images_are_not_built_for_every_processor() -> None:
    with pytest.raises(InvalidPlatform, match="riscv64"):
        Platform.of_machine("riscv64")


def test_equal_documents_give_equal_bytes() -> None:
    """Digests are of bytes, so one document must have one encoding."""
    assert canonical_json({"b": [1, "ü"], "a": {}}) == '{"a":{},"b":[1,"ü"]}'.encode()
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})


def full_config() -> ImageConfig:
    return ImageConfig(
        platform=AMD64,
        diff_ids=(Digest.of(b"one"), Digest.of(b"two")),
        created="1980-01-01T00:00:00Z",
        env=(("PATH", "/usr/bin"), ("EQUALS", "a=b"), ("EMPTY", "")),
        entrypoint=("tini", "--"),
        command=("python", "-m", "app"),
        user="65532:65532",
        workdir="/app",
        ports=(8000, 9000),
        volumes=("/data",),
        labels=(("a", "1"), ("b", "2")),
        stop_signal="SIGINT",
        healthcheck=Healthcheck(
            test=("CMD", "probe"),
            interval_seconds=30,
            timeout_seconds=0.25,
            start_period_seconds=40,
            retries=3,
        ),
        history=(History(created_by="x", created="1980-01-01T00:00:00Z"),) * 2,
    )


def test_a_configuration_has_the_names_of_the_specification() -> None:
    """image-spec, config.md; ``Healthcheck`` in nanoseconds is Docker's."""
    document = full_config().to_json()
    assert document["config"] == {
        "Env": ["PATH=/usr/bin", "EQUALS=a=b", "EMPTY="],
        "Entrypoint": ["tini", "--"],
        "Cmd": ["python", "-m", "app"],
        "User": "65532:65532",
        "WorkingDir": "/app",
        "ExposedPorts": {"8000/tcp": {}, "9000/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"a": "1", "b": "2"},
        "StopSignal": "SIGINT",
        "Healthcheck": {
            "Test": ["CMD", "probe"],
            "Interval": 30_000_000_000,
            "Timeout": 250_000_000,
            "StartPeriod": 40_000_000_000,
            "Retries": 3,
        },
    }
    assert (document["architecture"], document["os"]) == ("amd64", "linux")
    assert document["rootfs"] == {
        "type": "layers",
        "diff_ids": [str(Digest.of(b"one")), str(Digest.of(b"two"))],
    }
    assert document["created"] == "1980-01-01T00:00:00Z"
    assert len(document["history"]) == 2


def test_a_configuration_reads_back() -> None:
    wire = json.loads(canonical_json(full_config().to_json()))
    assert ImageConfig.from_json(wire) == full_config()


def test_empty_fields_are_left_out() -> None:
    """An empty ``Cmd`` or ``User`` would override the base's in other tools."""
    document = ImageConfig(platform=AMD64, diff_ids=()).to_json()
    assert document["config"] == {}
    assert "created" not in document
    assert "history" not in document


@pytest.mark.parametrize(
    "run",
    [
        None,
        {},
        {"Env": None, "Cmd": None, "Entrypoint": None, "ExposedPorts": None, "Labels": None},
        {"Unknown": 1, "Healthcheck": None},
    ],
)
def test_configurations_of_other_tools_are_read(run: dict[str, Any] | None) -> None:
    """Docker writes null where others write nothing."""
    document = {
        "architecture": "arm64",
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": None,
    }
    found = ImageConfig.from_json(document)
    assert found == ImageConfig(platform=Platform(architecture="arm64"), diff_ids=())


def test_ports_of_all_kinds_are_read() -> None:
    document = ImageConfig(platform=AMD64, diff_ids=()).to_json()
    document["config"] = {"ExposedPorts": {"53/udp": {}, "80": {}}, "Env": ["NOVALUE"]}
    found = ImageConfig.from_json(document)
    assert found.ports == (53, 80)
    assert found.env == (("NOVALUE", ""),)


def layer(data: bytes) -> Layer:
    return Layer(
        descriptor=Descriptor(media_type=LAYER_GZIP, digest=Digest.of(data), size_bytes=len(data)),
        diff_id=Digest.of(data * 2),
        unpacked_bytes=len(data) * 2,
    )


def test_a_manifest_names_what_it_is_made_of() -> None:
    """image-spec, manifest.md; mediaType is always written (CVE-2021-41190)."""
    layers = (layer(b"one"), layer(b"three"))
    config = ImageConfig(platform=AMD64, diff_ids=tuple(one.diff_id for one in layers))
    image = Image(config=config, layers=layers, annotations=(("k", "v"),))
    document = json.loads(image.manifest_bytes)
    assert document == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": CONFIG,
            "digest": str(Digest.of(image.config_bytes)),
            "size": len(image.config_bytes),
        },
        "layers": [
            {"mediaType": LAYER_GZIP, "digest": str(Digest.of(b"one")), "size": 3},
            {"mediaType": LAYER_GZIP, "digest": str(Digest.of(b"three")), "size": 5},
        ],
        "annotations": {"k": "v"},
    }
    assert image.descriptor.digest == Digest.of(image.manifest_bytes)
    assert image.descriptor.platform == AMD64
    assert image.unpacked_bytes == 16
    assert image.transfer_bytes == 8 + len(image.config_bytes) + len(image.manifest_bytes)


def test_a_descriptor_writes_only_what_it_has() -> None:
    """image-spec, descriptor.md: platform and annotations are optional."""
    plain = Descriptor(media_type=CONFIG, digest=Digest.of(b""), size_bytes=0)
    assert plain.to_json() == {"mediaType": CONFIG, "digest": f"sha256:{EMPTY}", "size": 0}
    full = replace(plain, platform=AMD64, annotations=(("a", "b"),))
    assert full.to_json() | plain.to_json() == full.to_json()
    assert full.to_json()["platform"] == {"architecture": "amd64", "os": "linux"}
    assert full.to_json()["annotations"] == {"a": "b"}
    image = Image(config=ImageConfig(platform=AMD64, diff_ids=()), layers=())
    assert "annotations" not in json.loads(image.manifest_bytes)


def test_steps_that_made_no_layer_are_told_apart_and_ours_are_written_as_before() -> None:
    """The mark is written where it is true only: documents made before keep their bytes."""
    rows = (
        History(created_by="RUN", created="1980-01-01T00:00:00Z"),
        History(created_by="CMD", created="1980-01-01T00:00:00Z", empty_layer=True),
    )
    config = ImageConfig(platform=Platform("amd64"), diff_ids=(), history=rows)
    document = config.to_json()
    assert document["history"] == [
        {"created": "1980-01-01T00:00:00Z", "created_by": "RUN"},
        {"created": "1980-01-01T00:00:00Z", "created_by": "CMD", "empty_layer": True},
    ]
    assert ImageConfig.from_json(document) == config
