# SPDX-License-Identifier: Apache-2.0
"""Which images a build makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.build.images import UnlockedPlatform, choose_images
from wheelship.lock.errors import AcceleratorLacksPlatform
from wheelship.oci.platform import Platform
from wheelship.request.model import Request
from wheelship.request.read import read_request

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
TABLES = """command = ["serve"]
[variants.cpu]
[variants.rocm]
version = "7.2"
"""


@pytest.fixture
def request_of(tmp_path: Path) -> Request:
    (tmp_path / "wheelship.toml").write_text(TABLES)
    return read_request(tmp_path, native=AMD64)


def test_a_variant_can_be_made_for_a_platform_that_is_added(request_of: Request) -> None:
    with pytest.raises(UnlockedPlatform) as caught:
        choose_images(request_of, ("cpu",), (ARM64,), every=False)
    assert caught.value.hint == 'platforms = ["linux/amd64", "linux/arm64"]'


def test_no_platform_is_proposed_that_the_accelerator_lacks(request_of: Request) -> None:
    with pytest.raises(AcceleratorLacksPlatform, match=r"no rocm 7\.2 for linux/arm64") as caught:
        choose_images(request_of, ("rocm",), (ARM64,), every=False)
    assert caught.value.hint == 'platforms = ["linux/amd64"]'
    assert choose_images(request_of, ("rocm",), (), every=False) == [
        (request_of.variants["rocm"], AMD64)
    ]
