# SPDX-License-Identifier: Apache-2.0
"""Dependency specifiers (PEP 508) and ``requires-python`` (PEP 440) of the project.

``packaging`` is the judge, but importing it costs more than the rest of reading a request. Strings
of the common shape are therefore recognised here and only the others are handed to it; a property
test holds the two together.
"""

from __future__ import annotations

import re

from wheelship.request.errors import InvalidValue
from wheelship.request.value import canonical_name

__all__ = [
    "BASE_PYTHONS",
    "PYTHONS",
    "allows",
    "check_requirement",
    "choose_python",
    "requirement_name",
]

PYTHONS = {"3.11": "3.11.2", "3.13": "3.13.5"}
"""The Pythons of Debian 12 and 13: minor version to the version that ``requires-python`` meets."""

BASE_PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons that images of other origin may have; which release it is only the image tells."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_RELEASE = r"\d{1,9}(?:\.\d{1,9}){0,9}"
_LOCAL = r"\+[a-z0-9]+(?:\.[a-z0-9]+)*"
_CLAUSE = (
    rf"(?:[=!]=[ ]?{_RELEASE}(?:\.\*|{_LOCAL})?"
    rf"|[<>]=?[ ]?{_RELEASE}"
    rf"|~=[ ]?{_RELEASE}\.\d{{1,9}})"
)
_MARKER_NAME = (
    "python_version|python_full_version|sys_platform|platform_machine|platform_system|os_name"
    "|implementation_name|platform_python_implementation"
)
_MARKER = rf"(?:{_MARKER_NAME})[ ]?(?:[<>]=?|[=!]=)[ ]?(?:'[\w.]+'|\"[\w.]+\")"
_COMMON = re.compile(
    rf"(?P<name>{_NAME})(?:\[{_NAME}(?:,[ ]?{_NAME})*\])?"
    rf"(?:[ ]?{_CLAUSE}(?:[ ]?,[ ]?{_CLAUSE})*)?"
    rf"(?:[ ]?;[ ]?{_MARKER}(?:[ ](?:and|or)[ ]{_MARKER})*)?",
    re.ASCII,
)
_FIRST_NAME = re.compile(rf"\s*({_NAME})")
_SIMPLE_CLAUSE = re.compile(rf"\s*(>=|<=|<|>|==|!=|~=)\s*({_RELEASE})(\.\*)?\s*", re.ASCII)


def check_requirement(text: str) -> None:
    """Accept a dependency specifier.

    Raises:
        InvalidValue: ``packaging`` cannot read it.
    """
    if _COMMON.fullmatch(text):
        return
    if not text.isprintable():  # it becomes a line of METADATA and of uv's input
        raise InvalidValue(f"{text!r} is no dependency specifier: it has control characters")
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        canonical_name(Requirement(text).name)  # packaging lets names end in "_"
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise InvalidValue(
            f"{text!r} is no dependency specifier: {reason}",
            hint='write it like "torch==2.13.0" or "name[extra]>=1,<2"',
        ) from error


def requirement_name(text: str) -> str:
    """Return the normalised name at the start of a specifier that was accepted."""
    match = _FIRST_NAME.match(text)
    return canonical_name(match[1] if match else text)


def choose_python(requires_python: str | None) -> str | None:
    """Return the newest supported Python that ``requires_python`` allows, None when none is."""
    return next((minor for minor in reversed(PYTHONS) if allows(requires_python, minor)), None)


def allows(requires_python: str | None, python: str, release: str | None = None) -> bool:
    """Say whether the release of the minor version ``python`` meets the specifier.

    The release is Debian's unless it is given.

    Raises:
        InvalidValue: the specifier cannot be read.
    """
    if requires_python is None:
        return True
    release = release or PYTHONS[python]
    if not requires_python.isprintable():
        raise InvalidValue("has control characters", hint='requires-python = ">=3.11"')
    clauses = [_SIMPLE_CLAUSE.fullmatch(clause) for clause in requires_python.split(",")]
    simple = [clause.groups() for clause in clauses if clause is not None]
    if len(simple) == len(clauses) and all(map(_is_well_formed, simple)):
        return all(_meets(_numbers(release), *clause) for clause in simple)
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python).contains(release)
    except InvalidSpecifier as error:
        raise InvalidValue(str(error), hint='requires-python = ">=3.11"') from error


def _is_well_formed(clause: tuple[str | None, ...]) -> bool:
    operator, release, star = clause
    if star is not None:
        return operator in ("==", "!=")
    return operator != "~=" or (release is not None and "." in release)


def _meets(release: tuple[int, ...], operator: str, wanted: str, star: str | None) -> bool:
    """Compare final releases; PEP 440 says more only about the versions that are none."""
    bound = _numbers(wanted)
    length = max(len(release), len(bound))
    have, want = _padded(release, length), _padded(bound, length)
    if star is not None:
        same = have[: len(bound)] == bound
        return same if operator == "==" else not same
    if operator == "~=":
        return have >= want and have[: len(bound) - 1] == bound[:-1]
    return {
        ">=": have >= want,
        "<=": have <= want,
        "<": have < want,
        ">": have > want,
        "==": have == want,
        "!=": have != want,
    }[operator]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    return release + (0,) * (length - len(release))
