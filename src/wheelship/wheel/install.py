# SPDX-License-Identifier: Apache-2.0
"""What an installer makes of a wheel, as layer entries for a virtual environment in the image.

Binary distribution format, "Installing a wheel": the root spreads to site-packages, ``.data``
directories to their schemes, entry points become scripts, RECORD is rewritten. Nothing of the
target is run and nothing is unpacked.
"""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
from collections.abc import Iterator

from wheelship.archive.entry import File, InMemory
from wheelship.wheel.environment import Environment
from wheelship.wheel.errors import InvalidWheel
from wheelship.wheel.name import normalized
from wheelship.wheel.reader import Wheel
from wheelship.wheel.record import Row, encode_sha256, render_record
from wheelship.wheel.script import check_script_name, console_script, parse_scripts, retarget

__all__ = ["installed_entries", "omitted_files", "python_sources"]

_INSTALLER = b"wheelship\n"
# "Recording installed projects": who installs writes these, and they are no longer true elsewhere.
_OF_INSTALLERS = ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json")
_RETARGET_BYTES = 1024 * 1024


def installed_entries(
    wheel: Wheel, environment: Environment, omit: tuple[str, ...] = ()
) -> Iterator[File]:
    """Yield the files that ``wheel`` becomes, in the order of their data, RECORD last.

    ``omit`` holds globs over paths below site-packages, as in ``torchaudio/lib/*.so``.

    Raises:
        InvalidWheel: an unknown ``.data`` scheme, or two files that claim one place.
        UnsafeScript: a script name is refused.
    """
    rows: list[Row] = []
    claimed: set[str] = set()
    for entry, row in _files(wheel, environment):
        if entry.path in claimed:
            raise InvalidWheel(f"installs /{entry.path} twice", where=wheel.filename)
        claimed.add(entry.path)
        relative = _relative(entry.path, environment)
        if any(fnmatch.fnmatchcase(relative, glob) for glob in omit):
            continue
        rows.append(Row(relative, row.hash, row.size_bytes))
        yield entry
    record = f"{wheel.dist_info}/RECORD"
    path = f"{environment.site_packages}/{record}"
    if path in claimed:
        raise InvalidWheel(f"installs /{path} twice", where=wheel.filename)
    rows.append(Row(record, None, None))
    yield File(path=path, content=InMemory(render_record(rows)))


def _files(wheel: Wheel, environment: Environment) -> Iterator[tuple[File, Row]]:
    site = environment.site_packages
    skipped = {f"{wheel.dist_info}/{name}" for name in _OF_INSTALLERS}
    for name, member in wheel.members.items():
        if name in skipped or _stale(name):
            continue
        if name.startswith(wheel.data_dir + "/"):
            yield _data_file(wheel, environment, name)
            continue
        mode = 0o755 if member.executable else 0o644
        file = File(path=f"{site}/{name}", mode=mode, content=wheel.content(name))
        yield file, _row(wheel, name)
    yield _made(f"{site}/{wheel.dist_info}/INSTALLER", _INSTALLER, 0o644)
    points = f"{wheel.dist_info}/entry_points.txt"
    if points in wheel.members:
        text = wheel.read(points).decode("utf-8", "replace")
        for one in parse_scripts(text, wheel.filename):
            script = console_script(environment.interpreter, one.module, one.attribute)
            yield _made(f"{environment.root}/bin/{one.name}", script, 0o755)


def _data_file(wheel: Wheel, environment: Environment, name: str) -> tuple[File, Row]:
    scheme, _, rest = name.removeprefix(wheel.data_dir + "/").partition("/")
    distribution = normalized(wheel.name)
    directory = environment.scheme(scheme, distribution)
    if directory is None or not rest:
        raise InvalidWheel(f"puts {name} under an unknown scheme", where=wheel.filename)
    path = f"{directory}/{rest}"
    below_bin = path.removeprefix(f"{environment.root}/bin/")
    if below_bin != path:
        check_script_name(below_bin.partition("/")[0], wheel.filename)
    if path in (f"{environment.root}/pyvenv.cfg", f"{environment.root}/bin"):
        raise InvalidWheel(f"would replace /{path}", where=wheel.filename)
    first = _relative(path, environment).partition("/")[0]
    if first.lower().endswith(".dist-info") and first != wheel.dist_info:
        raise InvalidWheel(f"would install {first}, another package", where=wheel.filename)
    member = wheel.members[name]
    if scheme == "scripts" and member.size_bytes <= _RETARGET_BYTES:
        return _made(path, retarget(wheel.read(name), environment.interpreter), 0o755)
    # Installers make scripts executable whatever the archive says.
    mode = 0o755 if scheme == "scripts" or member.executable else 0o644
    return File(path=path, mode=mode, content=wheel.content(name)), _row(wheel, name)


def _stale(name: str) -> bool:
    """Tell bytecode that a wheel ships beside its sources.

    It holds the time of a source file that has another one in every layer, so Python would never
    use it; and it would stand in the way of ours.
    """
    return name.endswith(".pyc") and posixpath.basename(posixpath.dirname(name)) == "__pycache__"


def _row(wheel: Wheel, name: str) -> Row:
    """Return a file's row; what a waived RECORD does not say is taken from the file itself."""
    row = wheel.record.get(name)
    hashed = row.hash if row is not None else None
    if hashed is None:
        found = hashlib.sha256()
        for piece in wheel.pieces(name):
            found.update(piece)
        hashed = encode_sha256(found.hexdigest())
    return Row(name, hashed, wheel.members[name].size_bytes)


def _relative(path: str, environment: Environment) -> str:
    """Return ``path`` as RECORD writes it; ``relpath`` alone took a tenth of torch's layer."""
    inside = path.removeprefix(environment.site_packages + "/")
    return posixpath.relpath(path, environment.site_packages) if inside == path else inside


def _made(path: str, data: bytes, mode: int) -> tuple[File, Row]:
    digest = encode_sha256(hashlib.sha256(data).hexdigest())
    return File(path=path, mode=mode, content=InMemory(data)), Row(path, digest, len(data))


def omitted_files(
    wheel: Wheel, environment: Environment, omit: tuple[str, ...]
) -> Iterator[tuple[str, int]]:
    """Yield, for each file that :func:`installed_entries` leaves out, the glob and its bytes."""
    for entry, row in _files(wheel, environment):
        relative = _relative(entry.path, environment)
        matching = next((glob for glob in omit if fnmatch.fnmatchcase(relative, glob)), None)
        if matching is not None:
            yield matching, row.size_bytes or 0


def python_sources(
    wheel: Wheel, environment: Environment, omit: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield ``(path in the image, member name)`` of each Python module, in the order of paths."""
    found: list[tuple[str, str]] = []
    below = environment.site_packages + "/"
    for name in wheel.members:
        if not name.endswith(".py"):
            continue
        path = below + name
        if name.startswith(wheel.data_dir + "/"):
            scheme, _, rest = name.removeprefix(wheel.data_dir + "/").partition("/")
            path = f"{environment.scheme(scheme, '')}/{rest}"
            if not path.startswith(below):
                continue
        relative = _relative(path, environment)
        if not any(fnmatch.fnmatchcase(relative, glob) for glob in omit):
            found.append((path, name))
    return iter(sorted(found))
