# SPDX-License-Identifier: Apache-2.0
"""What differs between images, to the byte."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from wheelship.compare.difference import difference, ranked, unique_transfer_bytes
from wheelship.compare.summary import LayerSummary, Summary
from wheelship.inspect.measure import MEASURES, measured, total
from wheelship.inspect.model import Owner, Sizes
from wheelship.oci.digest import Digest
from wheelship.testing.inspection import Made, make_contents

LIBC = Owner("debian", "libc6", "2.36")
BASE = [Made("lib/libc.so.6", 2000, LIBC)]


def numpy(version: str, size: int) -> Made:
    return Made("opt/numpy.so", size, Owner("python", "numpy", version))


def image(*layers: list[Made]) -> Summary:
    return Summary.of(make_contents(*layers))


def uncompressed(one: Summary) -> Summary:
    """The same image as an engine exports it: other blobs, the same archives."""
    layers = tuple(
        replace(
            layer,
            digest=layer.diff_id,
            sizes=Sizes(layer.sizes.unpacked, layer.sizes.unpacked, layer.sizes.effective),
        )
        for layer in one.layers
    )
    return replace(one, transfer_known=False, layers=layers)


def test_owners_say_how_they_changed() -> None:
    old = [
        Made("a", 100, Owner("python", "same", "1")),
        Made("b", 100, Owner("python", "gone", "1")),
        Made("c", 100, Owner("python", "bumped", "1")),
        Made("d", 100, Owner("python", "patched", "1")),
        Made("e", 100, Owner("python", "twice", "1")),
    ]
    new = [
        Made("a", 100, Owner("python", "same", "1")),
        Made("c", 100, Owner("python", "bumped", "2")),
        Made("d", 900, Owner("python", "patched", "1")),
        Made("e", 100, Owner("python", "twice", "1")),
        Made("f", 100, Owner("python", "twice", "2")),
        Made("g", 100, Owner("python", "new", "1")),
        Made("h", 100, Owner("debian", "same", "1")),
    ]
    changes = {
        (one.type, one.name): (one.how, one.old, one.new)
        for one in difference(image(old), image(new)).owners
    }
    assert changes == {
        ("debian", "same"): ("added", (), ("1",)),
        ("image", "image"): ("same", ("",), ("",)),
        ("python", "bumped"): ("version", ("1",), ("2",)),
        ("python", "gone"): ("removed", ("1",), ()),
        ("python", "new"): ("added", (), ("1",)),
        ("python", "patched"): ("size", ("1",), ("1",)),
        ("python", "same"): ("same", ("1",), ("1",)),
        ("python", "twice"): ("version", ("1",), ("1", "2")),
    }


OWNERS = st.builds(
    Owner,
    st.sampled_from(("python", "debian", "unknown")),
    st.sampled_from("abc"),
    st.sampled_from(("", "1", "2")),
)
ENTRIES = st.builds(
    Made,
    st.sampled_from(("a", "b", "c/d", "c/e")),
    st.integers(0, 5000),
    OWNERS,
    st.sampled_from(("data", "python", "shared-object")),
    st.sampled_from(("file", "file", "file", "directory", "whiteout")),
)
IMAGES = st.lists(st.lists(ENTRIES, max_size=6), max_size=3)


@given(IMAGES, IMAGES)
def test_the_changes_add_up_to_the_whole_difference(
    first: list[list[Made]], second: list[list[Made]]
) -> None:
    """Every byte of the difference is explained, by owners, by kinds and by layers."""
    found = difference(image(*first), image(*second))
    assert total(one.after - one.before for one in found.owners) == found.sizes
    assert total(one.after - one.before for one in found.kinds) == found.sizes
    layers = total(one.after - one.before for one in found.layers)
    documents = [
        sum(blob.size_bytes for blob in one.documents) for one in (found.after, found.before)
    ]
    assert layers + Sizes(transfer=documents[0] - documents[1]) == found.sizes
    for measure in MEASURES:
        gains = [
            measured(one.after, measure) - measured(one.before, measure)
            for one in ranked(found.owners, measure)
        ]
        assert sum(gains) == measured(found.sizes, measure)
        assert all(gains)
        assert [abs(one) for one in gains] == sorted(map(abs, gains), reverse=True)


@given(IMAGES, IMAGES)
def test_there_and_back_is_nothing(first: list[list[Made]], second: list[list[Made]]) -> None:
    there = difference(image(*first), image(*second))
    back = difference(image(*second), image(*first))
    assert there.sizes + back.sizes == Sizes()
    assert there.shared_layers == back.shared_layers
    assert difference(image(*first), image(*first)).sizes == Sizes()


def test_a_pull_brings_the_layers_that_are_missing_and_both_documents() -> None:
    before, after = image(BASE, [numpy("1", 5000)]), image(BASE, [numpy("2", 9000)])
    found = difference(before, after)
    assert found.pull is not None
    assert found.pull.layers == 1
    documents = sum(one.size_bytes for one in after.documents)
    assert found.pull.transfer_bytes == after.layers[1].sizes.transfer + documents
    assert [(one.how, one.name) for one in found.layers] == [
        ("removed", "step 1"),
        ("shared", "step 0"),
        ("added", "step 1"),
    ]
    assert found.shared_layers == 1


def test_a_pull_of_the_same_image_brings_nothing() -> None:
    one = image(BASE)
    found = difference(one, one)
    assert found.pull is not None
    assert (found.pull.transfer_bytes, found.pull.layers) == (0, 0)


def test_a_configuration_in_common_is_not_pulled() -> None:
    before = image(BASE)
    renamed = Digest.of(b"a manifest with another annotation")
    configuration, manifest = before.documents
    after = replace(before, documents=(configuration, replace(manifest, digest=renamed)))
    found = difference(before, after)
    assert found.pull is not None
    assert found.pull.transfer_bytes == manifest.size_bytes


def test_a_layer_that_is_there_twice_is_pulled_once_and_matched_once() -> None:
    before = image(BASE)
    layer = before.layers[0]
    after = replace(before, layers=(layer, layer))
    found = difference(before, after)
    assert [one.how for one in found.layers] == ["shared", "added"]
    assert [one.how for one in difference(after, before).layers] == ["removed", "shared"]
    other = difference(image([numpy("1", 1)]), after)
    assert other.pull is not None
    documents = sum(one.size_bytes for one in after.documents)
    assert other.pull.transfer_bytes == layer.sizes.transfer + documents


def test_what_an_engine_exports_shares_its_archives() -> None:
    pushed = image(BASE, [numpy("1", 5000)])
    found = difference(uncompressed(pushed), pushed)
    assert found.shared_layers == 2
    assert found.pull is None
    # Compressed another way, the archives are the same and the blobs are not: both are pulled.
    squeezed = replace(
        pushed, layers=tuple(replace(one, digest=Digest.of(b"zstd")) for one in pushed.layers)
    )
    assert difference(pushed, squeezed).shared_layers == 0


def test_many_images_hold_every_blob_once() -> None:
    one, two = image(BASE, [numpy("1", 5000)]), image(BASE, [numpy("2", 9000)])
    shared = one.layers[0].sizes.transfer
    assert one.layers[0] == two.layers[0]
    assert isinstance(one.layers[0], LayerSummary)
    assert unique_transfer_bytes([one, two]) == (one.sizes.transfer + two.sizes.transfer - shared)
    assert unique_transfer_bytes([one, one]) == one.sizes.transfer
    assert unique_transfer_bytes([one, uncompressed(two)]) is None


def test_an_engine_s_image_is_known_by_its_source() -> None:
    contents = make_contents(BASE, transfer_known=False)
    assert not Summary.of(contents).transfer_known
