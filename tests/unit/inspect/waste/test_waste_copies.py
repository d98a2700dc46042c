# SPDX-License-Identifier: Apache-2.0
"""What is there more than once: Pythons, packages, files."""

from __future__ import annotations

from wheelship.inspect.model import Owner
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

BIG = 3_000_000
VENV = "opt/venv/lib/python3.12/site-packages"
BYTECODE = Owner("generated", "bytecode")
NUMPY = Owner("python", "numpy", "2.3")
USED = [
    Made("usr/local/lib/python3.12/os.py", BIG),
    Made(f"{VENV}/numpy/core.so", BIG, owner=NUMPY),
]
DEBIAN = [
    Made("usr/lib/python3.11/os.py", BIG, owner=Owner("debian", "libpython3.11-stdlib", "3.11")),
    Made("usr/bin/python3.11", BIG, owner=Owner("debian", "python3.11-minimal", "3.11")),
    Made("usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", BIG),
    Made("usr/lib/x86_64-linux-gnu/libc.so.6", BIG),
]


def test_a_second_python() -> None:
    """The one without packages goes: library, program and shared library."""
    (found,) = waste("two-pythons", [*USED, *DEBIAN])
    assert found.title == "Python 3.11 beside Python 3.12"
    assert set(found.paths) == {
        "usr/lib/python3.11",
        "usr/bin/python3.11",
        "usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
    }
    assert found.sizes.effective == 3 * BIG


def test_one_python_is_enough() -> None:
    assert waste("two-pythons", USED) == []
    assert waste("two-pythons", DEBIAN) == []


def test_packages_installed_twice() -> None:
    other = "usr/local/lib/python3.12/site-packages"
    layer = [
        *USED,
        Made(f"{VENV}/scipy/x.so", 5 * BIG, owner=Owner("python", "scipy", "1")),
        Made(f"{other}/numpy/core.so", BIG, owner=Owner("python", "numpy", "2.2")),
        Made(f"{other}/numpy/core.py", BIG, owner=Owner("python", "numpy", "2.2")),
        Made(f"{other}/numpy/__pycache__/core.cpython-312.pyc", BIG, owner=BYTECODE),
        Made(f"{other}/pip/x.py", BIG, owner=Owner("python", "pip", "25")),
    ]
    (found,) = waste("two-pythons", layer)
    assert found.paths == (f"{other}/numpy",)
    assert "numpy" in found.reason
    assert found.sizes.effective == 3 * BIG


def test_identical_files_but_the_first() -> None:
    layers = (
        [Made("models/a.bin", BIG, content=b"model")],
        [Made("cache/a.bin", BIG, content=b"model"), Made("app/a.bin", BIG, content=b"model")],
    )
    (found,) = waste("identical-files", *layers)
    assert found.paths == ("app/a.bin", "cache/a.bin")
    assert "/models/a.bin" in found.reason
    assert found.sizes.effective == 2 * BIG


def test_hard_links_trifles_and_what_is_as_debian_made_it_are_no_copies() -> None:
    layer = [
        Made("a", BIG, content=b"model"),
        Made("b", entry="hardlink", target="a"),
        *(Made(f"pkg{number}/__init__.py", 1000, content=b"#") for number in range(5000)),
        *(
            Made(f"usr/share/{name}", BIG, content=b"perl", owner=Owner("debian", "perl", "5.36"))
            for name in "ab"
        ),
        *(Made(f"pkg{number}/LICENSE", 20_000, content=b"MIT") for number in range(500)),
    ]
    assert waste("identical-files", layer) == []


def test_a_copy_that_another_rule_claims_makes_no_pair() -> None:
    """When the cache goes there is only one left, and nothing more to save."""
    layer = [
        Made("root/.cache/pip/model.bin", BIG, content=b"model"),
        Made("srv/model.bin", BIG, content=b"model"),
    ]
    assert waste("identical-files", layer) == []
    assert len(waste("package-manager-cache", layer)) == 1
