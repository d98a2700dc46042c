# SPDX-License-Identifier: Apache-2.0
"""TOML we write says what we meant; a lock we write gives back what went in."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wheelship.lock.document import render_lock
from wheelship.lock.inputs import LockInputs
from wheelship.lock.model import LockedWheel
from wheelship.lock.read import parse_lock
from wheelship.lock.selection import Selection, load_selection
from wheelship.lock.target import Target
from wheelship.lock.toml import array, inline_table, string, value
from wheelship.oci.platform import Platform

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TARGETS = [Target(python="3.11", platform=Platform(name)) for name in ("amd64", "arm64")]
DIRECTORY = Path("/work/project")


@given(TEXTS)
def test_any_text_is_a_string(text: str) -> None:
    """TOML 1.0: "Any Unicode character may be used except those that must be escaped"."""
    assert tomllib.loads(f"x = {string(text)}") == {"x": text}


@given(st.one_of(TEXTS, st.integers(), st.lists(TEXTS, max_size=20)))
def test_any_value_is_read_back(item: object) -> None:
    assert tomllib.loads(f"x = {value(item)}") == {"x": item}


@given(st.lists(TEXTS, max_size=8))
def test_tables_in_arrays(texts: list[str]) -> None:
    written = array(inline_table({"a": string(text), "b": "1"}) for text in texts)
    assert tomllib.loads(f"x = {written}") == {"x": [{"a": text, "b": 1} for text in texts]}


@st.composite
def selections(draw: st.DrawFn) -> dict[Target, tuple[LockedWheel, ...]]:
    names = draw(
        st.lists(st.from_regex(r"[a-z]{1,6}(-[a-z0-9]{1,4})?", fullmatch=True), unique=True)
    )
    chosen: dict[Target, tuple[LockedWheel, ...]] = {}
    versions = st.sampled_from(["1.0", "2.0.post1", "2.13.0+cpu", "3!1.0rc1"])
    shared = {name: (draw(versions), draw(st.booleans())) for name in names}
    for target in TARGETS:
        wheels = []
        for name in names:
            version, pure = shared[name]
            if not pure and draw(st.booleans()):
                version = draw(versions)
            tag = (
                "py3-none-any" if pure else f"cp311-cp311-manylinux_2_28_{target.platform.machine}"
            )
            filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
            local = draw(st.booleans()) if not pure else False
            wheels.append(
                LockedWheel(
                    name=name,
                    version=version,
                    filename=filename,
                    sha256=f"{hash(filename) & (2**256 - 1):064x}",
                    size_bytes=0 if pure else draw(st.integers(0, 2**40)),
                    url=None if local else f"https://example.org/{filename.replace('+', '%2B')}",
                    path=Path("/opt/wheels", filename) if local else None,
                    requires=tuple(sorted(names)[:2]),
                )
            )
        kept = [wheel for wheel in wheels if draw(st.booleans())]
        chosen[target] = tuple(sorted(kept, key=lambda wheel: wheel.name))
    return chosen


@given(selections(), st.lists(TEXTS, max_size=3))
def test_lock_gives_back_what_went_in(
    chosen: dict[Target, tuple[LockedWheel, ...]], requirements: list[str]
) -> None:
    inputs = LockInputs(
        python="3.11",
        platforms=("linux/amd64", "linux/arm64"),
        accelerator="cpu",
        builds="0",
        requirements=tuple(requirements),
    )
    text = render_lock(inputs, chosen, DIRECTORY)
    lock = parse_lock(text.encode(), DIRECTORY / "pylock.cpu.toml")
    for target, wheels in chosen.items():
        assert lock.select(target) == wheels
    assert lock.inputs == inputs
    lock.require_current(inputs)
    assert render_lock(inputs, dict(reversed(chosen.items())), DIRECTORY) == text


@given(selections())
def test_compact_form_gives_back_what_went_in(
    chosen: dict[Target, tuple[LockedWheel, ...]],
) -> None:
    for wheels in chosen.values():
        selection = Selection(request="sha256:x", packages=wheels)
        assert load_selection(selection.to_bytes()) == selection
