# SPDX-License-Identifier: Apache-2.0
"""Values, keys and requirement strings for arbitrary input."""

from __future__ import annotations

import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from wheelship.errors import InputError
from wheelship.request.document import Document, Findings
from wheelship.request.errors import ConfigurationError, Finding
from wheelship.request.lines import key_lines
from wheelship.request.read import read_request
from wheelship.request.requirement import PYTHONS, allows, check_requirement, requirement_name
from wheelship.request.settings import COMMON_KEYS
from wheelship.request.table import Table, nearest_key, quoted
from wheelship.request.value import canonical_name, parse_duration, parse_size

UNITS = {"B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 1024, "MiB": 2**20, "GiB": 2**30}


@given(key=st.text())
@example("a" * 100_000)
def test_suggesting_a_key_never_fails(key: str) -> None:
    """An unknown key is reported with a known one or with all of them."""
    assert nearest_key(key, COMMON_KEYS) in {None, *COMMON_KEYS}
    findings = Findings()
    document = Document(name="x.toml", text="", data={key: 1})
    Table(document, (), document.data, findings).only({"port"})
    if key != "port":
        with pytest.raises(ConfigurationError):
            findings.raise_if_any()


@given(key=st.sampled_from(sorted(COMMON_KEYS)), data=st.data())
def test_a_key_with_one_letter_missing_is_recognised(key: str, data: st.DataObject) -> None:
    assume(len(key) > 4)
    at = data.draw(st.integers(0, len(key) - 1))
    assert nearest_key(key[:at] + key[at + 1 :], COMMON_KEYS) is not None
    assert nearest_key(key.upper().replace("-", "_"), COMMON_KEYS) == key


@given(number=st.integers(1, 10**6), unit=st.sampled_from(sorted(UNITS)), space=st.booleans())
def test_sizes_round_trip(number: int, unit: str, space: bool) -> None:  # noqa: FBT001
    text = f"{number}{' ' if space else ''}{unit}"
    assert parse_size(text) == number * UNITS[unit]
    assert parse_size(number * UNITS[unit]) == number * UNITS[unit]
    assert parse_size(text.upper()) == parse_size(text.lower()) == parse_size(text)


@given(thousandths=st.integers(1, 10**9))
def test_decimal_sizes_are_exact(thousandths: int) -> None:
    """No size goes through a float."""
    text = f"{thousandths // 1000}.{thousandths % 1000:03} GB"
    assert parse_size(text) == thousandths * 10**6


@given(milliseconds=st.integers(1, 24 * 3600 * 1000))
def test_durations_round_trip(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, left = divmod(seconds, 60)
    texts = [f"{milliseconds}ms", f"{seconds}s{rest}ms", f"{minutes}m{left}s{rest}ms"]
    assert {parse_duration(text) for text in texts} == {milliseconds / 1000}


@given(text=st.text() | st.from_regex(r"\d+(\.\d+)? ?[kKMGT]?i?B?", fullmatch=True))
def test_arbitrary_text_is_a_size_or_a_clear_error(text: str) -> None:
    for parse in (parse_size, parse_duration):
        try:
            value = parse(text)
        except InputError as error:
            value = len(error.hint or "")
        assert value > 0


SPECIFIERS = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~=", "==="]),
        st.sampled_from(["", " "]),
        st.sampled_from(
            ["3", "3.11", "3.11.2", "3.11.4", "3.12", "3.13", "3.13.5.0", "4", "03.11"]
        ),
        st.sampled_from(["", "", ".*", "rc1", ".post1"]),
    ),
    min_size=0,
    max_size=4,
).map(",".join)


@given(text=SPECIFIERS | st.text(alphabet="<>=!~ 3.1*,", max_size=12))
@example(" >= 3.11 , < 4 ")
def test_requires_python_means_what_packaging_says(text: str) -> None:
    for minor, release in PYTHONS.items():
        try:
            expected: bool | None = SpecifierSet(text).contains(release)
        except InvalidSpecifier:
            expected = None
        try:
            found: bool | None = allows(text, minor)
        except InputError:
            found = None
        assert found == expected


NAMES = st.sampled_from(["torch", "a", "A.b_c-d", "pyannote.audio", "x2", "-a", "a-", "b."])
REQUIREMENTS = st.builds(
    "{}{}{}{}{}".format,
    NAMES,
    st.sampled_from(["", "[standard]", "[a, b]", "[a,b.c]", "[]", "[a", " [x]"]),
    st.sampled_from(["", " ", "  "]),
    st.lists(
        st.builds(
            "{}{}".format,
            st.sampled_from(["==", ">=", "~=", "<", "!=", "=", "=== "]),
            st.sampled_from(["1", "2.13.0", "2.13.0+cpu", "1.*", "1.0+cu.1*", "*", "1rc1", "1 "]),
        ),
        max_size=3,
    ).map(", ".join),
    st.sampled_from(
        [
            "",
            "; python_version >= '3.11'",
            '; sys_platform=="linux" or os_name == "nt"',
            "; x > '1'",
        ]
    ),
)


@given(text=REQUIREMENTS | st.text(max_size=20))
@example("torch_")
def test_requirements_are_accepted_exactly_when_packaging_accepts_them(text: str) -> None:
    assume(text.isprintable())
    try:
        expected: str | None = canonical_name(Requirement(text).name)
    except (InvalidRequirement, InputError):
        expected = None
    try:
        check_requirement(text)
    except InputError:
        assert expected is None
    else:
        assert expected is not None
        assert requirement_name(text) == expected


@given(text=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoted_text_is_toml(text: str) -> None:
    """Hints can be pasted: what they show reads back as what was meant."""
    assert tomllib.loads(f"a = {quoted(text)}") == {"a": text}


JSON_LIKE = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
ALL_KEYS = sorted(COMMON_KEYS | {"name", "repository", "default-variant", "variants"})


@given(values=st.dictionaries(st.sampled_from(ALL_KEYS), JSON_LIKE, max_size=5))
def test_any_value_under_any_key_is_used_or_reported(values: dict[str, object]) -> None:
    """Malformed configuration gets a clear error, never a traceback (DESIGN §11)."""
    lines = ["command = ['serve']"] * ("command" not in values)
    text = "\n".join([*lines, *(f"{key} = {_toml(value)}" for key, value in values.items())])
    assert tomllib.loads(text) is not None
    with TemporaryDirectory() as folder:
        (Path(folder) / "wheelship.toml").write_text(text + "\n", encoding="utf-8")
        findings: tuple[Finding, ...] = ()
        try:
            read_request(Path(folder))
        except ConfigurationError as error:
            findings = error.findings
        assert all(finding.line for finding in findings if finding.key in values)
        assert all(finding.message for finding in findings)


PLAIN_KEYS = st.text(max_size=6).filter(lambda key: quoted(key)[1:-1] == key)


@given(values=st.dictionaries(PLAIN_KEYS, JSON_LIKE, min_size=1, max_size=5))
def test_every_top_level_key_has_its_line(values: dict[str, object]) -> None:
    text = "".join(f"{quoted(key)} = {_toml(value)}\n" for key, value in values.items())
    assert list(tomllib.loads(text)) == list(values)
    assert key_lines(text) == {(key,): number for number, key in enumerate(values, 1)}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{quoted(key)} = {_toml(inner)}' for key, inner in value.items())} }}"
        )
    return str(value)
