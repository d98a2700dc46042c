# SPDX-License-Identifier: Apache-2.0
"""Which of several images is meant: by name, then by platform (image-spec, image-index.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wheelship.oci.platform import InvalidPlatform, Platform
from wheelship.oci.reference import InvalidReference, Reference
from wheelship.source.document import Entry
from wheelship.source.errors import ImageLacksPlatform, NoImage, shown

__all__ = ["Wanted", "choose_image", "choose_platform", "is_called", "lacking"]

_SHOWN_NAMES = 20
_READABLE = "images for linux/amd64 and linux/arm64 are read"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The platform that was ``asked`` for, and the machine's own for when none was."""

    asked: Platform | None
    native: Platform


def choose_image(entries: Sequence[Entry], name: str | None, where: str) -> list[Entry]:
    """Return the entries of one image: more than one where an index has each platform by itself.

    ``name`` is a tag or a whole reference; without it there must be only one image. ``where`` is
    how the user calls what holds them: a name is appended to it by a colon.

    Raises:
        NoImage: none is called so, or there is a choice.
    """
    images = [one for one in entries if one.is_image]
    found = images if name is None else [one for one in images if is_called(one.names, name)]
    if not found:
        what = f"has no image called {shown(name)}" if name else "holds no image"
        raise NoImage(f"{what}; it has {_names(images)}", where=where, hint=_hint(images, where))
    if len({one.digest for one in found}) == 1:
        return found[:1]
    if len({one.names[:1] for one in found}) > 1:
        raise NoImage(
            f"holds several images: {_names(images)}", where=where, hint=_hint(found, where)
        )
    return found


def is_called(names: Sequence[str], name: str) -> bool:
    """Tell whether ``name`` is one of ``names``, written out or as Docker shortens them."""
    return name in names or _complete(name) in {_complete(one) for one in names if ":" in one}


def _complete(name: str) -> str:
    try:
        found = Reference.parse(name)
    except InvalidReference:
        return name
    return str(found if found.tag or found.digest else found.with_tag("latest"))


def _names(entries: Sequence[Entry]) -> str:
    each = list(dict.fromkeys(shown(one.names[0]) for one in entries if one.names))
    more = f", and {len(each) - _SHOWN_NAMES} more" if len(each) > _SHOWN_NAMES else ""
    nameless = "one without a name" if len(entries) == 1 else f"{len(entries)} without a name"
    return ", ".join(each[:_SHOWN_NAMES]) + more or (nameless if entries else "none")


def _hint(entries: Sequence[Entry], where: str) -> str | None:
    named = next((shown(one.names[0]) for one in entries if one.names), None)
    return f"name one: {where}:{named}" if named else None


def choose_platform(entries: Sequence[Entry], wanted: Wanted, where: str) -> Entry:
    """Return the entry for the platform: what was asked for, else the machine's own, else the only.

    An entry that does not say what it is for is taken when it is the only one; whether it fits
    stands in its configuration.

    Raises:
        ImageLacksPlatform: none fits, or none is the machine's own and there is a choice.
    """
    images = [one for one in entries if one.is_image]
    fitting = [one for one in images if _fits(one.platform, wanted.asked or wanted.native)]
    if fitting:  # v8 is what arm64 means; amd64/v3 and the like run on fewer machines
        plain = [one for one in fitting if one.platform.removesuffix("/v8").count("/") == 1]
        return (plain or fitting)[0]
    if len(images) == 1 and (wanted.asked is None or not images[0].platform):
        return images[0]
    there = [one.platform or "one that it does not name" for one in images]
    raise lacking(wanted.asked, there, where)


def _fits(text: str, platform: Platform) -> bool:
    return text == str(platform) or text.startswith(f"{platform}/")


def lacking(asked: Platform | None, found: Sequence[str], where: str) -> ImageLacksPlatform:
    """Return the error that lists the platforms that are there."""
    there = list(dict.fromkeys(found))
    listed = ", ".join(there[:_SHOWN_NAMES]) or "none"
    readable = [one for one in there if _readable(one)]
    what = f"is not for {asked}" if asked else "is not for this machine's platform"
    hint = f"--platform {readable[0]}" if readable else _READABLE
    return ImageLacksPlatform(f"{what}; it is for {listed}", where=where, hint=hint)


def _readable(text: str) -> bool:
    try:
        Platform.parse(text)
    except InvalidPlatform:
        return False
    return True
