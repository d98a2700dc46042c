# SPDX-License-Identifier: Apache-2.0
"""RECORD files: rows in, rows out, and nothing that a parser could trip over."""

from __future__ import annotations

import csv
import io

import pytest

from wheelship.wheel.errors import RecordMismatch
from wheelship.wheel.record import Row, encode_sha256, parse_record, render_record

EMPTY = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
EMPTY_HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_rows_are_read() -> None:
    text = f"a.py,sha256={EMPTY},0\r\n\r\nRECORD,,\n"
    assert parse_record(text, "demo") == {
        "a.py": Row("a.py", ("sha256", EMPTY_HEX), 0),
        "RECORD": Row("RECORD", None, None),
    }


def test_padding_of_base64_is_optional() -> None:
    assert parse_record(f"a,sha256={EMPTY}=,0\n", "demo") == parse_record(
        f"a,sha256={EMPTY},0\n", "demo"
    )


@pytest.mark.parametrize("path", ["a,b.py", 'say "hi".py', "ü/日本.py", " lead", "a b"])
def test_paths_with_any_characters_survive(path: str) -> None:
    """RECORD is CSV: commas and quotes in names are quoted."""
    row = Row(path, encode_sha256(EMPTY_HEX), 0)
    text = render_record([row]).decode()
    assert parse_record(text, "demo") == {path: row}
    assert next(csv.reader(io.StringIO(text)))[0] == path


def test_rows_are_written_sorted() -> None:
    rows = [Row("b", None, None), Row("a", ("sha512", "00" * 64), 7)]
    assert render_record(rows) == b"a,sha512=" + b"A" * 86 + b",7\nb,,\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.py\n", "row 1 of RECORD has 1 cells"),
        ("a.py,,\nb.py,,,\n", "row 2 of RECORD has 4 cells"),
        ("a,,\na,,\n", "RECORD lists a twice"),
        ("a,,x\n", "the size 'x'"),
        ("a,,-1\n", "the size '-1'"),
        ("a,, 1\n", "the size ' 1'"),
        ("a,,٣\n", "the size '٣'"),
        ("a,," + "9" * 5000 + "\n", "the size '99999999999999999999'"),
        ("a,sha256,1\n", "a malformed hash for a"),
        ("a,sha256=,1\n", "a malformed hash for a"),
        ("a,sha256=zz,1\n", "a malformed hash for a"),
        (f"a,sha256={EMPTY}A,1\n", "a malformed hash for a"),
        (f"a,sha512={EMPTY},1\n", "a malformed hash for a"),
        ("a,sha256=ü,1\n", "a malformed hash for a"),
        ("a,sha256=" + "!" * 43 + ",1\n", "a malformed hash for a"),
        (f"a,SHA256={EMPTY},1\n", "hashes a with 'SHA256'"),
        ("a,md5=1B2M2Y8AsgTpgAmY7PhCfg,1\n", "hashes a with 'md5'"),
        ("a,shake_128=AAAA,1\n", "hashes a with 'shake_128'"),
        ("a\rb,,\n", "row 1 of RECORD has 1 cells"),
        ("x" * 200_000 + ",,\n", "RECORD cannot be read: field larger than"),
    ],
    ids=range(20),
)
def test_what_is_no_record_is_refused(text: str, message: str) -> None:
    """Only sha256 or better, well-formed; never a crash."""
    with pytest.raises(RecordMismatch) as caught:
        parse_record(text, "demo.whl")
    assert message in caught.value.message
    assert caught.value.where == "demo.whl"
