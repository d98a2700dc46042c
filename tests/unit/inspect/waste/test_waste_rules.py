# SPDX-License-Identifier: Apache-2.0
"""All rules together: no byte counts twice, whatever is in the image."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wheelship.inspect.waste
from wheelship.inspect.model import (
    DebugFacts,
    DeviceFacts,
    Expectation,
    Facts,
    Finding,
    Item,
    Owner,
    PycFacts,
    Sizes,
)
from wheelship.inspect.waste.account import Account
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.rules import RULES, find_waste
from wheelship.testing.inspection import Made, make_contents

CONFIGURATION = Path(__file__).parents[4] / "docs/reference/configuration.md"
_KEY = re.compile(r"\b([a-z]+(?:-[a-z]+)*) = ")
SITE = "opt/venv/lib/python3.11/site-packages"
BIG = 10_000_000
OWNERS = (
    Owner("unknown", "unknown"),
    Owner("application", "app"),
    Owner("generated", "bytecode"),
    Owner("debian", "gcc-12", "12.2"),
    Owner("debian", "libcublas-12-8", "12.8"),
    Owner("python", "torch", "2.13.0+cpu"),
    Owner("python", "torch", "2.13.0+cu128"),
    Owner("python", "nvidia-cublas-cu12", "12.8"),
    Owner("python", "nvidia-cublas", "13.1"),
    Owner("python", "numpy", "2.3"),
)


def total(findings: tuple[Finding, ...]) -> Sizes:
    return sum((one.sizes for one in findings), Sizes())


def test_a_library_counts_for_one_rule_in_parts() -> None:
    """Symbols and device code of one file add up to no more than the file."""
    layer = [
        Made(
            f"{SITE}/torch/lib/libtorch_cuda.so",
            BIG,
            owner=Owner("python", "torch", "2.13.0+cu130"),
            facts=(DebugFacts(8_000_000), DeviceFacts((("sm_75", 8_000_000),))),
        )
    ]
    found = find_waste(make_contents(layer), Expectation(gpu_targets=("sm_90",)))
    assert [one.code for one in found] == ["debug-symbols", "unwanted-gpu-code"]
    assert total(found).effective == BIG


def test_precedence_decides_who_has_a_byte() -> None:
    """A header in ``.git`` in a test suite in a cache belongs to the history."""
    layer = [Made("root/.cache/pip/tests/.git/x.h", BIG)]
    assert [one.code for one in find_waste(make_contents(layer), Expectation())] == [
        "git-directory"
    ]


def test_findings_are_sorted_by_unpacked_bytes() -> None:
    layer = [Made("app/.git/x", BIG), Made("root/.cache/pip/x", 3 * BIG), Made("tmp/x", 2 * BIG)]
    found = find_waste(make_contents(layer), Expectation())
    assert [one.code for one in found] == [
        "package-manager-cache",
        "leftover-files",
        "git-directory",
    ]


def test_at_most_a_hundred_places_are_listed() -> None:
    layer = [Made(f"app{number:03}/.git/x", number * 100) for number in range(150)]
    (found,) = find_waste(make_contents(layer), Expectation())
    assert len(found.paths) == 100
    assert found.place_count == 150
    assert found.paths[0] == "app149/.git"


def test_a_hostile_site_cannot_run_what_it_likes_when_a_fix_is_pasted() -> None:
    torch = Owner("python", 'torch" = 1 #', "2.13.0")
    odd = "opt/x; rm -rf ~ #/site-packages"
    layer = [Made(f"{odd}/torch/include/x.h", BIG, owner=torch)]
    layer.append(Made("opt/\nwheelship: x/site-packages/numpy/y.so", 2 * BIG, owner=OWNERS[-1]))
    (found,) = find_waste(make_contents(layer), Expectation())
    dockerfile, wheelship = found.fix.splitlines()
    assert f"find '/{odd}' -path" in dockerfile
    (omit,) = tomllib.loads(wheelship.removeprefix("wheelship: "))["omit"]
    assert omit == torch.name


class Counted(list[Item]):
    """Counts how often it is gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[Item]:
        self.rounds += 1
        return super().__iter__()


def test_names_of_one_content_are_looked_at_once_for_all() -> None:
    """A tree of hard links has a hundred thousand of them."""
    links = [Made(f"b{at}", entry="hardlink", target="a", size=600) for at in range(50)]
    contents = make_contents([Made("a", BIG), *links])
    items = [item for item in contents.items if item.entry.kind in ("file", "hardlink")]
    names = Counted(items[1:])
    parts = tuple(Part(item, item.entry.path) for item in items)
    claim = Claim(title="", reason="", fix="", parts=parts)
    found = Account({(0, "a"): names}).settle(RULES[0], claim)
    assert found is not None
    assert len(found.paths) == 51
    assert names.rounds == 1


def test_a_lean_image_has_no_findings() -> None:
    layer = [
        Made("usr/lib/python3.11/os.py", 40_000),
        Made(f"{SITE}/numpy/__init__.py", 20_000, owner=Owner("python", "numpy", "2.3")),
        Made(f"{SITE}/numpy/core.so", BIG, owner=Owner("python", "numpy", "2.3")),
        Made("app/service.py", 2000, owner=Owner("application", "app")),
        Made("var/lib/dpkg/status.d/libc6", 2000),
    ]
    assert find_waste(make_contents(layer), Expectation(accelerator="cpu")) == ()


PARTS = st.sampled_from(
    [".git", ".cache", "pip", "tests", "test_x.py", "include", "x.h", "x.a", "torch", "lib", "usr",
     "tmp", "python3.11", "os.py", "__pycache__", "os.cpython-311.pyc", "os.pyc", "site-packages",
     "libcublas.so.12", "libcublas.so.13", "x.whl", "share", "doc", "x", "local", "cuda-12", "..x",
     "\x1b[31m", "\udcff", "</script>", "bin", "python3.12", "conda", "opt", "pkgs", "x.debug"]
)  # fmt: skip
PATHS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=6).map("/".join),
    st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: f"{SITE}/{'/'.join(parts)}"),
    st.sampled_from(["usr/lib/python3.11/os.py", "usr/local/lib/python3.12/os.py"]),
)
COUNTS = st.integers(0, 30_000_000)
FACTS: st.SearchStrategy[Facts] = st.one_of(
    st.builds(PycFacts, st.integers(3400, 3600), st.booleans(), COUNTS, COUNTS),
    st.builds(DebugFacts, COUNTS),
    st.builds(
        DeviceFacts,
        st.lists(
            st.tuples(st.sampled_from(["sm_75", "sm_90", "compute_90", "gfx942", "odd"]), COUNTS),
            max_size=3,
        ).map(tuple),
        st.booleans(),
    ),
)
MADE = st.builds(
    Made,
    PATHS,
    COUNTS,
    owner=st.sampled_from(OWNERS),
    kind=st.sampled_from(["data", "shared-object", "executable", "metadata"]),
    entry=st.sampled_from(["file", "file", "file", "whiteout", "hardlink", "directory", "symlink"]),
    target=PATHS,
    facts=st.lists(FACTS, max_size=2).map(tuple),
    content=st.sampled_from([b"one", b"two", None]),
    mtime=COUNTS,
)
EXPECTATIONS = st.builds(
    Expectation,
    accelerator=st.sampled_from([None, "cpu", "cuda", "rocm"]),
    gpu_targets=st.sampled_from([(), ("sm_90",), ("gfx942", "sm_75")]),
)


@given(
    layers=st.lists(
        st.lists(MADE, max_size=8, unique_by=lambda one: one.path), min_size=1, max_size=3
    ),
    expectation=EXPECTATIONS,
)
def test_findings_never_exceed_the_image(
    layers: list[list[Made]], expectation: Expectation
) -> None:
    """In each of the three sizes; and the order of equal images is the same."""
    contents = make_contents(*layers)
    found = find_waste(contents, expectation)
    sizes = total(found)
    files = sum((item.sizes for item in contents.items if _is_content(item)), Sizes())
    assert sizes.transfer <= files.transfer
    assert sizes.unpacked <= files.unpacked
    assert sizes.effective <= files.effective
    for one in found:
        assert min(one.sizes.transfer, one.sizes.unpacked, one.sizes.effective) >= 0
        assert one.paths
        assert one.title
        assert one.reason
        assert one.fix.count("\n") == 1
    assert find_waste(make_contents(*layers), expectation) == found


def _is_content(item: Item) -> bool:
    return item.entry.kind in ("file", "hardlink")


def test_each_rule_lives_in_the_module_of_its_code() -> None:
    directory = Path(wheelship.inspect.waste.__file__).parent
    modules = {path.stem for path in directory.glob("*.py")}
    shared = {"__init__", "account", "advice", "devices", "model", "places", "rules", "subject"}
    assert {rule.code.replace("-", "_") for rule in RULES} == modules - shared


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_each_rule_says_what_it_is(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.code)
    assert rule.title
    assert rule.about.endswith(".")
    assert rule.fix.endswith(".")
    assert rule.minimum_bytes > 0


def test_every_fix_names_keys_of_the_configuration() -> None:
    """In an image that has all kinds of waste; the keys are those that the reference lists."""
    torch = Owner("python", "torch", "2.13.0+cu130")
    device = (DebugFacts(BIG), DeviceFacts((("sm_75", BIG),)))
    contents = make_contents(
        [
            Made("gone", BIG),
            Made("usr/lib/python3.11/os.py", BIG),
            Made("app/one", BIG, content=b"1"),
        ],
        [
            Made("gone", entry="whiteout"),
            Made("app/.git/HEAD", 20),
            Made("root/.cache/pip/x", BIG),
            Made("opt/rocm/lib/libamdhip64.so", BIG),
            Made("usr/local/cuda/lib64/libcublas.so.13", BIG),
            Made("usr/local/lib/python3.12/os.py", BIG),
            Made("usr/bin/gcc", BIG, owner=Owner("debian", "gcc-12", "12")),
            Made("tmp/x", BIG),
            Made("x.deb", BIG),
            Made("usr/share/man/x", BIG),
            Made(f"{SITE}/torch/test/test_x.py", BIG, owner=torch),
            Made(f"{SITE}/torch/include/x.h", BIG, owner=torch),
            Made(f"{SITE}/torch/lib/x.a", BIG, owner=torch),
            Made(f"{SITE}/torch/__pycache__/x.cpython-311.pyc", BIG),
            Made(f"{SITE}/torch/lib/libtorch_cuda.so", 3 * BIG, owner=torch, facts=device),
            Made(f"{SITE}/nvidia/cu13/lib/libcublas.so.13", BIG, owner=OWNERS[-2]),
            Made("app/two", BIG, content=b"1"),
        ],
    )
    cuda = find_waste(contents, Expectation(accelerator="cuda", gpu_targets=("sm_90",)))
    cpu = find_waste(contents, Expectation(accelerator="cpu"))
    assert {one.code for one in (*cuda, *cpu)} == {rule.code for rule in RULES}
    keys = set(re.findall(r"`([a-z-]+)`", CONFIGURATION.read_text()))
    told = [one.fix.partition("\nwheelship: ")[2] for one in (*cuda, *cpu)]
    told += [rule.fix for rule in RULES]
    named = {key for text in told for key in _KEY.findall(re.sub(r"\{.*?\}", "{}", text))}
    assert {"omit", "exclude", "base", "find-links", "app", "python"} <= named
    assert named <= keys
