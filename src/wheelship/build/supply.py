# SPDX-License-Identifier: Apache-2.0
"""Where the files of a variant come from: its indexes, its directories, and what fetches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wheelship.build.model import Surroundings
from wheelship.debian.lock import LockedPackage
from wheelship.request.model import Variant
from wheelship.request.uv import index_variable

if TYPE_CHECKING:
    from wheelship.build.artifacts import StoredArtifacts

__all__ = ["artifacts_of"]


def _index_urls(variant: Variant, around: Surroundings) -> tuple[str, ...]:
    """Return all addresses of indexes as configured: some may carry credentials."""
    sources, machine = variant.sources, around.machine()
    named = [sources.index, *sources.extra_indexes]
    named += [_with_login(*one, around.environ) for one in sources.named_indexes]
    named += [sources.torch_index, *sources.link_pages, machine.index]
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        # uv writes an index as NAME=URL or URL, several with blanks between them.
        entries = around.environ.get(name, "").split()
        named += [
            one if "=" not in one.partition("://")[0] else one.partition("=")[2] for one in entries
        ]
    return tuple(one for one in (*named, *machine.extra_indexes) if one)


def _with_login(name: str, address: str, environ: Mapping[str, str]) -> str:
    """Return the address of an index of uv's with the credentials that uv finds for its name."""
    user = environ.get(index_variable(name, "USERNAME"), "")
    password = environ.get(index_variable(name, "PASSWORD"), "")
    scheme, mark, rest = address.partition("://")
    if not (user or password) or not mark or "@" in rest.partition("/")[0]:
        return address
    from urllib.parse import quote

    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def artifacts_of(
    variant: Variant,
    around: Surroundings,
    locate: Callable[[LockedPackage], tuple[str, ...]] = lambda _: (),
) -> StoredArtifacts:
    """Return where locked files come from; ``locate`` gives the addresses of a Debian package."""
    from wheelship.build.artifacts import StoredArtifacts

    return StoredArtifacts(
        around.store,
        find_links=lambda: variant.sources.find_links + around.machine().find_links,
        locate=locate,
        fetcher=lambda: around.fetcher(_index_urls(variant, around)),
        emit=around.emit,
    )
