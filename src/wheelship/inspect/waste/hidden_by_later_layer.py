# SPDX-License-Identifier: Apache-2.0
"""Files that a later layer deletes or overwrites: they are pulled and stored, and never seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from wheelship.inspect.model import Item
from wheelship.inspect.waste.advice import fix
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.places import outline
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]


# What every installation writes anew, in every image with more than one.
_BOOKKEEPING = re.compile(
    r"(?:var/lib/(?:dpkg|apt|rpm)|lib/apk/db|var/cache/(?:debconf|ldconfig|apt))/|etc/ld\.so\.cache"
)


class _How(Enum):
    """What the later layer did; the values are title, verb and fix in a Dockerfile."""

    DELETED = (
        "Deleted in a later layer",
        "deletes files of",
        (
            "make and delete in one step (RUN make-it && use-it && rm -r it), or build in another "
            "stage and COPY --from=build what is needed"
        ),
    )
    TOUCHED = (
        "Unchanged, and again in a later layer",
        "holds again, with other owners, modes or times, files of",
        "COPY --chown=app:app --chmod=0755 …  # in place of RUN chown -R or chmod -R",
    )
    OVERWRITTEN = (
        "Overwritten in a later layer",
        "overwrites files of",
        (
            "install each file once: one RUN pip install with all pins, one apt-get upgrade in the "
            "base, or another stage and COPY --from=build"
        ),
    )


def _find(subject: Subject) -> Iterator[Claim]:
    groups: dict[tuple[int, int, str], list[Item]] = {}
    for item in subject.hidden:
        # Content that another name still shows is needed, wherever it lies.
        if item.hidden_by is None or item.effective_bytes:
            continue
        how = _how(item, subject.by_path.get(item.entry.path))
        if how is not _How.OVERWRITTEN or not _BOOKKEEPING.match(item.entry.path):
            groups.setdefault((item.layer, item.hidden_by, how.name), []).append(item)
    for (layer, by, name), items in sorted(groups.items()):
        title, verb, advice = _How[name].value
        yield Claim(
            title=title,
            reason=f"{subject.layer_name(by)} {verb} {subject.layer_name(layer)}; "
            "a layer cannot take back the bytes of another",
            fix=fix(
                dockerfile=advice,
                wheelship="no layer of a build hides a file of another; in a base image that is "
                "named by base = …, mend that image",
            ),
            parts=tuple(Part(item, outline(item.entry.path)) for item in items),
        )


def _how(item: Item, now: Item | None) -> _How:
    if item.deleted:
        return _How.DELETED
    if now is not None and item.entry.sha256 and now.entry.sha256 == item.entry.sha256:
        return _How.TOUCHED
    return _How.OVERWRITTEN


RULE = Rule(
    code="hidden-by-later-layer",
    title="Hidden by a later layer",
    about="Files that a later layer deletes, overwrites, or has again with another owner, mode or "
    "time (`RUN chown -R`). They are pulled and stored, and no container sees them. One finding "
    "for each pair of layers and each way. What package managers write anew with each "
    "installation, such as `/var/lib/dpkg/status` and `/etc/ld.so.cache`, is left alone.",
    fix="Make and delete in one `RUN`; copy the result of another stage; `COPY --chown` in place "
    "of `chown -R`.",
    minimum_bytes=1_000_000,
    find=_find,
)
