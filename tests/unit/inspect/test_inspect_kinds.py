# SPDX-License-Identifier: Apache-2.0
"""What sort of file a path is."""

from __future__ import annotations

import pytest

from wheelship.inspect.kinds import Kinds
from wheelship.testing.contents import entry

SITE = "usr/lib/python3/dist-packages"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("usr/lib/libc.so.6", "shared-object"),
        (f"{SITE}/x/y.cpython-311-x86_64-linux-gnu.so", "shared-object"),
        ("usr/lib/x.so.conf", "data"),
        ("usr/lib/libc.a", "static-library"),
        ("usr/include/x.h", "header"),
        ("usr/include/c++/12/vector", "header"),
        (f"{SITE}/nvidia/include/x.cuh", "header"),
        ("usr/share/vector", "data"),
        (f"{SITE}/x/tests/a.py", "test"),
        (f"{SITE}/x/tests/__pycache__/a.cpython-311.pyc", "bytecode"),
        (f"{SITE}/x/test/data/a.bin", "test"),
        ("usr/lib/python3.11/test/a.py", "test"),
        (f"{SITE}/conftest.py", "test"),
        (f"{SITE}/x/testing/a.py", "python"),
        ("srv/test/a.txt", "data"),
        ("app/model.safetensors", "model"),
        ("app/pytorch_model.bin", "model"),
        ("app/weights.pth", "model"),
        (f"{SITE}/a.pth", "python"),
        (f"{SITE}/x/a.pth", "model"),
        ("root/.cache/huggingface/hub/blobs/0123", "model"),
        ("root/.cache/pip/http/0123.py", "cache"),
        ("var/lib/apt/lists/x_Packages", "cache"),
        ("etc/ld.so.cache", "data"),
        (f"{SITE}/x-1.dist-info/licenses/LICENSE", "metadata"),
        ("var/lib/dpkg/info/x.list", "metadata"),
        ("lib/apk/db/installed", "metadata"),
        ("usr/share/doc/x/copyright", "documentation"),
        ("usr/share/man/man1/x.1.gz", "documentation"),
        (f"{SITE}/x/README.md", "documentation"),
        (f"{SITE}/x/LICENSE", "documentation"),
        (f"{SITE}/x/news.py", "python"),
        (f"{SITE}/x/a.pyi", "python"),
        (".a", "data"),
        ("a", "data"),
    ],
)
def test_a_path_tells_its_kind(path: str, kind: str) -> None:
    assert Kinds().kind(entry(path)) == kind


def test_an_executable_is_what_nothing_else_is() -> None:
    assert Kinds().kind(entry("usr/bin/ls", mode=0o755)) == "executable"
    assert Kinds().kind(entry("usr/lib/x.so", mode=0o755)) == "shared-object"


def test_what_has_no_content_is_structure() -> None:
    assert Kinds().kind(entry("x.so", "symlink")) == "structure"
    assert Kinds().kind(entry("x.so", "hardlink")) == "structure"


def test_directories_are_told_apart_in_any_order() -> None:
    kinds = Kinds()
    paths = [f"{SITE}/x/tests/a", "app/a", f"{SITE}/x/tests/b", "app/b"]
    assert [kinds.kind(entry(path)) for path in paths] == ["test", "data"] * 2
