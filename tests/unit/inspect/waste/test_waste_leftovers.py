# SPDX-License-Identifier: Apache-2.0
"""Archives, temporary files, manuals."""

from __future__ import annotations

import pytest

from wheelship.inspect.model import Owner
from wheelship.testing.inspection import Made
from wheelship.testing.waste import waste

BIG = 3_000_000
APP = Owner("application", "app")


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("app/wheels/torch-2.13.0-cp311-cp311-linux_x86_64.whl", APP),
        ("root/cuda_12.8.0_linux.run", Owner("unknown", "unknown")),
        ("opt/ffmpeg.tar.xz", Owner("unknown", "unknown")),
        ("tool.deb", Owner("unknown", "unknown")),
    ],
)
def test_archives_that_were_installed_from(path: str, owner: Owner) -> None:
    (found,) = waste("leftover-files", [Made(path, BIG, owner=owner)])
    assert found.title == "Archives that were installed from"
    assert found.paths == (path,)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("app/data/corpus.tar.gz", APP),
        ("opt/data/deep/corpus.tar.gz", Owner("unknown", "unknown")),
        (
            "usr/lib/python3.12/ensurepip/_bundled/pip-25-py3-none-any.whl",
            Owner("unknown", "unknown"),
        ),
        ("usr/share/python-wheels/pip.whl", Owner("debian", "python3-pip-whl", "23")),
        ("root/.cache/huggingface/hub/model.bin", Owner("unknown", "unknown")),
        ("root/.cache/torch/hub/model.pt", Owner("unknown", "unknown")),
        ("var/cache/debconf/templates.dat", Owner("debian", "debconf", "1.5")),
        ("var/cached/file", Owner("unknown", "unknown")),
    ],
)
def test_what_may_be_wanted_is_left_alone(path: str, owner: Owner) -> None:
    assert waste("leftover-files", [Made(path, BIG, owner=owner)]) == []


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("tmp/build/x.o", "tmp"),
        ("var/log/dpkg.log", "var/log"),
        ("root/.cache/matplotlib/fonts.json", "root/.cache/matplotlib"),
        ("var/cache/fontconfig/x.cache-7", "var/cache/fontconfig"),
    ],
)
def test_passing_files(path: str, place: str) -> None:
    (found,) = waste("leftover-files", [Made(path, BIG)])
    assert found.title == "Temporary files, logs and caches"
    assert found.paths == (place,)


def test_manuals_without_licences() -> None:
    layer = [
        Made("usr/share/man/man1/ls.1.gz", BIG),
        Made("usr/share/locale/de/LC_MESSAGES/x.mo", BIG),
        Made("usr/share/doc/bash/copyright", BIG),
        Made("usr/share/zoneinfo/UTC", BIG),
    ]
    (found,) = waste("documentation", layer)
    assert found.paths == ("usr/share/locale", "usr/share/man")
    assert found.sizes.effective == 2 * BIG
