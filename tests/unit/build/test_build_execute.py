# SPDX-License-Identifier: Apache-2.0
"""The executor: reuse, repair, conflicts, cancellation, and what it leaves behind."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wheelship.build.errors import ConflictingFiles
from wheelship.build.execute import build_image
from wheelship.build.parcel import parcel_of
from wheelship.errors import NetworkError, WheelshipError
from wheelship.lock.model import LockedWheel
from wheelship.oci.validate import problems_of_layout
from wheelship.plan.model import LayerPlan
from wheelship.report.build import budget_excess
from wheelship.request.model import Budget
from wheelship.sink.deliver import deliver
from wheelship.sink.model import Tools
from wheelship.sink.output import LayoutOutput
from wheelship.store.layout import read_layout
from wheelship.testing.wheel import make_wheel

Two = tuple[LockedWheel, LockedWheel]
MakeLayer = Callable[..., LayerPlan]
MakeDirectories = Callable[[Sequence[str]], LayerPlan]


def test_a_built_image_is_valid_and_holds_what_was_planned(
    yard: Any, two_wheels: Two, layer: MakeLayer, directories: MakeDirectories, tmp_path: Path
) -> None:
    plan = yard.plan(*(layer(wheel) for wheel in two_wheels), directories(["/data"]))
    built = build_image(plan, yard.context)
    parcel = parcel_of(built, "demo:cpu", yard.store)
    deliver(parcel, [LayoutOutput(tmp_path / "dist")], Tools(), yard.events.append)
    # The hard links changed the blobs' change times; that must not look like damage.
    assert all(
        yard.store.find_record(one.key) == yard.store.find_layer(one.key) for one in plan.layers
    )
    assert problems_of_layout(tmp_path / "dist") == []
    stored = read_layout(tmp_path / "dist", "cpu")
    assert stored.config.user == "65532:65532"
    assert stored.config.stop_signal == "SIGINT"
    names: dict[str, tarfile.TarInfo] = {}
    for one in stored.layers:
        with tarfile.open(one.path) as archive:
            names |= {member.name: member for member in archive}
    assert names["opt/venv/bin/beta"].mode == 0o755
    assert names["opt/venv/lib/python3.11/site-packages/alpha/data.bin"].size == 512_000
    assert (names["data"].uid, names["data"].gid, names["data"].mode) == (65532, 0, 0o775)
    assert (names["app"].uid, names["app"].mode) == (0, 0o755)


def test_a_second_build_opens_no_wheel_and_says_that_it_reused(
    yard: Any, two_wheels: Two, layer: MakeLayer
) -> None:
    plan = yard.plan(*(layer(wheel) for wheel in two_wheels))
    first = build_image(plan, yard.context)
    assert yard.artifacts.asked == ["alpha", "beta"]
    assert [one.reused for one in first.layers] == [False, False]
    second = build_image(plan, yard.context)
    assert yard.artifacts.asked == ["alpha", "beta"]
    assert [one.reused for one in second.layers] == [True, True]
    assert second.image.descriptor == first.image.descriptor


def test_only_the_changed_layer_is_made(yard: Any, two_wheels: Two, layer: MakeLayer) -> None:
    alpha, beta = two_wheels
    first = build_image(yard.plan(layer(alpha), layer(beta)), yard.context)
    bumped = yard.lock(make_wheel("beta", "2.0"))
    second = build_image(yard.plan(layer(alpha), layer(bumped)), yard.context)
    assert [one.reused for one in second.layers] == [True, False]
    assert yard.artifacts.asked == ["alpha", "beta", "beta"]
    assert second.layers[0].layer == first.layers[0].layer


def test_equal_inputs_give_equal_bytes_in_another_store(
    yard: Any, two_wheels: Two, layer: MakeLayer, tmp_path: Path
) -> None:
    from dataclasses import replace

    from wheelship.store.store import Store

    plan = yard.plan(*(layer(wheel) for wheel in two_wheels))
    elsewhere = replace(yard.context, store=Store(tmp_path / "other"), jobs=1)
    here, there = build_image(plan, yard.context), build_image(plan, elsewhere)
    assert here.image.manifest_bytes == there.image.manifest_bytes


def test_a_damaged_blob_is_noticed_and_made_again(
    yard: Any, two_wheels: Two, layer: MakeLayer
) -> None:
    plan = yard.plan(layer(two_wheels[0]))
    built = build_image(plan, yard.context)
    blob = yard.store.blob(built.image.layers[0].descriptor.digest)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    again = build_image(plan, yard.context)
    assert [one.reused for one in again.layers] == [False]
    assert blob.read_bytes() != bytes(data)
    assert again.image == built.image


def test_two_wheels_that_disagree_on_a_file_are_refused_with_a_fix(
    yard: Any, layer: MakeLayer
) -> None:
    one = yard.lock(make_wheel("one", files={"shared/__init__.py": b"a = 1\n"}))
    two = yard.lock(make_wheel("two", files={"shared/__init__.py": b"a = 2\n"}))
    for plan in (yard.plan(layer(one, two)), yard.plan(layer(one), layer(two))):
        with pytest.raises(ConflictingFiles) as caught:
            build_image(plan, yard.context)
        assert "shared/__init__.py" in caught.value.message
        assert "one" in caught.value.message
        assert "two" in caught.value.message
        assert "exclude" in (caught.value.hint or "")


def test_a_file_where_another_layer_has_a_directory_is_refused(yard: Any, layer: MakeLayer) -> None:
    """An engine would silently replace one by the other, whichever comes later."""
    one = yard.lock(make_wheel("one", files={"shared": b"a file\n"}))
    two = yard.lock(make_wheel("two", files={"shared/module.py": b""}))
    for order in ((one, two), (two, one)):
        with pytest.raises(ConflictingFiles, match="holds a file where"):
            build_image(yard.plan(*map(layer, order)), yard.context)


def test_two_wheels_that_agree_on_a_file_share_it(yard: Any, layer: MakeLayer) -> None:
    files = {"shared/__init__.py": b"a = 1\n"}
    one = yard.lock(make_wheel("one", files=files))
    two = yard.lock(make_wheel("two", files=files))
    together = build_image(yard.plan(layer(one, two)), yard.context)
    apart = build_image(yard.plan(layer(one), layer(two)), yard.context)
    paths = [row.path for row in yard.store.index(together.plan.layers[0].key)]
    assert paths.count("opt/venv/lib/python3.11/site-packages/shared/__init__.py") == 1
    assert len(apart.layers) == 2


def test_the_first_failure_is_reported_and_leaves_nothing_half_written(
    yard: Any, two_wheels: Two, layer: MakeLayer
) -> None:
    yard.artifacts.missing.add("beta")
    plan = yard.plan(*(layer(wheel) for wheel in two_wheels))
    with pytest.raises(NetworkError) as caught:
        build_image(plan, yard.context)
    assert caught.value.where == "beta"
    assert yard.artifacts.abandoned
    yard.store.close()
    assert not list((yard.store.root / "tmp").iterdir())
    yard.artifacts.missing.clear()
    assert len(build_image(plan, yard.context).layers) == 2


def test_a_wheel_that_is_not_the_locked_one_is_refused(
    yard: Any, two_wheels: Two, layer: MakeLayer
) -> None:
    (yard.wheels / two_wheels[0].filename).write_bytes(make_wheel("alpha", "1.0").data)
    with pytest.raises(WheelshipError) as caught:
        build_image(yard.plan(layer(two_wheels[0])), yard.context)
    assert caught.value.code == "wrong-wheel"
    assert two_wheels[0].sha256 in caught.value.message
    assert not list((yard.store.root / "blobs" / "sha256").iterdir())


@pytest.mark.parametrize(
    ("budget", "broken"),
    [
        (Budget(transfer_bytes=100), ["transfer"]),
        (Budget(transfer_bytes=10_000_000, unpacked_bytes=1000), ["unpacked"]),
        (Budget(layers=1), ["layers"]),
        (Budget(transfer_bytes=10_000_000, unpacked_bytes=10_000_000, layers=2), []),
    ],
)
def test_budget_names_each_broken_limit(
    yard: Any, two_wheels: Two, layer: MakeLayer, budget: Budget, broken: list[str]
) -> None:
    plan = yard.plan(*(layer(wheel) for wheel in two_wheels), budget=budget)
    assert [one.what for one in budget_excess(build_image(plan, yard.context))] == broken
