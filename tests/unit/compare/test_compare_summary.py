# SPDX-License-Identifier: Apache-2.0
"""Images in sums, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wheelship.compare.baseline import (
    InvalidBaseline,
    baseline_document,
    counterpart,
    read_baseline,
)
from wheelship.compare.summary import Summary
from wheelship.inspect.measure import total
from wheelship.inspect.model import Owner
from wheelship.oci.config import ImageConfig
from wheelship.oci.platform import Platform
from wheelship.testing.inspection import Made, make_contents

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "schema" / "baseline.json"
TORCH = Owner("python", "torch", "2.13.0+cpu")
LIBC = Owner("debian", "libc6", "2.36")
LAYERS = (
    [Made("lib/libc.so.6", 2000, LIBC, "shared-object")],
    [
        Made("opt/torch/_C.so", 90_000, TORCH, "shared-object"),
        Made("opt/torch/__init__.py", 500, TORCH, "python"),
    ],
)


def summary() -> Summary:
    return Summary.of(make_contents(*LAYERS))


def variant(name: str, architecture: str = "amd64", reference: str = "oci:made") -> Summary:
    config = ImageConfig(
        platform=Platform(architecture), diff_ids=(), labels=(("wheelship.variant", name),)
    )
    contents = make_contents(*LAYERS, reference=reference, config=config)
    return Summary.of(contents)


def save(path: Path, *summaries: Summary) -> Path:
    path.write_text(json.dumps(baseline_document(summaries)))
    return path


def test_rows_are_the_owners_and_kinds_and_add_up() -> None:
    one = summary()
    assert [(row.owner.type, row.owner.name, row.files) for row in one.owners] == [
        ("debian", "libc6", 1),
        ("image", "image", 0),
        ("python", "torch", 2),
    ]
    assert [(row.kind, row.sizes.effective) for row in one.kinds] == [
        ("python", 500),
        ("shared-object", 92_000),
        ("structure", 0),
    ]
    assert total(row.sizes for row in one.owners) == one.sizes
    assert total(row.sizes for row in one.kinds) == one.sizes
    assert sum(one.blobs.values()) == one.sizes.transfer
    assert one.packages == 2


def test_what_is_saved_is_what_is_read_and_fits_the_schema(tmp_path: Path) -> None:
    written = (summary(), variant("cuda", "arm64"), replace(summary(), digest=None))
    path = save(tmp_path / "baseline.json", *written)
    jsonschema.validate(json.loads(path.read_text()), json.loads(SCHEMA.read_text()))
    assert read_baseline(path) == written


def test_names_that_are_no_unicode_can_be_saved(tmp_path: Path) -> None:
    raw = "caf\udce9"  # bytes of a path that are no UTF-8, as Python has them
    made = make_contents([Made("a", 1, Owner("python", raw, raw))], reference=f"oci-archive:{raw}")
    long = replace(made.layers[0], created_by=f"RUN {raw} {'x' * 10_000}")
    contents = replace(made, layers=(long,))
    one = Summary.of(contents)
    path = save(tmp_path / "baseline.json", one)
    json.dumps(json.loads(path.read_text()), ensure_ascii=False).encode("utf-8")
    assert read_baseline(path) == (one,)
    assert "caf\\udce9" in {row.owner.name for row in one.owners}
    assert len(one.layers[0].created_by) < 320


def test_equal_images_give_equal_files(tmp_path: Path) -> None:
    backwards = Summary.of(make_contents(LAYERS[0], list(reversed(LAYERS[1]))))
    forwards = summary()
    assert backwards.owners == forwards.owners
    assert (
        save(tmp_path / "a", forwards).read_bytes() == save(tmp_path / "b", forwards).read_bytes()
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda image: image.pop("owners"), "images[0]: owners is missing"),
        (lambda image: image.update(layers={}), "layers is of another type"),
        (lambda image: image["layers"].insert(0, 3), "layers[0] is no table"),
        (lambda image: image["layers"][1].update(digest="md5:00"), "layers[1]: digest: "),
        (lambda image: image.update(platform="plan9/mips"), "platform: unknown platform"),
        (lambda image: image.update(transfer_bytes=-1), "transfer_bytes is no number"),
        (lambda image: image.update(transfer_bytes=True), "transfer_bytes is no number"),
        (lambda image: image.update(transfer_bytes=2**63), "transfer_bytes is no number"),
        (lambda image: image.update(transfer_bytes=1.5), "transfer_bytes is of another type"),
        (lambda image: image["owners"][0].update(type="conda"), "no type 'conda' of owners"),
        (lambda image: image["owners"].pop(), "the owners of 'oci:made' do not add up"),
        (lambda image: image["kinds"].pop(), "the kinds of 'oci:made' do not add up"),
    ],
)
def test_a_damaged_baseline_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    document = baseline_document([summary()])
    change(document["images"][0])
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidBaseline) as caught:
        read_baseline(path)
    assert says in caught.value.message
    assert caught.value.where == str(path)
    assert str(caught.value.hint).startswith("save it anew: wheelship compare")


@pytest.mark.parametrize(
    ("data", "says", "hint"),
    [
        (b"", "is no JSON document", "save it anew"),
        (b"[" * 200_000, "is no JSON document", "save it anew"),
        (b"\xff\xfe\x00", "is no JSON document", "save it anew"),
        (b"[]", "is no baseline of wheelship", "save it anew"),
        (b'{"schema": "wheelship.build/1"}', "is no baseline of wheelship", "save it anew"),
        (b'{"schema": "wheelship.baseline/2"}', "does not know", "update wheelship"),
        (b'{"schema": "wheelship.baseline/1", "images": []}', "holds no image", "save it anew"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, data: bytes, says: str, hint: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(data)
    with pytest.raises(InvalidBaseline) as caught:
        read_baseline(path)
    assert says in caught.value.message
    assert str(caught.value.hint).startswith(hint)


def test_a_missing_baseline_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidBaseline) as caught:
        read_baseline(tmp_path / "none.json")
    assert (
        caught.value.hint == f"make it first: wheelship compare IMAGE --save {tmp_path}/none.json"
    )


def test_a_file_without_end_is_not_read_whole() -> None:
    with pytest.raises(InvalidBaseline, match="too large"):
        read_baseline(Path("/dev/zero"))


def test_the_counterpart_is_the_same_variant_for_the_same_platform() -> None:
    saved = (variant("cpu"), variant("cuda"), variant("cpu", "arm64"))
    there = variant("cpu", reference="registry:host/service:main")
    assert counterpart(there, saved, alone=False) is saved[0]
    assert counterpart(variant("cpu", "arm64"), saved, alone=False) is saved[2]
    assert counterpart(variant("rocm"), saved, alone=False) is None


def test_an_image_alone_takes_the_only_one_for_its_platform() -> None:
    image = replace(summary(), reference="oci:elsewhere")
    assert counterpart(image, [summary()], alone=True) == summary()
    assert counterpart(image, [summary()], alone=False) is None
    assert counterpart(image, [variant("cpu", "arm64")], alone=True) is None
    assert counterpart(image, [variant("cpu"), variant("cuda")], alone=True) is None
