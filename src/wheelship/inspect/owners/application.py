# SPDX-License-Identifier: Apache-2.0
"""What an image is for: the project's distribution, and files where projects are put.

An image of ours names its project in its labels. In others a distribution counts as the
application when a directory was installed (``pip install .``, see ``direct_url.json``), and so do
files no package lists: below the working directory, in the places that projects usually go to, and
the programs that the image starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wheelship.inspect.model import Owner
from wheelship.inspect.owners.python import Distribution
from wheelship.oci.config import ImageConfig
from wheelship.wheel.name import normalized

__all__ = ["Application", "find_application"]

_PLACES = ("app", "srv", "code", "workspace", "usr/src/app")
_NO_PLACES = frozenset(
    (
        "",
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib64",
        "media",
        "mnt",
        "opt",
        "proc",
        "run",
        "sbin",
        "sys",
        "tmp",
        "usr",
        "usr/bin",
        "usr/lib",
        "usr/local",
        "usr/local/bin",
        "usr/local/lib",
        "usr/share",
        "usr/src",
        "var",
        "var/lib",
        "var/tmp",
    )
)
"""Working directories that say nothing about what is below them."""
_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_OURS = "wheelship.variant"
_INSTALLER = "wheelship"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Where the application is.

    Attributes:
        owner: the one application; None where there are several, or none has a name.
        places: directories, each with a slash at its end.
        programs: files that the image starts.
        distributions: for each distribution, its owner.
    """

    owner: Owner | None
    places: tuple[str, ...]
    programs: frozenset[str]
    distributions: tuple[Owner, ...]

    def of(self, path: str) -> Owner | None:
        """Return the owner of a file that no package lists."""
        if path in self.programs:
            return self.owner or Owner("application", f"/{path}")
        for place in self.places:
            if path.startswith(place):
                return self.owner or Owner("application", f"/{place[:-1]}")
        return None


def find_application(config: ImageConfig, found: Sequence[Distribution]) -> Application:
    """Return where the application is in an image that has the distributions ``found``."""
    labels = dict(config.labels)
    title = labels.get(_TITLE, "") if _OURS in labels else ""
    owners = tuple(
        Owner("application" if _is_project(one, title) else "python", one.name, one.version)
        for one in found
    )
    projects = {one.name: one for one in owners if one.type == "application"}
    owner = next(iter(projects.values())) if len(projects) == 1 else None
    if owner is None and title:
        owner = Owner("application", normalized(title), labels.get(_VERSION, ""))
    workdir = config.workdir.strip("/")
    places = (*(() if workdir in _NO_PLACES else (workdir,)), *_PLACES)
    started = (*config.entrypoint, *config.command)
    return Application(
        owner=owner,
        places=tuple(f"{one}/" for one in places),
        programs=frozenset(one.strip("/") for one in started if one.startswith("/")),
        distributions=owners,
    )


def _is_project(one: Distribution, title: str) -> bool:
    ours = bool(title) and one.name == normalized(title) and one.installer == _INSTALLER
    return ours or one.local
