# SPDX-License-Identifier: Apache-2.0
"""What package managers keep for the next installation, which an image does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wheelship.inspect.waste.advice import fix
from wheelship.inspect.waste.model import Claim, Part, Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULE"]


class _Cache(NamedTuple):
    """Where a package manager keeps it, and how that is avoided in a Dockerfile."""

    manager: str
    pattern: str
    advice: str


_CACHES = (
    _Cache(
        "pip",
        r"(?:.*/)?\.cache/pip|(?:.*/)?pip-cache",
        "RUN --mount=type=cache,target=/root/.cache/pip pip install …  # or: pip install "
        "--no-cache-dir …",
    ),
    _Cache(
        "uv",
        r"(?:.*/)?\.cache/uv|(?:.*/)?uv-cache",
        "RUN --mount=type=cache,target=/root/.cache/uv uv sync …  # or: uv sync --no-cache",
    ),
    _Cache(
        "apt",
        r"var/lib/apt/lists|var/cache/apt",
        "RUN apt-get update && apt-get install --no-install-recommends --yes … && "
        "rm -rf /var/lib/apt/lists/* /var/cache/apt/*  # in one RUN",
    ),
    _Cache(
        "conda",
        r"(?:opt|root|home/[^/]+|usr/local)/(?:[^/]*conda[^/]*|mamba|micromamba)/pkgs|opt/pkgs"
        r"|(?:.*/)?\.conda/pkgs|(?:.*/)?micromamba/pkgs",
        "RUN conda install --yes … && conda clean --all --yes  # in one RUN",
    ),
    _Cache(
        "npm",
        r"(?:.*/)?\.npm/_cacache|(?:.*/)?\.cache/(?:node|npm|pnpm)",
        "RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev",
    ),
    _Cache(
        "yarn",
        r"(?:.*/)?\.cache/yarn|(?:.*/)?\.yarn/cache",
        "RUN yarn install --production && yarn cache clean  # in one RUN",
    ),
    _Cache(
        "poetry",
        r"(?:.*/)?\.cache/pypoetry",
        "RUN --mount=type=cache,target=/root/.cache/pypoetry poetry install --only main",
    ),
    _Cache(
        "dnf",
        r"var/cache/(?:dnf|yum|libdnf5)",
        "RUN dnf install --assumeyes … && dnf clean all  # in one RUN",
    ),
    _Cache("apk", r"var/cache/apk", "RUN apk add --no-cache …"),
    _Cache(
        "cargo",
        r"(?:.*/)?\.cargo/(?:registry|git)|usr/local/cargo/(?:registry|git)",
        "RUN --mount=type=cache,target=/root/.cargo/registry cargo build --release",
    ),
    _Cache(
        "go",
        r"(?:.*/)?go/pkg/mod|(?:.*/)?\.cache/go-build",
        "build in another stage and COPY --from=build the program",
    ),
)
# What every place has somewhere in its path, so that most files need no regular expression.
_HINT = re.compile(
    r"cache|apt/lists|/pkgs/|\.npm/|\.yarn/|cargo/|go/pkg/",
)


def _find(subject: Subject) -> Iterator[Claim]:
    patterns = [(one, re.compile(rf"({one.pattern})/")) for one in _CACHES]
    found: dict[str, list[Part]] = {}
    for item in subject.files:
        path = item.entry.path
        if not _HINT.search(path):
            continue
        for cache, pattern in patterns:
            if match := pattern.match(path):
                found.setdefault(cache.manager, []).append(Part(item, match[1]))
                break
    for cache in _CACHES:
        if parts := found.get(cache.manager):
            yield Claim(
                title=f"Cache of {cache.manager}",
                reason=f"{cache.manager} keeps what it downloaded for the next installation; "
                "an image is installed once",
                fix=fix(
                    dockerfile=cache.advice,
                    wheelship="installs without any package manager, so there is no cache",
                ),
                parts=tuple(parts),
            )


RULE = Rule(
    code="package-manager-cache",
    title="Cache of a package manager",
    about="Downloads and indexes that pip, uv, apt, conda, npm, yarn, poetry, dnf, apk, cargo or "
    "go left behind, one finding for each. Told by place: `.cache/pip`, `/var/lib/apt/lists`, "
    "`/var/cache/apt`, `/opt/conda/pkgs` and their like. conda links packages from its cache with "
    "hard links: a file that an environment shares with it costs nothing and is not counted.",
    fix="A cache mount (`RUN --mount=type=cache,…`), or clean up in the same `RUN`.",
    minimum_bytes=100_000,
    find=_find,
)
