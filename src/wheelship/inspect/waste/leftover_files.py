# SPDX-License-Identifier: Apache-2.0
"""What an installation left behind: archives that were unpacked, temporary files, logs, caches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelship.inspect.model import Item
from wheelship.inspect.waste.advice import fix, listed
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]

_PACKAGE = re.compile(r".*\.(?:whl|deb|rpm|apk|run|AppImage)")
_ARCHIVE = re.compile(r".*\.(?:tar|tgz|tbz2|txz|tar\.(?:gz|bz2|xz|zst)|zip|iso)")
_PASSING = re.compile(r"(tmp|var/tmp|var/log|var/crash|usr/tmp)/")
_CACHE = re.compile(r"((?:root|home/[^/]+)/\.cache/[^/]+|var/cache/[^/]+)/")
# Directories of ~/.cache where programs put models on purpose.
_MODELS = re.compile(r".*/\.cache/(?:clip|huggingface|pyannote|torch|torch_extensions|whisper)")
# Wheels that Python brings, and what apt's questions were answered with: a database, no cache.
_KEPT = re.compile(r"(?:(?:.*/)?(?:ensurepip/_bundled|share/python-wheels)|var/cache/debconf)/.*")
_INSTALL_PLACES = re.compile(
    r"(?:root|opt|usr/src|usr/local/src|srv|home/[^/]+|build|install)/[^/]+|[^/]+"
)


def _find(subject: Subject) -> Iterator[Claim]:
    archives = []
    passing = []
    for item in subject.files:
        path = item.entry.path
        if _KEPT.fullmatch(path):
            continue
        if place := _temporary(path):
            passing.append(Part(item, place))
        elif _is_archive(item):
            archives.append(Part(item, path))
    if archives:
        names = [part.item.entry.path.rpartition("/")[2] for part in archives]
        yield Claim(
            title="Archives that were installed from",
            reason=f"{listed(sorted(names))}: what they hold lies unpacked elsewhere",
            fix=fix(
                dockerfile="RUN --mount=type=bind,source=wheels,target=/wheels pip install "
                "/wheels/*.whl  # or fetch, unpack and delete in one RUN",
                wheelship='find-links = ["wheels"] reads wheels where they are; exclude archives '
                'by app = { exclude = ["**/*.whl"] }',
            ),
            parts=tuple(archives),
        )
    if passing:
        yield Claim(
            title="Temporary files, logs and caches",
            reason="they are of the moment when the image was built; "
            "at run time /tmp is often another file system, which hides them",
            fix=fix(
                dockerfile="RUN --mount=type=tmpfs,target=/tmp …  # or delete them in the same RUN",
                wheelship="runs nothing while it builds, so nothing is left behind",
            ),
            parts=tuple(passing),
        )


def _temporary(path: str) -> str:
    """Return the directory of passing things that a file is in; empty for others."""
    found = _PASSING.match(path) or _CACHE.match(path)
    return "" if found is None or _MODELS.match(f"/{found[1]}") else found[1]


def _is_archive(item: Item) -> bool:
    if item.owner.type in ("python", "debian"):
        return False
    path = item.entry.path
    if _PACKAGE.fullmatch(path):
        return True
    # An archive of the application may be its data: only where people put what they install from.
    return (
        item.owner.type != "application"
        and _ARCHIVE.fullmatch(path) is not None
        and _INSTALL_PLACES.fullmatch(path) is not None
    )


RULE = Rule(
    code="leftover-files",
    title="Left behind by an installation",
    about="Wheels, `.deb`, `.rpm` and `.run` files that no package owns, and archives that lie "
    "where people unpack them (`/`, `/root`, `/opt`, `/usr/src`); `/tmp`, `/var/tmp`, `/var/log`, "
    "and what programs keep in `/root/.cache` and `/var/cache`. Directories of `.cache` that hold "
    "models on purpose (huggingface, torch, whisper, clip, pyannote) and Python's bundled wheels "
    "are left alone.",
    fix="Bind mounts (`RUN --mount=type=bind`) in place of `COPY`; delete in the same `RUN`.",
    minimum_bytes=500_000,
    find=_find,
)
