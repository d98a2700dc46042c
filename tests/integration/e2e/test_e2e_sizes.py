# SPDX-License-Identifier: Apache-2.0
"""The sizes of an image are what other tools find: umoci and find, skopeo, Docker."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wheelship.inspect.group import by_owner
from wheelship.inspect.model import Contents
from wheelship.oci.descriptor import LAYER_TAR, MANIFEST

pytestmark = pytest.mark.integration

EveryByte = Callable[..., Contents]
Member = tuple[str, bytes, bytes | str]  # path, tar's type flag, content or target

FILE, LINK, SYMLINK, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
LAYERS: tuple[tuple[Member, ...], ...] = (
    (
        ("usr", DIRECTORY, ""),
        ("usr/lib", DIRECTORY, ""),
        ("usr/lib/one.so", FILE, b"1" * 5000),
        ("usr/lib/two.so", LINK, "usr/lib/one.so"),
        ("usr/lib/three.so", LINK, "usr/lib/one.so"),
        ("usr/lib/four.so", SYMLINK, "one.so"),
        ("lib", SYMLINK, "usr/lib"),
        ("a", DIRECTORY, ""),
        ("a/b/c/deep", FILE, b"2" * 700),
        ("a/kept", FILE, b"3" * 800),
        ("opaque", DIRECTORY, ""),
        ("opaque/old", FILE, b"4" * 900),
        ("file", FILE, b"5" * 1000),
        ("name " + "é" * 100, FILE, b"6" * 1100),
    ),
    (
        ("usr/lib/.wh.one.so", FILE, b""),
        ("a/.wh.b", FILE, b""),
        ("opaque/.wh..wh..opq", FILE, b""),
        ("opaque/new", FILE, b"7" * 50),
        ("file", DIRECTORY, ""),
        ("file/inside", FILE, b"8" * 60),
    ),
    (
        ("usr/lib/three.so", FILE, b"9" * 70),
        ("opaque", FILE, b"0" * 80),
    ),
)


def output_of(*command: str | Path, **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return str(done.stdout).strip()


def archive(members: Sequence[Member]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, kind, content in members:
            header = tarfile.TarInfo(path)
            header.type, header.mode = kind, 0o755
            if isinstance(content, str):
                header.linkname = content
                tar.addfile(header)
            else:
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return out.getvalue()


def write_layout(layout: Path, layers: Sequence[bytes]) -> None:
    """Write an OCI layout by hand: an image that owes nothing to the code under test."""

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    rows = [put(data, LAYER_TAR) for data in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [row["digest"] for row in rows]},
        "history": [{"created_by": "ENV x=y", "empty_layer": True}]
        + [{"created_by": f"step {number}"} for number, _ in enumerate(rows)],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": rows,
    }
    found = put(json.dumps(manifest).encode(), MANIFEST)
    found["annotations"] = {"org.opencontainers.image.ref.name": "made"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [found]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


@pytest.fixture
def made(tmp_path: Path) -> Path:
    layout = tmp_path / "made"
    write_layout(layout, [archive(members) for members in LAYERS])
    return layout


def unpacked(layout: Path, tag: str, bundle: Path, tool: Callable[[str], str]) -> dict[int, int]:
    """Return inode → size of the files that umoci unpacks."""
    output_of(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{tag}", bundle)
    lines = output_of("/usr/bin/find", bundle / "rootfs", "-type", "f", "-printf", "%i %s\n")
    return {int(inode): int(size) for inode, size in map(str.split, lines.splitlines())}


def test_what_is_effective_is_what_umoci_unpacks(
    made: Path, tmp_path: Path, tool: Callable[[str], str], every_byte: EveryByte
) -> None:
    contents = every_byte(made)
    files = unpacked(made, "made", tmp_path / "bundle", tool)
    assert contents.sizes.effective == sum(files.values())
    assert sorted(files.values()) == sorted(
        item.effective_bytes for item in contents.items if item.effective_bytes
    )
    assert [one.created_by for one in contents.layers] == ["step 0", "step 1", "step 2"]


def test_our_own_image_agrees_with_umoci_and_with_what_the_build_said(
    site: Any, tmp_path: Path, tool: Callable[[str], str], every_byte: EveryByte
) -> None:
    site.lock()
    image = site.build("--tag", "demo:one")
    (layout,) = (site.root / "dist").iterdir()
    contents = every_byte(layout)
    assert contents.sizes.transfer == image["transfer_bytes"]
    assert contents.sizes.unpacked == image["unpacked_bytes"]
    (row,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    tag = row["annotations"]["org.opencontainers.image.ref.name"]
    files = unpacked(layout, tag, tmp_path / "bundle", tool)
    assert contents.sizes.effective == sum(files.values())
    owners = {(owner.type, owner.name): row.sizes for owner, row in by_owner(contents).items()}
    assert owners["python", "alpha"].effective > 60_000
    assert owners["application", "demo"].effective > 0
    assert ("debian", "base-files") in owners
    # The made packages bring no checksums, by which an image without dpkg knows their files.
    unknown = [item.entry.path for item in contents.items if item.owner.type == "unknown"]
    assert unknown == ["usr/bin/python3.11"]


@pytest.mark.parametrize("form", ["gzip", "zstd", "docker-archive"])
def test_forms_of_an_image_differ_in_what_is_transferred_and_in_nothing_else(
    made: Path, form: str, tmp_path: Path, tool: Callable[[str], str], every_byte: EveryByte
) -> None:
    contents, copy = every_byte(made), tmp_path / "copy"
    skopeo = (tool("skopeo"), "--insecure-policy", "copy", "--quiet")
    if form == "docker-archive":
        saved = f"docker-archive:{tmp_path}/saved.tar:made:one"
        output_of(*skopeo, f"oci:{made}:made", saved)
        output_of(*skopeo, saved.removesuffix(":made:one"), f"oci:{copy}:made")
    else:
        compress = ("--dest-compress", f"--dest-compress-format={form}")
        output_of(*skopeo, *compress, f"oci:{made}:made", f"oci:{copy}:made")
    other = every_byte(copy)
    assert other.sizes.transfer != contents.sizes.transfer
    assert other.sizes.unpacked == contents.sizes.unpacked
    assert other.sizes.effective == contents.sizes.effective
    assert [(item.entry.path, item.owner, item.hidden_by) for item in other.items] == [
        (item.entry.path, item.owner, item.hidden_by) for item in contents.items
    ]


def test_docker_calls_size_what_all_layers_hold(
    made: Path,
    tmp_path: Path,
    tool: Callable[[str], str],
    every_byte: EveryByte,
    docker_client: tuple[Path, dict[str, str]],
) -> None:
    """The classic stores of Docker 20.10: overlay2 adds what symbolic links name, vfs does not."""
    docker, environment = docker_client
    saved = tmp_path / "saved.tar"
    skopeo = (tool("skopeo"), "--insecure-policy", "copy", "--quiet")
    output_of(*skopeo, f"oci:{made}:made", f"docker-archive:{saved}:wheelship-sizes:one")
    output_of(docker, "load", "--input", saved, env=environment)
    try:
        size = output_of(
            docker, "inspect", "--format={{.Size}}", "wheelship-sizes:one", env=environment
        )
        driver = output_of(docker, "info", "--format={{.Driver}}", env=environment)
    finally:
        output_of(docker, "rmi", "wheelship-sizes:one", env=environment)
    contents = every_byte(made)
    targets = [item.entry.target for item in contents.items if item.entry.kind == "symlink"]
    assert sorted(targets) == ["one.so", "usr/lib"]
    links = sum(map(len, targets)) if driver == "overlay2" else 0
    assert int(size) == contents.content_bytes + links
