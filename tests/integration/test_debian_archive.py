# SPDX-License-Identifier: Apache-2.0
"""Debian's own archives and tools: what gpgv, dpkg and this package say of the same files.

Packages are kept between runs in WHEELSHIP_TEST_DEBS (default: wheelship-test-debs in the directory
for temporary files), by hash, about 17 MB for each release.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from wheelship.archive.entry import File, InMemory, Streamed
from wheelship.debian.base import Base, base_entries, join_packages
from wheelship.debian.clearsign import verified_text
from wheelship.debian.distribution import RELEASES, distribution
from wheelship.debian.errors import (
    ArchiveUntrusted,
    IndexMismatch,
    PackageMismatch,
    UnknownMaintainerScript,
)
from wheelship.debian.interpreter import loader_command, materialise
from wheelship.debian.keyring import archive_certificates
from wheelship.debian.lock import DebianLock, LockedPackage
from wheelship.debian.mirror import Mirrors, choose_mirrors, package_urls
from wheelship.debian.relation import newest_first
from wheelship.debian.release import read_release
from wheelship.debian.resolve import resolve
from wheelship.errors import NetworkError
from wheelship.events import discard

pytestmark = pytest.mark.integration

CONTENT_BYTES = 100_000_000
"""No base may be larger than this, unpacked."""


def download(url: str, *, limit_bytes: int) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            data = response.read(limit_bytes + 1)
    except (urllib.error.URLError, TimeoutError) as error:
        raise NetworkError(f"cannot fetch {url}: {error}") from error
    if len(data) > limit_bytes:
        raise NetworkError(f"more than {limit_bytes} bytes from {url}")
    return data


@pytest.fixture(scope="session")
def mirrors(missing: Callable[[str], None]) -> Mirrors:
    """The mirror that this machine's apt uses; it has trixie beside bookworm."""
    found = choose_mirrors(distribution("bookworm"), explicit=None, apt=Path("/etc/apt"))
    try:
        download(f"{found.main}/dists/bookworm/InRelease", limit_bytes=4_000_000)
    except NetworkError as error:
        missing(f"no Debian mirror can be reached: {error}")
    return found


@pytest.fixture(scope="session")
def releases(mirrors: Mirrors) -> dict[str, bytes]:
    """The InRelease files of all suites, by suite."""
    return {
        suite.name: download(
            f"{mirrors.address(suite.archive)}/dists/{suite.name}/InRelease", limit_bytes=4_000_000
        )
        for codename in RELEASES
        for suite in distribution(codename).suites
    }


@pytest.fixture(scope="session")
def now(releases: dict[str, bytes]) -> datetime:
    """A time at which the mirror is up to date, frozen or not."""
    dates = []
    for codename in RELEASES:
        table = distribution(codename)
        for suite in table.suites:
            certificates = archive_certificates(suite.keys)
            data = releases[suite.name]
            dates.append(read_release(data, suite, table, certificates, where=suite.name).date)
    return max(dates)


@pytest.fixture(scope="session")
def locked(mirrors: Mirrors, now: datetime) -> Callable[[str, str, tuple[str, ...]], DebianLock]:
    """Resolve once for each release, architecture and set of system packages."""
    locks: dict[tuple[str, str, tuple[str, ...]], DebianLock] = {}

    def lock(release: str, architecture: str = "amd64", system: tuple[str, ...] = ()) -> DebianLock:
        key = (release, architecture, system)
        if key not in locks:
            locks[key] = resolve(*key, mirrors, download, now, discard)
        return locks[key]

    return lock


@pytest.fixture(scope="session")
def packages(mirrors: Mirrors) -> Callable[[DebianLock], list[tuple[LockedPackage, Path]]]:
    """Download the packages of a lock, each once ever."""
    default = Path(tempfile.gettempdir()) / "wheelship-test-debs"
    place = Path(os.environ.get("WHEELSHIP_TEST_DEBS", default))
    place.mkdir(parents=True, exist_ok=True)

    def get(lock: DebianLock) -> list[tuple[LockedPackage, Path]]:
        found = []
        for package in lock.packages:
            path = place / package.sha256
            if not path.exists():
                url = package_urls(package, lock, mirrors)[0]
                part = path.with_suffix(".part")
                part.write_bytes(download(url, limit_bytes=package.size_bytes))
                part.replace(path)
            found.append((package, path))
        return found

    return get


# --- signatures, beside gpgv ---


@pytest.mark.parametrize(
    "name", [suite.name for codename in RELEASES for suite in distribution(codename).suites]
)
def test_real_release_files_verify_and_read_as_gpgv_says(
    name: str, releases: dict[str, bytes], tool: Callable[[str], str], tmp_path: Path
) -> None:
    table = distribution(name.partition("-")[0])
    suite = next(one for one in table.suites if one.name == name)
    data = releases[name]
    release = read_release(data, suite, table, archive_certificates(suite.keys), where=name)
    assert release.files["main/binary-amd64/Packages.xz"].size_bytes > 0
    assert release.files["main/binary-arm64/Packages.xz"].size_bytes > 0
    assert release.by_hash
    expected = _gpgv(tool("gpgv"), data, tmp_path)
    assert expected is not None
    text = verified_text(data, archive_certificates(suite.keys), where=name)
    assert text == expected


def test_bookworm_never_expires_and_security_does(releases: dict[str, bytes]) -> None:
    table = distribution("bookworm")
    main, _, security = (
        read_release(
            releases[suite.name], suite, table, archive_certificates(suite.keys), where="x"
        )
        for suite in table.suites
    )
    assert main.valid_until is None
    assert security.valid_until is not None
    assert security.valid_until > security.date


def test_a_suite_is_not_trusted_with_the_key_of_another(releases: dict[str, bytes]) -> None:
    security = archive_certificates(distribution("bookworm").suites[2].keys)
    assert verified_text(releases["bookworm-security"], security, where="x")
    with pytest.raises(ArchiveUntrusted):
        verified_text(releases["bookworm"], security, where="x")
    main = archive_certificates(distribution("bookworm").suites[0].keys)
    with pytest.raises(ArchiveUntrusted):
        verified_text(releases["bookworm-security"], main, where="x")


CHANGED_HASH = (b"SHA256:\n ", b"SHA256:\n 0")
TAMPERED: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    # how, and whether gpgv alone (exit status 0) would have let it pass
    "untouched": (lambda data: data, True),
    "junk before": (lambda data: b"junk\n" + data, True),
    "junk after": (lambda data: data + b"junk\n", True),
    "carriage returns": (lambda data: data.replace(b"\n", b"\r\n"), True),
    "blanks at line ends": (lambda data: data.replace(b"Debian\n", b"Debian  \n"), True),
    "second message": (lambda data: data + data, False),
    "changed body": (lambda data: data.replace(b"Origin: Debian", b"Origin: Demian"), False),
    "changed hash": (lambda data: data.replace(*CHANGED_HASH), False),
    "dash-escaped line": (lambda data: data.replace(b"\nSuite:", b"\n- Suite:"), True),
    "dash-escaped trick": (
        lambda data: data.replace(b"\nSuite:", b"\n- -----BEGIN PGP SIGNATURE-----\nSuite:"),
        False,
    ),
    "truncated": (lambda data: data[:-200], False),
    "half": (lambda data: data[: len(data) // 2], False),
    "empty": (lambda _: b"", False),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_we_are_never_more_trusting_than_gpgv(
    case: str, releases: dict[str, bytes], tool: Callable[[str], str], tmp_path: Path
) -> None:
    tamper, passes_gpgv = TAMPERED[case]
    data = tamper(releases["bookworm"])
    certificates = archive_certificates(distribution("bookworm").suites[0].keys)
    assert (_gpgv(tool("gpgv"), data, tmp_path) is not None) is passes_gpgv
    if case == "untouched":
        assert verified_text(data, certificates, where="x")
        return
    with pytest.raises(ArchiveUntrusted):
        verified_text(data, certificates, where="x")


def _gpgv(program: str, data: bytes, directory: Path) -> bytes | None:
    """Return the body that gpgv verified with the shipped keys; None when it refuses."""
    keys = Path(archive_certificates.__code__.co_filename).parent / "keys"
    keyring, message, body = directory / "keys.gpg", directory / "message", directory / "body"
    keyring.write_bytes(b"".join(path.read_bytes() for path in sorted(keys.glob("*.gpg"))))
    message.write_bytes(data)
    command = [program, "--status-fd", "1", "--keyring", keyring, "--output", body, message]
    result = subprocess.run(command, capture_output=True, check=False)
    text = body.read_bytes() if body.exists() else b""
    body.unlink(missing_ok=True)
    # Suites of bookworm are also signed with the keys of bullseye, which are not shipped.
    only_unknown = b"VALIDSIG" in result.stdout and b"NO_PUBKEY" in result.stdout
    passed = result.returncode == 0 or (only_unknown and b"BADSIG" not in result.stdout)
    return text if passed else None


# --- resolution ---


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("release", RELEASES)
def test_real_bases_resolve(release: str, architecture: str, locked) -> None:  # noqa: ANN001
    lock = locked(release, architecture)
    names = {package.name for package in lock.packages}
    python = f"python{distribution(release).python}"
    assert names >= {python, f"{python}-minimal", "libc6", "libstdc++6", "tzdata", "base-files"}
    assert not names & {"dash", "bash", "dpkg", "perl", "perl-base", "tar", "debconf", "openssl"}
    assert 20 <= len(names) <= 40
    assert 10_000_000 < lock.size_bytes < 20_000_000
    assert {package.group for package in lock.packages} == {"base"}
    assert locked(release, architecture) == DebianLock.from_json(lock.to_json())


def test_a_real_index_that_was_tampered_with_is_refused(mirrors: Mirrors, now: datetime) -> None:
    def tampered(url: str, *, limit_bytes: int) -> bytes:
        data = download(url, limit_bytes=limit_bytes)
        return data if url.endswith("InRelease") else data[:-1] + bytes([data[-1] ^ 1])

    with pytest.raises(IndexMismatch, match="signed release file"):
        resolve("bookworm", "amd64", (), mirrors, tampered, now, discard)


def test_versions_are_ordered_as_dpkg_orders_them(locked, tool) -> None:  # noqa: ANN001
    dpkg = tool("dpkg")
    versions = sorted({one.version for name in RELEASES for one in locked(name).packages})
    ordered = newest_first(versions)
    for newer, older in pairwise(ordered):
        assert subprocess.run([dpkg, "--compare-versions", newer, "ge", older], check=True)


# --- images ---


@pytest.fixture(scope="session")
def joined(locked, packages, tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN001, ANN201
    """Join the base of a release, once."""
    bases: dict[tuple[str, str], Base] = {}

    def join(release: str, architecture: str = "amd64") -> Base:
        if (release, architecture) not in bases:
            debs = packages(locked(release, architecture))
            work = tmp_path_factory.mktemp(f"{release}-{architecture}")
            bases[release, architecture] = join_packages(debs, release, work)
        return bases[release, architecture]

    return join


def _size(base: Base) -> int:
    return sum(one.content.size_bytes for one in base.entries() if isinstance(one, File))


def _read(entry: File) -> bytes:
    assert isinstance(entry.content, InMemory | Streamed)
    content = entry.content
    return content.data if isinstance(content, InMemory) else b"".join(content.open())


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("release", RELEASES)
def test_real_packages_join_without_a_script_unread(
    release: str,
    architecture: str,
    joined,  # noqa: ANN001
) -> None:
    base = joined(release, architecture)
    handled = {(one.package, one.script): one for one in base.verdicts}
    assert handled["libc6", "postinst"].handling == "nothing"
    assert handled["tzdata", "postinst"].handling == "reproduced"
    assert handled["ca-certificates", "postinst"].handling == "reproduced"
    assert {one.handling for one in base.verdicts} <= {"nothing", "generated", "reproduced"}
    paths = {entry.path: entry for entry in base.entries()}
    version = distribution(release).version.encode()
    assert b'VERSION_ID="' + version + b'"' in _read(paths["usr/lib/os-release"])
    bundle = _read(paths["etc/ssl/certs/ca-certificates.crt"])
    assert 100 < bundle.count(b"-----BEGIN CERTIFICATE-----") < 250
    assert {"usr/share/zoneinfo/Europe/Berlin", "etc/localtime", "etc/services"} <= paths.keys()
    assert not any(path.startswith(("bin/", "lib/", "usr/share/man/")) for path in paths)
    assert not any("__pycache__" in path for path in paths)
    assert not any(entry.mode & 0o6000 for entry in paths.values())
    assert {path for path in paths if path.startswith("usr/bin/")} <= {
        f"usr/bin/{name}{distribution(release).python}"
        for name in ("python", "pydoc", "pygettext", "pdb")
    } | {"usr/bin/python3"}
    copyrights = {path.split("/")[3] for path in paths if path.endswith("/copyright")}
    documented = {path.split("/")[3] for path in paths if path.count("/") == 3 and "/doc/" in path}
    names = {one.package for one in base.verdicts}
    assert names <= copyrights | documented, "the licence of every package is there"
    assert 40_000_000 < _size(base) < CONTENT_BYTES


@pytest.mark.parametrize("release", RELEASES)
def test_two_runs_give_the_same_entries(
    release: str,
    joined,  # noqa: ANN001
    locked,  # noqa: ANN001
    packages,  # noqa: ANN001
    tmp_path: Path,
) -> None:
    again = join_packages(packages(locked(release))[::-1], release, tmp_path)
    assert _listing(again) == _listing(joined(release))


def _listing(base: Base) -> list[tuple[object, ...]]:
    return [
        (
            entry.path,
            type(entry).__name__,
            entry.mode,
            getattr(entry, "target", ""),
            hashlib.sha256(_read(entry)).hexdigest() if isinstance(entry, File) else "",
        )
        for entry in base.entries()
    ]


def test_a_real_package_that_was_tampered_with_is_refused(
    locked,  # noqa: ANN001
    packages,  # noqa: ANN001
    tmp_path: Path,
) -> None:
    debs = packages(locked("bookworm"))
    package, path = debs[4]
    tampered = tmp_path / "x.deb"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    tampered.write_bytes(data)
    (tmp_path / "work").mkdir()
    with pytest.raises(PackageMismatch, match=package.name):
        join_packages([*debs[:4], (package, tampered)], "bookworm", tmp_path / "work")


def test_status_files_are_what_dpkg_deb_prints(joined, locked, packages, tool) -> None:  # noqa: ANN001
    program = tool("dpkg-deb")
    paths = {entry.path: entry for entry in joined("bookworm").entries()}
    for package, path in packages(locked("bookworm")):
        printed = subprocess.run([program, "--field", path], check=True, capture_output=True).stdout
        assert _read(paths[f"var/lib/dpkg/status.d/{package.name}"]) == printed


def test_files_are_those_that_dpkg_deb_unpacks(
    joined,  # noqa: ANN001
    locked,  # noqa: ANN001
    packages,  # noqa: ANN001
    tool,  # noqa: ANN001
    tmp_path: Path,
) -> None:
    """Every file that dpkg-deb extracts is in the image with the same bytes."""
    program = tool("dpkg-deb")
    paths = {entry.path: entry for entry in joined("trixie").entries()}
    compared = 0
    for package, path in packages(locked("trixie")):
        if package.name not in ("libc6", "libpython3.13-stdlib", "tzdata", "libssl3t64"):
            continue
        target = tmp_path / package.name
        subprocess.run([program, "--extract", path, target], check=True)
        for file in target.rglob("*"):
            name = file.relative_to(target).as_posix()
            if file.is_dir() or name.startswith(("usr/share/doc", "usr/share/lintian")):
                continue
            entry = paths[name]
            if file.is_symlink():
                assert str(file.readlink()) == getattr(entry, "target", None)
            elif isinstance(entry, File):
                assert _read(entry) == file.read_bytes()
                assert entry.mode == file.stat().st_mode & 0o7777
                compared += 1
    assert compared > 1000


# --- the interpreter ---

PROBE = """
import bz2, ctypes, hashlib, lzma, sqlite3, ssl, sys, uuid, zlib, zoneinfo
ctypes.CDLL(None)
hashlib.new("sha3_256")
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
mapped = {line.split()[-1] for line in open("/proc/self/maps") if "/" in line}
print(sys.version_info[:2], sys.prefix)
print(*sorted(mapped), sep="\\n")
"""

CHROOT = """
import locale, os, platform, pwd, socket, ssl, subprocess, sys, time, zoneinfo
os.chroot(sys.argv[1])
os.chdir("/")
os.setgroups([])
os.setresgid(65532, 65532, 65532)
os.setresuid(65532, 65532, 65532)
os.execve("/usr/bin/python3", ["/usr/bin/python3", "-c", sys.argv[2]], {})
"""

INSIDE = """
import locale, os, platform, pwd, socket, ssl, sys, tempfile, time, zoneinfo
assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 100
assert locale.setlocale(locale.LC_ALL, "C.UTF-8") == "C.UTF-8"
assert pwd.getpwuid(os.getuid()).pw_name == "app"
assert socket.getservbyname("https") == 443
assert time.tzname == ("UTC", "UTC")
assert zoneinfo.ZoneInfo("Asia/Tokyo").key == "Asia/Tokyo"
assert platform.freedesktop_os_release()["ID"] == "debian"
assert tempfile.gettempdir() == "/tmp"
assert not os.path.exists("/bin/sh")
print(sys.executable, sys.prefix, os.getuid(), os.getgid())
"""


@pytest.fixture(scope="session")
def root(locked, packages, tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN001, ANN201
    """Unpack the base of a release, once."""
    roots: dict[str, Path] = {}

    def unpack(release: str) -> Path:
        if release not in roots:
            roots[release] = tmp_path_factory.mktemp(release)
            work = tmp_path_factory.mktemp("debs")
            entries = base_entries(packages(locked(release)), release, work, group="base")
            materialise(entries, roots[release])
        return roots[release]

    return unpack


@pytest.fixture
def amd64(missing: Callable[[str], None]) -> None:
    if os.uname().machine != "x86_64":
        missing("needs a machine of the architecture of the packages")


@pytest.mark.usefixtures("amd64")
@pytest.mark.parametrize("options", [["-I"], ["-s", "-S", "-P"]])
@pytest.mark.parametrize("release", RELEASES)
def test_the_unpacked_python_runs_through_its_own_loader(
    release: str,
    options: list[str],
    root,  # noqa: ANN001
) -> None:
    python = distribution(release).python
    command, environment = loader_command(root(release), python)
    argv = [*command, *options, "-c", PROBE]
    result = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    first, *mapped = result.stdout.splitlines()
    version = tuple(map(int, python.split(".")))
    assert first == f"{version} {root(release)}/usr"
    assert len(mapped) > 10
    assert all(path.startswith(str(root(release))) for path in mapped), "nothing of this machine"


@pytest.mark.usefixtures("amd64")
@pytest.mark.parametrize("release", RELEASES)
def test_the_base_serves_a_process_inside_it(
    release: str,
    root,  # noqa: ANN001
    missing: Callable[[str], None],
) -> None:
    if os.geteuid() != 0:
        missing("needs root for chroot")
    for path in (root(release).parent, root(release), root(release) / "tmp"):
        path.chmod(0o1777 if path.name == "tmp" else 0o755)
    argv = [sys.executable, "-c", CHROOT, root(release), INSIDE]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout == "/usr/bin/python3 /usr 65532 65532\n"


# --- system packages ---


@pytest.mark.parametrize("release", RELEASES)
def test_packages_that_ml_services_ask_for_join_as_a_layer_of_their_own(
    release: str,
    locked,  # noqa: ANN001
    packages,  # noqa: ANN001
    joined,  # noqa: ANN001
    tmp_path: Path,
) -> None:
    lock = locked(release, "amd64", ("libgomp1", "libopenblas0-pthread", "libsndfile1", "tini"))
    base = join_packages(packages(lock), release, tmp_path)
    alone = joined(release)
    system = {entry.path: entry for entry in base.entries("system")}
    assert [one.path for one in base.entries("base")] == [one.path for one in alone.entries()]
    libraries = "usr/lib/x86_64-linux-gnu"
    blas = system[f"{libraries}/libblas.so.3"]
    assert getattr(blas, "target", "") == f"/{libraries}/openblas-pthread/libblas.so.3"
    assert {
        f"{libraries}/libgomp.so.1",
        f"{libraries}/libsndfile.so.1",
        "usr/bin/tini",
    } <= system.keys()
    assert "usr/bin/python3" not in system


def test_a_real_unknown_script_is_shown_and_can_be_waived(
    locked,  # noqa: ANN001
    packages,  # noqa: ANN001
    tmp_path: Path,
) -> None:
    lock = locked("bookworm", "amd64", ("iputils-ping",))
    debs = packages(lock)
    (tmp_path / "first").mkdir()
    with pytest.raises(UnknownMaintainerScript, match="setcap") as caught:
        join_packages(debs, "bookworm", tmp_path / "first")
    assert 'waive-scripts = [{ package = "iputils-ping", reason = "…" }]' in str(caught.value.hint)
    waiver = SimpleNamespace(package="iputils-ping", version=None, reason="root may ping")
    (tmp_path / "second").mkdir()
    base = join_packages(debs, "bookworm", tmp_path / "second", waivers=[waiver])
    assert "usr/bin/ping" in {entry.path for entry in base.entries("system")}
    assert "waived" in {verdict.handling for verdict in base.verdicts}
