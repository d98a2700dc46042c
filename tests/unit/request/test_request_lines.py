# SPDX-License-Identifier: Apache-2.0
"""Line numbers of keys."""

from __future__ import annotations

from wheelship.request.lines import key_lines, line_of

TEXT = '''\
# comment with key = 1
top = "a # [no.table]"
multi = """
[fake]
fake = 1
"""
raw = \'\'\'
fake2 = 1\'\'\'
list = [
    "x]",  # ]
    { fake3 = 1 },
]

[a.b]
"quoted.key" = 1
dotted . inner = { x = 1 }

[[a.list]]
one = 1
[[a.list]]
one = 2
'''


def test_keys_and_tables_have_their_lines() -> None:
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("multi",): 3,
        ("raw",): 7,
        ("list",): 9,
        ("a", "b"): 14,
        ("a", "b", "quoted.key"): 15,
        ("a", "b", "dotted", "inner"): 16,
        ("a", "list"): 18,
        ("a", "list", "one"): 19,
    }


def test_windows_line_ends_do_not_matter() -> None:
    assert key_lines(TEXT.replace("\n", "\r\n")) == key_lines(TEXT)


def test_a_key_without_a_line_has_that_of_its_table() -> None:
    lines = key_lines(TEXT)
    assert line_of(("a", "b", "dotted", "inner", "x"), lines) == 16
    assert line_of(("a", "b", "missing"), lines) == 14
    assert line_of(("missing",), lines) is None
