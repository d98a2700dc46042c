# SPDX-License-Identifier: Apache-2.0
"""Measures ``wheelship inspect`` of a large image beside ``gzip | tar -t`` over the same layers."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from document import machine_facts
from usage import Usage, measure

__all__ = ["joined", "main", "table"]

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "explanation" / "performance.md"
MARKS = ("<!-- scan begin -->\n", "<!-- scan end -->\n")
GZIP_MAGIC = b"\x1f\x8b"


def main() -> None:
    """Measure, print the table and, on request, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layouts", nargs="+", type=Path, metavar="LAYOUT")
    parser.add_argument("--write", action="store_true", help=f"update {TABLE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    wheelship = str(Path(sys.executable).with_name("wheelship"))
    beside = arguments.layouts[0].absolute().parent  # blobs are linked, not copied
    with tempfile.TemporaryDirectory(prefix="wheelship-bench-", dir=beside) as name:
        work = Path(name)
        blobs = joined(arguments.layouts, work / "image")
        for blob in blobs:
            _warm(blob)
        inspect = [wheelship, "inspect", f"oci:{work / 'image'}", "--json", "--quiet"]
        inspect += ["--store", str(work / "store")]
        rows = [
            ("`gzip -dc`, nothing else", measure(_shell(blobs, "cat")).usage),
            ("`gzip -dc` into `tar -t`", measure(_shell(blobs, "tar -t")).usage),
        ]
        first = measure(inspect)
        rows += [
            ("`wheelship inspect`, first time", first.usage),
            ("`wheelship inspect`, again", measure(inspect).usage),
        ]
    text = table(rows, json.loads(first.output), machine_facts())
    sys.stdout.write(text)
    if arguments.write:
        pattern = re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1])
        new = MARKS[0] + text + MARKS[1]
        TABLE.write_text(
            re.sub(pattern, lambda _: new, TABLE.read_text(), count=1, flags=re.DOTALL)
        )


def joined(layouts: Sequence[Path], destination: Path) -> list[Path]:
    """Make a layout of one image with the layers of all ``layouts``; return its layer blobs.

    The images lie on one another, lowest first: what is measured is reading, not what they are.
    """
    place = destination / "blobs" / "sha256"
    place.mkdir(parents=True)
    layers: list[dict[str, Any]] = []
    diff_ids: list[str] = []
    config: dict[str, Any] = {}
    for layout in layouts:
        manifest = _manifest(layout)
        config = json.loads(_blob(layout, manifest["config"]).read_bytes())
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            target = _blob(destination, layer)
            if not target.exists():
                os.link(_blob(layout, layer), target)
                layers.append(layer)
                diff_ids.append(diff_id)
    config["rootfs"]["diff_ids"] = diff_ids
    config.pop("history", None)
    described = _put(destination, config, "application/vnd.oci.image.config.v1+json")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": layers}
    index = {"schemaVersion": 2, "manifests": [_put(destination, manifest, kind)]}
    (destination / "index.json").write_text(json.dumps(index))
    (destination / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return [_blob(destination, layer) for layer in layers]


def table(
    rows: Sequence[tuple[str, Usage]], document: dict[str, Any], machine: dict[str, str]
) -> str:
    """Return what was measured, for people; the second row is what the others are held against."""
    sizes = document["sizes"]
    against = rows[1][1]
    what = (
        f"{len(document['layers'])} layers, {sizes['unpacked_bytes'] / 1e9:.1f} GB unpacked, "
        f"{sizes['transfer_bytes'] / 1e9:.1f} GB compressed; {machine['cores']} cores, load before "
        f"{machine['load before']}."
    )
    lines = [
        what,
        "",
        "| what | seconds | of `tar -t` | CPU seconds | of `tar -t` | peak memory, MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, usage in rows:
        seconds = f"{usage.seconds:.1f} | {usage.seconds / against.seconds:.2f}"
        cpu = f"{usage.cpu_seconds:.1f} | {usage.cpu_seconds / against.cpu_seconds:.2f}"
        lines.append(f"| {name} | {seconds} | {cpu} | {usage.peak_bytes / 1e6:.0f} |")
    return "\n".join(lines) + "\n"


def _shell(blobs: Sequence[Path], reader: str) -> list[str]:
    def packed(blob: Path) -> bool:
        with blob.open("rb") as file:
            return file.read(2) == GZIP_MAGIC

    lines = [
        f"{'gzip -dc' if packed(blob) else 'cat'} {shlex.quote(str(blob))} | {reader} >/dev/null"
        for blob in blobs
    ]
    return ["bash", "-ec", "set -o pipefail\n" + "\n".join(lines)]


def _warm(blob: Path) -> None:
    """Bring the file into the page cache, so that no side waits for the disk."""
    with blob.open("rb") as file:
        while file.read(1 << 20):
            pass


def _blob(layout: Path, descriptor: dict[str, Any]) -> Path:
    algorithm, _, encoded = str(descriptor["digest"]).partition(":")
    return layout / "blobs" / algorithm / encoded


def _manifest(layout: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((layout / "index.json").read_bytes())
    while "manifests" in document:
        document = json.loads(_blob(layout, document["manifests"][0]).read_bytes())
    return document


def _put(layout: Path, document: dict[str, Any], media_type: str) -> dict[str, Any]:
    from wheelship.oci.digest import Digest

    data = json.dumps(document).encode()
    descriptor = {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}
    _blob(layout, descriptor).write_bytes(data)
    return descriptor


if __name__ == "__main__":
    main()
