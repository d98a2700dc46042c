# SPDX-License-Identifier: Apache-2.0
"""What we make of real wheels is what pip and uv install, but for the written list.

Compared are paths, kinds, permission bits, bytes, and RECORD row by row (``compare.py``). What may
differ, and why, stands in ``rules.toml``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import posixpath
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from parity.compare import differences, own_defects, row_of
from parity.made import made_wheels
from parity.rules import explain, read_rules
from parity.run import Compared, compare_all, unused
from parity.tree import Item, Tree
from parity.wheels import PYTHON, DownloadFailed, Pin, default_folder, fetch, read_list

HERE = Path(__file__).parent
PINS = read_list(HERE / "wheels.txt")
RULES = read_rules(HERE / "rules.toml")
DOCUMENT = HERE.parents[1] / "docs" / "explanation" / "parity.md"


@pytest.fixture(scope="session")
def compared(
    request: pytest.FixtureRequest,
    missing: Callable[[str], NoReturn],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Compared]:
    """Compare the real wheels that the chosen tests ask for, and all made ones."""
    here = (f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine(), sys.platform)
    if here != (PYTHON, "x86_64", "linux"):
        missing(f"the wheels are for Python {PYTHON} on Linux x86-64")
    tests = request.session.items
    everything = any(item.name == test_every_entry_of_the_list_is_needed.__name__ for item in tests)
    pins = [pin for pin in PINS if everything or any(name(pin) in item.name for item in tests)]
    pip = next(pin for pin in PINS if pin[0] == "pip")
    try:
        files = fetch([pip, *pins], default_folder())
    except DownloadFailed as error:
        missing(f"the package index does not answer: {error}")
    folder = tmp_path_factory.mktemp("made")
    wheels = [*(files[pin] for pin in pins), *(made.write(folder) for made in made_wheels())]
    found = compare_all(wheels, RULES, files[pip], os.cpu_count() or 1)
    names = [*map(name, pins), *(wheel.name for wheel in wheels[len(pins) :])]
    return dict(zip(names, found, strict=True))


def name(pin: Pin) -> str:
    return "==".join(pin)


@pytest.mark.integration
@pytest.mark.parametrize("pin", PINS, ids=name)
def test_a_real_wheel_installs_as_pip_and_uv_install_it(
    pin: Pin, compared: Mapping[str, Compared]
) -> None:
    """STYLE §2.16, parity: the layer unpacks to what the reference installers make."""
    one = compared[name(pin)]
    assert one.problems == []
    assert one.refused == {}
    assert min(one.files["pip"], one.files["uv"]) > 3


@pytest.mark.integration
@pytest.mark.parametrize("filename", [made.filename for made in made_wheels()])
def test_a_made_wheel_installs_as_pip_and_uv_install_it(
    filename: str, compared: Mapping[str, Compared]
) -> None:
    """What the real wheels do not happen to hold; whom we refuse is on the list, too."""
    assert compared[filename].problems == []


@pytest.mark.integration
def test_every_entry_of_the_list_is_needed(compared: Mapping[str, Compared]) -> None:
    assert unused(RULES, [*compared.values()]) == []


def test_there_are_enough_wheels() -> None:
    pins = [*PINS, *read_list(HERE / "wheels-large.txt")]
    assert len(PINS) >= 220
    assert len(pins) == len(set(pins))


def test_the_list_is_documented() -> None:
    """``scripts/parity --all --write`` does it, with figures."""
    text = DOCUMENT.read_text()
    for rule in RULES.differences:
        assert f"| {rule.title} |" in text
        assert f"| {rule.reason} |" in text
    for refusal in RULES.refusals:
        assert f"| {refusal.wheel.removesuffix('-*')} | {', '.join(refusal.by)} |" in text
        assert refusal.reason in text


# --- the comparison itself ---

SITE = f"lib/python{PYTHON}/site-packages"
RECORD = f"{SITE}/demo-1.0.dist-info/RECORD"
MODULE = f"{SITE}/demo.py"


def file(data: bytes, mode: int = 0o644) -> Item:
    digest = hashlib.sha256(data).hexdigest()
    return Item(kind="file", mode=mode, size_bytes=len(data), content=digest, data=data)


def tree(**changes: Item | None) -> Tree:
    """An installed package; ``None`` takes a file away, RECORD stays true of the rest."""
    items: dict[str, Item | None] = {
        MODULE: file(b"value = 1\n"),
        "bin/demo": file(b"#!/x/bin/python\nfrom demo import main\nsys.exit(main())\n", 0o755),
        f"{SITE}/demo-1.0.dist-info/INSTALLER": file(b"somebody\n"),
    }
    found = {path: item for path, item in (items | changes).items() if item is not None}
    rows = [
        ",".join((posixpath.relpath(path, SITE), *row_of(item)))
        for path, item in found.items()
        if item.kind == "file"
    ]
    record = file("\n".join([*rows, "demo-1.0.dist-info/RECORD,,", ""]).encode())
    return found | {RECORD: record}


def unexplained(theirs: Tree, ours: Tree, installer: str = "pip") -> list[str]:
    return [
        f"{one.aspect} {one.path.rpartition('/')[2]}"
        for one in differences(theirs, ours)
        if explain(RULES.differences, installer, one) is None
    ]


def test_equal_trees_do_not_differ() -> None:
    assert list(differences(tree(), tree())) == []
    assert list(own_defects(tree(), "demo-1.0.dist-info", {MODULE})) == []


SCRIPT = b"#!/x/bin/python\nimport sys\nfrom %b import %b\nif x:\n    sys.exit(%b())\n"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({MODULE: None}, ["only theirs demo.py"]),
        ({f"{SITE}/more.py": file(b"")}, ["only ours more.py"]),
        ({MODULE: file(b"value = 2\n")}, ["content demo.py"]),
        ({MODULE: file(b"value = 1\n", 0o755)}, ["mode demo.py"]),
        ({MODULE: Item(kind="link", content="x")}, ["kind demo.py"]),
        ({"bin/demo": file(SCRIPT % (b"demo", b"other", b"other"), 0o755)}, ["content demo"]),
        ({"bin/demo": file(SCRIPT[3:] % (b"demo", b"main", b"main"), 0o755)}, ["content demo"]),
        ({"bin/demo": file(SCRIPT % (b"demo", b"main", b"main"), 0o644)}, ["mode demo"]),
        ({"bin/demo": file(SCRIPT % (b"demo", b"main", b"main"), 0o755)}, []),
        ({f"{SITE}/demo-1.0.dist-info/INSTALLER": file(b"wheelship\n")}, []),
        ({f"{SITE}/demo-1.0.dist-info/METADATA": file(b"")}, ["only ours METADATA"]),
    ],
)
def test_a_difference_that_is_not_on_the_list_is_found(
    changes: dict[str, Item | None], found: list[str]
) -> None:
    assert unexplained(tree(), tree(**changes)) == found


def test_a_row_of_record_needs_the_difference_of_its_file() -> None:
    ours = tree()
    text = ours[RECORD].data.replace(b",10", b",11")
    changed = ours | {RECORD: replace(ours[RECORD], data=text)}
    assert unexplained(tree(), changed) == ["row demo.py"]
    assert list(own_defects(changed, "demo-1.0.dist-info", {MODULE})) != []
    phantom = ours | {RECORD: replace(ours[RECORD], data=ours[RECORD].data + b"gone.py,,\n")}
    assert unexplained(tree(), phantom) == ["row gone.py"]
    assert unexplained(phantom, tree(), "uv") == ["row gone.py"]
    assert unexplained(phantom, tree(), "pip") == [], "pip keeps such rows"


def test_our_own_tree_is_complete() -> None:
    def defects(ours: Tree, modules: set[str]) -> list[str]:
        return list(own_defects(ours, "demo-1.0.dist-info", modules))

    more = f"{SITE}/more.py"
    assert defects(tree() | {more: file(b"")}, {MODULE, more}) == [
        f"RECORD lacks or invents {more}"
    ]
    assert defects(tree(), set()) == [f"compiled or not: {MODULE}"]
    assert defects(tree(), {MODULE, more}) == [f"compiled or not: {more}"]
