# SPDX-License-Identifier: Apache-2.0
"""Caches of package managers, each by its name."""

from __future__ import annotations

import pytest

from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

BIG = 200_000


@pytest.mark.parametrize(
    ("manager", "path", "place"),
    [
        ("pip", "root/.cache/pip/http-v2/a/b", "root/.cache/pip"),
        ("pip", "home/app/.cache/pip/wheels/x.whl", "home/app/.cache/pip"),
        ("uv", "root/.cache/uv/archive-v0/x", "root/.cache/uv"),
        ("apt", "var/lib/apt/lists/deb_main_Packages", "var/lib/apt/lists"),
        ("apt", "var/cache/apt/archives/gcc.deb", "var/cache/apt"),
        ("conda", "opt/conda/pkgs/numpy-2/lib/x.so", "opt/conda/pkgs"),
        ("conda", "root/miniconda3/pkgs/numpy.conda", "root/miniconda3/pkgs"),
        ("npm", "root/.npm/_cacache/content/x", "root/.npm/_cacache"),
        ("cargo", "usr/local/cargo/registry/x.crate", "usr/local/cargo/registry"),
    ],
)
def test_names_the_manager(manager: str, path: str, place: str) -> None:
    (found,) = waste("package-manager-cache", [Made(path, BIG), Made("app/cache/data", BIG)])
    assert found.title == f"Cache of {manager}"
    assert found.paths == (place,)
    assert found.sizes.effective == BIG


def test_has_one_finding_for_each_manager() -> None:
    layer = [Made("root/.cache/pip/a", BIG), Made("var/cache/apt/pkgcache.bin", 2 * BIG)]
    titles = [one.title for one in waste("package-manager-cache", layer)]
    assert titles == ["Cache of apt", "Cache of pip"]


def test_leaves_alone_what_is_no_cache_of_theirs() -> None:
    layer = [
        Made("opt/venv/lib/python3.11/site-packages/pip/_internal/cache.py", BIG),
        Made("app/pkgs/data.bin", BIG),
        Made("root/.cache/huggingface/hub/model.safetensors", BIG),
        Made("var/lib/apt/extended_states", BIG),
    ]
    assert waste("package-manager-cache", layer) == []


def test_is_silent_about_crumbs() -> None:
    assert waste("package-manager-cache", [Made("var/lib/apt/lists/lock", 0)]) == []


def test_does_not_count_what_an_environment_links_to() -> None:
    """With hard links of conda: the content stays when the cache goes, so only the rest counts."""
    shared = "opt/conda/pkgs/numpy/x.so"
    layer = [
        Made(shared, 5 * BIG),
        Made("opt/conda/lib/x.so", entry="hardlink", target=shared),
        Made("opt/conda/pkgs/numpy.conda", BIG),
    ]
    (found,) = waste("package-manager-cache", layer)
    assert found.sizes.effective == BIG
