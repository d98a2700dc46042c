# SPDX-License-Identifier: Apache-2.0
"""The shipped archive keys are the pinned ones, and the tables that pin them load."""

from __future__ import annotations

from importlib import resources

import pytest

from wheelship.debian.distribution import RELEASES, distribution, release_with_python
from wheelship.debian.errors import UnknownRelease
from wheelship.debian.keyring import archive_certificates


@pytest.mark.parametrize("codename", RELEASES)
def test_every_pinned_key_is_shipped(codename: str) -> None:
    for suite in distribution(codename).suites:
        certificates = archive_certificates(suite.keys)
        assert set(certificates) == set(suite.keys)
        for certificate in certificates.values():
            assert not certificate.is_revoked
            assert any(f"/{codename})" in str(user) for user in certificate.user_ids)


def test_only_what_is_asked_for_is_returned() -> None:
    assert archive_certificates([]) == {}
    with pytest.raises(AssertionError, match="no shipped key"):
        archive_certificates(["0" * 40])


def test_the_page_about_the_keys_names_them_all() -> None:
    page = resources.files("wheelship.debian").joinpath("keys/README.md").read_text("utf-8")
    pinned = {key for name in RELEASES for suite in distribution(name).suites for key in suite.keys}
    assert len(pinned) == 6
    for key in pinned:
        assert key.upper() in page


def test_the_release_is_found_by_its_python() -> None:
    assert release_with_python("3.11") == "bookworm"
    assert release_with_python("3.13") == "trixie"
    with pytest.raises(UnknownRelease, match=r"3\.11 \(bookworm\) and 3\.13 \(trixie\)"):
        release_with_python("3.12")
    with pytest.raises(UnknownRelease, match="sarge"):
        distribution("sarge")


@pytest.mark.parametrize("codename", RELEASES)
def test_tables_give_a_reason_for_everything(codename: str) -> None:
    table = distribution(codename)
    assert {suite.archive for suite in table.suites} == {"main", "security"}
    assert f"python{table.python}" in [seed.name for seed in table.seeds]
    assert all(seed.reason for seed in (*table.seeds, *table.debug))
    assert all(cut.reason for cut in table.cuts)
    assert {"debconf", "dpkg"} <= {cut.dependency for cut in table.cuts if cut.package is None}
