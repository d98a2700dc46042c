# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a Debian archive, its packages and what they ask for.

An archive that cannot be trusted is a :class:`NetworkError` (the server sent it); a package that
cannot be used is an :class:`InputError` (somebody asked for it).
"""

from __future__ import annotations

from wheelship.errors import InputError, NetworkError

__all__ = [
    "ArchiveUntrusted",
    "ConflictingPackages",
    "IndexMismatch",
    "InvalidDeb",
    "InvalidDebianLock",
    "InvalidMirror",
    "LoaderPath",
    "PackageMismatch",
    "PackagePathConflict",
    "ReleaseExpired",
    "ReleaseMismatch",
    "UnexpectedShell",
    "UnknownMaintainerScript",
    "UnknownPackage",
    "UnknownRelease",
    "UnsatisfiedDependency",
]


class ArchiveUntrusted(NetworkError):
    """An InRelease file is not exactly one message signed by a key of that archive."""

    code = "archive-untrusted"


class ReleaseMismatch(NetworkError):
    """A signed release file is for something else than was asked for."""

    code = "release-mismatch"


class ReleaseExpired(NetworkError):
    """A signed release file is out of date, or claims to come from the future."""

    code = "release-expired"


class IndexMismatch(NetworkError):
    """A package index differs from what the signed release file promises, or cannot be read."""

    code = "index-mismatch"


class PackageMismatch(NetworkError):
    """A .deb differs from what the lock promises."""

    code = "package-mismatch"


class InvalidDeb(InputError):
    """A .deb breaks a rule of the format, or holds what no image may get."""

    code = "invalid-deb"


class InvalidDebianLock(InputError):
    """The Debian part of a lock cannot be read."""

    code = "invalid-debian-lock"


class InvalidMirror(InputError):
    """The address of a mirror cannot be used."""

    code = "invalid-mirror"


class UnknownRelease(InputError):
    """No Debian release is known for what was asked."""

    code = "unknown-debian-release"


class UnknownPackage(InputError):
    """The release has no package of that name."""

    code = "unknown-debian-package"


class UnsatisfiedDependency(InputError):
    """A package needs something the release cannot give."""

    code = "unsatisfied-dependency"


class ConflictingPackages(InputError):
    """Two packages that were asked for refuse to be installed together."""

    code = "conflicting-packages"


class PackagePathConflict(InputError):
    """Two packages claim one path, or put a file below something that is no directory."""

    code = "package-path-conflict"


class UnknownMaintainerScript(InputError):
    """A package has an installation script whose effect is not known."""

    code = "unknown-maintainer-script"


class UnexpectedShell(InputError):
    """A shell would get into the image although nobody asked for one."""

    code = "unexpected-shell"


class LoaderPath(InputError):
    """A package keeps libraries where the dynamic loader would not look without a cache."""

    code = "loader-path"
