# SPDX-License-Identifier: Apache-2.0
"""An image's contents: totals, documents, layers and their rows of the history."""

from __future__ import annotations

import pytest

from wheelship.inspect.contents import CONFIGURATION, MANIFEST, make_contents
from wheelship.inspect.model import Contents, Sizes
from wheelship.oci.config import History, ImageConfig
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.testing.contents import ScannedSource, entry, make_layer

LINKED = entry("b", "hardlink", target="a/x")
LAYERS = (
    make_layer([entry("a", "directory"), entry("a/x", size=1000), entry("a/y", size=600)]),
    make_layer([entry("a/x", size=10), entry("a/y", "whiteout"), LINKED]),
)


def contents(*history: History, **source: object) -> Contents:
    config = ImageConfig(platform=Platform("amd64"), diff_ids=(), history=history)
    made = ScannedSource(contents=LAYERS, config=config, **source)  # type: ignore[arg-type]
    return make_contents(made, LAYERS)


def row(text: str, *, empty: bool = False) -> History:
    return History(created_by=text, created="", empty_layer=empty)


def test_totals_are_those_of_the_blobs_the_archives_and_the_final_file_system() -> None:
    made = contents()
    documents = sum(item.entry.transfer_bytes for item in made.items if item.layer < 0)
    config = ImageConfig(platform=Platform("amd64"), diff_ids=())
    assert documents == len(ScannedSource(contents=LAYERS, config=config).config_bytes) + 13
    assert made.sizes == Sizes(
        sum(one.transfer_bytes for one in LAYERS) + documents,
        sum(one.unpacked_bytes for one in LAYERS),
        10,
    )
    assert made.content_bytes == 1610


def test_documents_are_items_of_no_layer_and_a_missing_manifest_is_none() -> None:
    made = contents()
    assert [item.entry.path for item in made.items if item.layer < 0] == [MANIFEST, CONFIGURATION]
    assert made.digest == Digest.of(b'{"made":true}')
    assert made.documents[1] == (made.digest, 13)
    without = contents(manifest_bytes=b"", as_transferred=False)
    assert without.documents == made.documents[:1]
    assert sum(size for _, size in without.documents) == without.items[0].entry.transfer_bytes
    assert [item.entry.path for item in without.items if item.layer < 0] == [CONFIGURATION]
    assert without.digest is None
    assert (made.transfer_known, without.transfer_known) == (True, False)


def test_items_say_what_became_of_them() -> None:
    fates = {
        (item.entry.path, item.layer): (item.effective_bytes, item.hidden_by, item.deleted)
        for item in contents().items
        if item.entry.kind in ("file", "hardlink")
    }
    assert fates == {
        ("a/x", 0): (0, 1, False),
        ("a/y", 0): (0, 1, True),
        ("a/x", 1): (10, None, False),
        ("b", 1): (0, None, False),
    }


def test_layers_have_their_own_sums_and_files() -> None:
    lower, upper = contents().layers
    assert (lower.digest, lower.diff_id) == (LAYERS[0].digest, LAYERS[0].diff_id)
    assert lower.sizes == Sizes(LAYERS[0].transfer_bytes, LAYERS[0].unpacked_bytes, 0)
    assert upper.sizes == Sizes(LAYERS[1].transfer_bytes, LAYERS[1].unpacked_bytes, 10)
    assert (lower.files, upper.files) == (2, 1)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((row("ADD"), row("ENV", empty=True), row("RUN"), row("CMD", empty=True)), ["ADD", "RUN"]),
        ((row("ADD"), row("RUN")), ["ADD", "RUN"]),
        ((), ["", ""]),
        ((row("only one"),), ["", ""]),
        ((row("ADD"), row("RUN"), row("too many")), ["", ""]),
    ],
)
def test_rows_of_the_history_go_to_the_layers_that_their_steps_made(
    history: tuple[History, ...], expected: list[str]
) -> None:
    assert [one.created_by for one in contents(*history).layers] == expected
