# SPDX-License-Identifier: Apache-2.0
"""How ``wheelship compare`` ends: the verdict, whoever reads the table, and what it says to run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wheelship.cli.comparing import Call, Done
from wheelship.cli.images import Access
from wheelship.cli.settings import Settings
from wheelship.compare.baseline import read_baseline
from wheelship.compare.comparison import against_first, side_by_side
from wheelship.compare.gate import Gates, LimitBroken, SizeLimit, Subject
from wheelship.compare.summary import Summary
from wheelship.oci.platform import Platform
from wheelship.testing.inspection import Made, make_contents

NONE = Gates()
LITTLE = Gates(limits=(SizeLimit(measure="unpacked", limit_bytes=1),))


def done(
    *images: str,
    gates: Gates = NONE,
    variants: tuple[str, ...] = (),
    platform: Platform | None = None,
    save: Path | None = None,
) -> Done:
    first, *others = [
        Subject(image=Summary.of(make_contents([Made("a", 1000 + at)], reference=image)))
        for at, image in enumerate(images)
    ]
    call = Call(
        images=images,
        variants=variants,
        platform=platform,
        baseline=None,
        save=save,
        gates=gates,
        by="package",
        measure=None,
        top=15,
        markdown=False,
        access=Access(),
    )
    comparison = (
        against_first(first.image, others, gates) if others else side_by_side([first], gates)
    )
    return Done(call=call, settings=Settings(environ={}), comparison=comparison)


@contextmanager
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stdout whose reader has left, as ``head`` does; no fixture: pytest sets its own after."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        yield


def test_a_limit_is_broken_whether_or_not_the_table_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unread(monkeypatch), pytest.raises(LimitBroken):
        done("oci:a", gates=LITTLE).show()


def test_a_baseline_is_saved_whether_or_not_the_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sizes.json"
    with unread(monkeypatch):
        done("oci:a", save=path).show()
    assert len(read_baseline(path)) == 1


def hint_of(one: Done) -> str:
    with pytest.raises(LimitBroken) as caught:
        one.show()
    assert caught.value.hint is not None
    return caught.value.hint


def test_the_hint_of_a_broken_limit_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``compare`` of one image refuses: it is compared with nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    alone = hint_of(done("oci:a b", gates=LITTLE, platform=Platform("arm64")))
    assert alone == (
        "see what it is made of: wheelship inspect 'oci:a b' --platform linux/arm64 --by package"
    )
    pair = hint_of(done("oci:a", "oci:b", gates=LITTLE))
    assert pair == "see all that changed: wheelship compare oci:a oci:b --top 100"
    project = hint_of(done(".", gates=LITTLE, variants=("cpu", "cuda")))
    assert project == (
        "see what there is: wheelship compare . --variant cpu --variant cuda --top 100"
    )
