# SPDX-License-Identifier: Apache-2.0
"""A name for the user, beside whoever the base knows already."""

from __future__ import annotations

import pytest

from wheelship.archive.entry import InMemory
from wheelship.debian.identity import added_identity, identity_files

PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/x\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


def added(user: tuple[int, int], passwd: str | None, group: str | None) -> dict[str, str]:
    files = {}
    for file in added_identity(user, passwd, group):
        assert isinstance(file.content, InMemory)
        files[file.path] = file.content.data.decode("utf-8", "surrogateescape")
    return files


def test_rows_are_appended_and_no_row_is_lost() -> None:
    files = added((65532, 65532), PASSWD, GROUP)
    assert files["etc/passwd"] == f"{PASSWD}app:x:65532:65532:app:/tmp:/sbin/nologin\n"
    assert files["etc/group"] == f"{GROUP}app:x:65532:\n"


@pytest.mark.parametrize(
    ("user", "changed"),
    [
        ((0, 0), set()),
        ((65534, 0), set()),
        ((0, 1000), {"etc/group"}),
        ((1000, 0), {"etc/passwd"}),
    ],
)
def test_a_file_that_knows_the_number_stays(user: tuple[int, int], changed: set[str]) -> None:
    assert added(user, PASSWD, GROUP).keys() == changed


def test_a_name_that_is_taken_gets_a_number() -> None:
    passwd = f"{PASSWD}app:x:1000:1000::/home/app:/bin/sh"
    files = added((65532, 65532), passwd, GROUP)
    row = "app65532:x:65532:65532:app65532:/tmp:/sbin/nologin"
    assert files["etc/passwd"] == f"{passwd}\n{row}\n"


def test_bytes_that_are_no_text_survive() -> None:
    odd = b"root:x:0:0:\xff\xfe:/root:/bin/sh\n".decode("utf-8", "surrogateescape")
    assert added((7, 0), odd, GROUP)["etc/passwd"].startswith(odd)


def test_a_base_without_such_files_gets_debians() -> None:
    wanted = {file.path: file.content.data.decode() for file in identity_files((1, 1))}  # type: ignore[union-attr]
    assert added((1, 1), None, None) == wanted
