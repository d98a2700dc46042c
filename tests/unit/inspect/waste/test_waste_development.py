# SPDX-License-Identifier: Apache-2.0
"""What only developers use: compilers, headers, static libraries, tests, debug symbols."""

from __future__ import annotations

import pytest

from wheelship.inspect.model import DebugFacts, Owner
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

SITE = "opt/venv/lib/python3.11/site-packages"
BIG = 2_000_000
TORCH = Owner("python", "torch", "2.13.0+cpu")
SYMPY = Owner("python", "sympy", "1.14.0")
BYTECODE = Owner("generated", "bytecode")


@pytest.mark.parametrize(
    "package",
    ["gcc-12", "g++", "cpp-12", "binutils-x86-64-linux-gnu", "libstdc++-12-dev", "libc6-dev",
     "cmake", "libpython3.11-dev", "rustc", "llvm-14-dev", "make", "gcc-12-x86-64-linux-gnu"],
)  # fmt: skip
def test_compilers_of_debian(package: str) -> None:
    (found,) = waste("compiler", [Made("usr/lib/x", BIG, owner=Owner("debian", package, "1"))])
    assert found.paths == ("usr/lib/x",)
    assert package in found.reason


@pytest.mark.parametrize(
    "package", ["gcc-12-base", "libgcc-s1", "libstdc++6", "libc6", "libllvm14", "python3", "dpkg"]
)
def test_what_debian_programs_need_is_no_compiler(package: str) -> None:
    layer = [Made("usr/lib/x", BIG, owner=Owner("debian", package, "1"))]
    assert waste("compiler", layer) == []


def test_headers_of_the_system_count_whoever_owns_them() -> None:
    (found,) = waste("compiler", [Made("usr/local/include/python3.12/Python.h", BIG)])
    assert found.paths == ("usr/local/include",)


def test_headers_of_packages_and_the_line_that_leaves_them_out() -> None:
    layer = [
        Made(f"{SITE}/torch/include/ATen/ATen.h", BIG, owner=TORCH),
        Made(f"{SITE}/torch/__init__.py", BIG, owner=TORCH),
    ]
    (found,) = waste("headers", layer)
    assert found.paths == (f"{SITE}/torch/include",)
    assert 'omit = { torch = ["torch/include/**"] }' in found.fix
    assert found.sizes.effective == BIG


def test_static_libraries() -> None:
    triton = Owner("python", "triton", "3.7.1")
    layer = [
        Made(f"{SITE}/torch/x.py", 1, owner=Owner("python", "torch", "2.13.0+cu130")),
        Made(f"{SITE}/triton/backends/nvidia/lib/libcupti_static.a", BIG, owner=triton),
        Made(f"{SITE}/triton/_C/libtriton.so", BIG, owner=triton),
    ]
    (found,) = waste("static-libraries", layer)
    assert found.sizes.effective == BIG
    assert 'omit = { triton = ["triton/*.a"] }' in found.fix


def test_suites_with_their_data_and_bytecode() -> None:
    layer = [
        Made(f"{SITE}/sympy/core/tests/test_expr.py", BIG, owner=SYMPY),
        Made(f"{SITE}/sympy/core/tests/data.json", BIG, owner=SYMPY),
        Made(f"{SITE}/sympy/core/tests/__pycache__/test_expr.cpython-311.pyc", BIG, owner=BYTECODE),
        Made(f"{SITE}/sympy/core/expr.py", BIG, owner=SYMPY),
    ]
    (found,) = waste("test-suites", layer)
    assert found.sizes.effective == 3 * BIG
    assert found.paths == (f"{SITE}/sympy/core/tests",)
    assert 'omit = { sympy = ["sympy/*/tests/*"] }' in found.fix


def test_programs_that_test_torch_but_not_the_one_it_starts() -> None:
    layer = [
        Made(f"{SITE}/torch/bin/test_jit", BIG, owner=TORCH),
        Made(f"{SITE}/torch/bin/torch_shm_manager", BIG, owner=TORCH),
    ]
    (found,) = waste("test-suites", layer)
    assert found.paths == (f"{SITE}/torch/bin/test_jit",)


def test_the_suite_of_python_itself() -> None:
    (found,) = waste("test-suites", [Made("usr/local/lib/python3.12/test/test_ast.py", BIG)])
    assert found.paths == ("usr/local/lib/python3.12/test",)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (f"{SITE}/django/test/client.py", Owner("python", "django", "5")),
        (f"{SITE}/torch/testing/_internal/common_utils.py", TORCH),
        (f"{SITE}/mine/tests/test_mine.py", Owner("application", "app")),
        ("app/tests/test_app.py", Owner("application", "app")),
        ("opt/data/tests/test_set.csv", Owner("unknown", "unknown")),
    ],
)
def test_what_is_no_suite_of_a_package(path: str, owner: Owner) -> None:
    assert waste("test-suites", [Made(path, BIG, owner=owner)]) == []


def test_symbols_inside_count_in_part_and_as_an_estimate() -> None:
    """Their share of the transfer is by size; header and padding of the file stay."""
    size = 20_000_000
    library = Made(
        f"{SITE}/torch/lib/libtorch_cpu.so",
        size,
        owner=TORCH,
        transfer=10_000_000,
        facts=(DebugFacts(6_000_000),),
    )
    (found,) = waste("debug-symbols", [library])
    assert found.sizes.unpacked == found.sizes.effective == 6_000_000
    assert found.sizes.transfer == 3_000_000
    assert found.estimate


def test_symbols_in_files_of_their_own_count_whole() -> None:
    (found,) = waste("debug-symbols", [Made("usr/lib/debug/.build-id/ab/cd.debug", 6_000_000)])
    assert found.sizes.effective == 6_000_000
    assert not found.estimate


def test_few_symbols_are_not_worth_a_line() -> None:
    small = [
        Made(f"{SITE}/x{number}.so", BIG, owner=TORCH, facts=(DebugFacts(900_000),))
        for number in range(20)
    ]
    assert waste("debug-symbols", small) == []
