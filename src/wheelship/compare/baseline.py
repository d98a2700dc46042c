# SPDX-License-Identifier: Apache-2.0
"""Summaries as a file: docs/reference/schema/baseline.json.

Whatever wrote the file, what was read adds up: a summary whose rows are not its total would let
bytes appear from nowhere in the next comparison.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from wheelship.compare.summary import (
    Blob,
    KindSummary,
    LayerSummary,
    OwnerSummary,
    Summary,
)
from wheelship.errors import InputError
from wheelship.inspect.measure import total
from wheelship.inspect.model import Owner, OwnerType, Sizes
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["SCHEMA", "InvalidBaseline", "baseline_document", "counterpart", "read_baseline"]

SCHEMA = "wheelship.baseline/1"
_NAME = "wheelship.baseline/"
_LARGEST_FILE_BYTES = 64_000_000
_LARGEST_SIZE = 2**63 - 1
_T = TypeVar("_T")


class InvalidBaseline(InputError):
    """The file is no baseline that this version can read."""

    code = "invalid-baseline"


def baseline_document(summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return what ``--save`` writes; sizes are bytes."""
    return {"schema": SCHEMA, "images": [summary_document(one) for one in summaries]}


def summary_document(one: Summary) -> dict[str, Any]:
    """Return one image of it."""
    return {
        "reference": one.reference,
        "variant": one.variant,
        "platform": str(one.platform),
        "digest": None if one.digest is None else str(one.digest),
        "transfer_known": one.transfer_known,
        **sizes_document(one.sizes),
        "documents": [
            {"digest": str(blob.digest), "size_bytes": blob.size_bytes} for blob in one.documents
        ],
        "layers": [
            {
                "digest": str(layer.digest),
                "diff_id": str(layer.diff_id),
                "created_by": layer.created_by,
                **sizes_document(layer.sizes),
            }
            for layer in one.layers
        ],
        "owners": [
            {
                "type": row.owner.type,
                "name": row.owner.name,
                "version": row.owner.version,
                "files": row.files,
                **sizes_document(row.sizes),
            }
            for row in one.owners
        ],
        "kinds": [
            {"kind": row.kind, "files": row.files, **sizes_document(row.sizes)} for row in one.kinds
        ],
    }


def sizes_document(sizes: Sizes) -> dict[str, int]:
    """Return the three sizes under their names."""
    return {
        "transfer_bytes": sizes.transfer,
        "unpacked_bytes": sizes.unpacked,
        "effective_bytes": sizes.effective,
    }


def read_baseline(path: Path) -> tuple[Summary, ...]:
    """Read what ``--save`` wrote.

    Raises:
        InvalidBaseline: there is no such file, it is something else, damaged, or written by a
            version of wheelship that knows another form.
    """
    where = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidBaseline(
            f"cannot be read: {error.strerror}",
            where=where,
            hint=f"make it first: wheelship compare IMAGE --save {path}",
        ) from error
    anew = f"save it anew: wheelship compare IMAGE --save {path}"
    if len(data) > _LARGEST_FILE_BYTES:
        raise InvalidBaseline("is too large to be a baseline", where=where, hint=anew)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidBaseline(f"is no JSON document: {error}", where=where, hint=anew) from error
    form = document.get("schema") if isinstance(document, dict) else None
    if form != SCHEMA:
        known = isinstance(form, str) and form.startswith(_NAME)
        raise InvalidBaseline(
            f"has the form {form[:80]!r}, which this version of wheelship does not know"
            if known and isinstance(form, str)
            else "is no baseline of wheelship",
            where=where,
            hint=f"{'update wheelship, or ' if known else ''}{anew}",
        )
    try:
        summaries = _each(document, "images", _summary)
    except _DamagedError as error:
        raise InvalidBaseline(f"is damaged: {error}", where=where, hint=anew) from error
    if not summaries:
        raise InvalidBaseline("holds no image", where=where, hint=anew)
    return summaries


def counterpart(image: Summary, saved: Sequence[Summary], *, alone: bool) -> Summary | None:
    """Return the summary in a baseline that ``image`` is held against: an earlier build of it.

    That is the one of its variant, or of its name, for its platform. The only one for the platform
    will do for an image that is compared ``alone``: between machines the names of files differ.
    """
    same = [one for one in saved if one.platform == image.platform]
    tests: tuple[Callable[[Summary], bool], ...] = (
        lambda one: one.variant == image.variant and one.reference == image.reference,
        lambda one: one.variant == image.variant != "",
        lambda one: one.reference == image.reference,
        lambda _: alone,
    )
    for test in tests:
        found = [one for one in same if test(one)]
        if len(found) == 1:
            return found[0]
    return None


class _DamagedError(ValueError):
    """A value is missing or cannot be; the message names its place."""


def _summary(document: dict[str, Any]) -> Summary:
    named = document.get("digest") is not None
    one = Summary(
        reference=_value(document, "reference", str),
        variant=_value(document, "variant", str),
        platform=_parsed(document, "platform", Platform.parse),
        digest=_parsed(document, "digest", Digest.parse) if named else None,
        transfer_known=_value(document, "transfer_known", bool),
        sizes=_sizes(document),
        documents=_each(document, "documents", _blob),
        layers=_each(document, "layers", _layer),
        owners=_each(document, "owners", _owner),
        kinds=_each(document, "kinds", _kind),
    )
    for name, rows in (("owners", one.owners), ("kinds", one.kinds)):
        if total(row.sizes for row in rows) != one.sizes:
            raise _DamagedError(f"the {name} of {one.reference[:80]!r} do not add up to its sizes")
    return one


def _layer(document: dict[str, Any]) -> LayerSummary:
    return LayerSummary(
        digest=_parsed(document, "digest", Digest.parse),
        diff_id=_parsed(document, "diff_id", Digest.parse),
        sizes=_sizes(document),
        created_by=_value(document, "created_by", str),
    )


def _owner(document: dict[str, Any]) -> OwnerSummary:
    type_ = _value(document, "type", str)
    for known in get_args(OwnerType):
        if type_ == known:
            owner = Owner(
                known, _value(document, "name", str), version=_value(document, "version", str)
            )
            return OwnerSummary(owner, _sizes(document), _count(document, "files"))
    raise _DamagedError(f"there is no type {type_[:80]!r} of owners")


def _kind(document: dict[str, Any]) -> KindSummary:
    return KindSummary(_value(document, "kind", str), _sizes(document), _count(document, "files"))


def _blob(document: dict[str, Any]) -> Blob:
    return Blob(_parsed(document, "digest", Digest.parse), _count(document, "size_bytes"))


def _sizes(document: dict[str, Any]) -> Sizes:
    return Sizes(
        transfer=_count(document, "transfer_bytes"),
        unpacked=_count(document, "unpacked_bytes"),
        effective=_count(document, "effective_bytes"),
    )


def _each(
    document: dict[str, Any], key: str, read: Callable[[dict[str, Any]], _T]
) -> tuple[_T, ...]:
    found = []
    for at, one in enumerate(_value(document, key, list)):
        if not isinstance(one, dict):
            raise _DamagedError(f"{key}[{at}] is no table")
        try:
            found.append(read(one))
        except _DamagedError as error:
            raise _DamagedError(f"{key}[{at}]: {error}") from error
    return tuple(found)


def _value(document: dict[str, Any], key: str, kind: type[_T]) -> _T:
    if key not in document:
        raise _DamagedError(f"{key} is missing")
    value = document[key]
    if not isinstance(value, kind):
        raise _DamagedError(f"{key} is of another type")
    return value


def _count(document: dict[str, Any], key: str) -> int:
    number: int = _value(document, key, int)
    if isinstance(number, bool) or not 0 <= number <= _LARGEST_SIZE:
        raise _DamagedError(f"{key} is no number of bytes or files")
    return number


def _parsed(document: dict[str, Any], key: str, parse: Callable[[str], _T]) -> _T:
    text: str = _value(document, key, str)
    try:
        return parse(text)
    except InputError as error:
        raise _DamagedError(f"{key}: {error.message}") from error
