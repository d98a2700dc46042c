# SPDX-License-Identifier: Apache-2.0
"""A layer is read once: every entry is told, every byte has a place, what is wrong is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable

import pytest
import zstandard

from wheelship.archive.untar import InvalidLayer, UnsupportedLayer
from wheelship.events import Event, Warned
from wheelship.inspect.model import Entry, LayerContent
from wheelship.inspect.scan import read as module
from wheelship.inspect.scan.read import Limits, read_layer
from wheelship.oci.descriptor import LAYER_TAR, Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.model import SourceLayer
from wheelship.testing.source import TarMember, tar_member, tar_of_members


def read(
    tar: bytes,
    pack: Callable[[bytes], bytes] = bytes,
    *,
    diff_id: Digest | None = None,
    limits: Limits | None = None,
    events: list[Event] | None = None,
) -> LayerContent:
    blob = pack(tar)
    layer = SourceLayer(
        descriptor=Descriptor(media_type=LAYER_TAR, digest=Digest.of(blob), size_bytes=len(blob)),
        diff_id=diff_id or Digest.of(tar),
    )
    told: list[int] = []
    content = read_layer(
        io.BytesIO(blob),
        layer,
        limits=limits or Limits(),
        advance=told.append,
        emit=(events if events is not None else []).append,
        where="oci:made",
    )
    assert sum(told) == content.transfer_bytes == len(blob)
    assert sum(one.transfer_bytes for one in content.entries) == len(blob)
    assert sum(one.unpacked_bytes for one in content.entries) == content.unpacked_bytes == len(tar)
    assert all(one.transfer_bytes >= 0 for one in content.entries)
    assert content.entries[-1].kind == "framing"
    return content


def only(*members: TarMember, form: int = tarfile.PAX_FORMAT) -> Entry:
    content = read(tar_of_members(members, form))
    assert len(content.entries) == 2
    return content.entries[0]


def of_kind(kind: bytes, name: str = "x", target: str = "") -> TarMember:
    return tar_member(name, kind=kind, target=target)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_a_file_is_told_with_all_that_is_asked() -> None:
    found = only(tar_member("./usr//bin/tool", b"#!" * 300, mode=0o4755, mtime=1_700_000_000))
    assert found == Entry(
        path="usr/bin/tool",
        kind="file",
        size_bytes=600,
        unpacked_bytes=512 + 1024,
        transfer_bytes=512 + 1024,
        mode=0o4755,
        mtime=1_700_000_000,
        sha256=sha256(b"#!" * 300),
    )


def test_every_kind_of_entry() -> None:
    members = [
        tar_member("./", kind=tarfile.DIRTYPE),
        tar_member("a", b"1"),
        of_kind(tarfile.LNKTYPE, "b", "./a"),
        of_kind(tarfile.SYMTYPE, "c", "../../etc/../a"),
        of_kind(tarfile.CHRTYPE, "d"),
        of_kind(tarfile.BLKTYPE, "e"),
        of_kind(tarfile.FIFOTYPE, "f"),
        of_kind(tarfile.CONTTYPE, "g"),
        tar_member("dir/.wh.gone"),
        tar_member("dir/.wh..wh..opq"),
        tar_member(".wh.top"),
        tar_member(".wh..wh..opq"),
        tar_member(".wh..wh.plnk/1.2", b"aufs"),
    ]
    found = read(tar_of_members(members)).entries
    assert [(one.kind, one.path, one.target) for one in found] == [
        ("directory", "", ""),
        ("file", "a", ""),
        ("hardlink", "b", "a"),
        ("symlink", "c", "../../etc/../a"),
        ("device", "d", ""),
        ("device", "e", ""),
        ("device", "f", ""),
        ("file", "g", ""),
        ("whiteout", "dir/gone", ""),
        ("opaque", "dir", ""),
        ("whiteout", "top", ""),
        ("opaque", "", ""),
        ("framing", ".wh..wh.plnk/1.2", ""),
        ("framing", "(end of the archive)", ""),
    ]
    assert [one.path for one in found if one.sha256] == ["a", "g"]


LONG = "/".join(["directory" * 9] * 8) + "/file"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_targets(form: int) -> None:
    found = only(of_kind(tarfile.SYMTYPE, LONG, f"../{LONG}"), form=form)
    assert (found.path, found.target) == (LONG, f"../{LONG}")
    assert found.unpacked_bytes > 512 * 3, "the headers in front of it are its own"


def test_names_that_are_no_text_survive() -> None:
    name = b"caf\xe9\n\x1b[31m</script>".decode("utf-8", "surrogateescape")
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert only(tar_member(name, b"1"), form=form).path == name


def test_sizes_and_times_of_pax() -> None:
    header, data = tar_member("a", b"12345", mtime=1_700_000_000.9)
    header.pax_headers = {"size": "5"}
    found = only((header, data))
    assert (found.size_bytes, found.mtime) == (5, 1_700_000_000)


def test_a_global_header_applies_to_nothing() -> None:
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "other"}
    ) as archive:
        archive.addfile(*(tar_member("a")[:1]))
    (found, _) = read(out.getvalue()).entries
    assert found.path == "a"


def test_a_sparse_file_has_its_real_size_and_hashes_as_it_is_stored() -> None:
    header = tarfile.TarInfo("sparse")
    header.type, header.size = b"S", 512
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (4096, 512)
    block[482:495] = b"\1" + b"%011o\0" % (1 << 32)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    more = b"%011o\0%011o\0" % (1 << 32, 0) + bytes(488)
    tar = bytes(block) + more + b"d" * 512 + bytes(1024)
    found, _ = read(tar).entries
    assert (found.size_bytes, found.unpacked_bytes) == (1 << 32, 512 * 3)
    other = tar.replace(b"%011o\0%011o\0" % (1 << 32, 0), b"%011o\0%011o\0" % (1 << 31, 0))
    assert read(other).entries[0].sha256 != found.sha256


def test_sparse_files_with_the_same_data_elsewhere_differ() -> None:
    def sparse(offset: int) -> Entry:
        header, data = tar_member("a", b"12345")
        header.pax_headers = {"GNU.sparse.size": "9000", "GNU.sparse.map": f"{offset},5"}
        return only((header, data))

    assert sparse(0).size_bytes == 9000
    assert sparse(0) == sparse(0)
    assert sparse(0).sha256 != sparse(512).sha256


def test_a_file_twice_stays_twice() -> None:
    found = read(tar_of_members([tar_member("a", b"1"), tar_member("a", b"2")])).entries
    assert [one.path for one in found[:-1]] == ["a", "a"]


def test_an_archive_needs_no_end() -> None:
    tar = tar_of_members([tar_member("a", b"1")])[:1024]
    found = read(tar)
    assert (found.entries[-1].unpacked_bytes, found.entries[-1].transfer_bytes) == (0, 0)
    assert read(b"").entries[-1].unpacked_bytes == 0


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.compress, lambda tar: gzip.compress(tar) + bytes(999)]
)
def test_what_follows_the_content_is_of_the_framing(pack: Callable[[bytes], bytes]) -> None:
    tar = tar_of_members([tar_member("a", bytes(range(256)) * 40), tar_member("b", b"2" * 9000)])
    found = read(tar, pack).entries
    assert [one.path for one in found] == ["a", "b", "(end of the archive)"]
    assert found[0].transfer_bytes > found[1].transfer_bytes / 2
    if pack(b"").endswith(bytes(999)):
        assert found[2].transfer_bytes >= 999


GOOD = tar_of_members([tar_member("a", b"1" * 600), tar_member("b", b"2")])


WRONG = {
    "cut off in a file": (GOOD[:700], "ends inside its tar archive"),
    "cut off in a header": (GOOD[:400], "ends inside its tar archive"),
    "damaged header": (GOOD[: 512 * 3] + b"x" * 512 + GOOD[512 * 4 :], "checksum"),
    "text behind the end": (GOOD + b"more", "data after the end"),
    "second archive behind the end": (GOOD + GOOD, "data after the end"),
    "no archive": (b"what is this? " * 100, "checksum"),
    "path that climbs": (tar_of_members([tar_member("../a")]), "does not stay inside"),
    "path that climbs later": (tar_of_members([tar_member("a/../../b")]), "does not stay inside"),
    "hard link that climbs": (
        tar_of_members([of_kind(tarfile.LNKTYPE, "a", "../../etc/passwd")]),
        "does not stay",
    ),
    "root as a file": (tar_of_members([tar_member("./", b"1")]), "a root that is no directory"),
    "whiteout without a name": (tar_of_members([tar_member("a/.wh.")]), "whiteout of nothing"),
    "whiteout of the parent": (tar_of_members([tar_member("a/.wh...")]), "whiteout of nothing"),
    "name of 256 letters": (tar_of_members([tar_member("n" * 256)]), "no file system takes"),
    "path of 10000 letters": (tar_of_members([tar_member("n/" * 2500)]), "no file system takes"),
    "entry of no known type": (tar_of_members([of_kind(b"V", "label")]), "an entry of type 'V'"),
    "long name of nothing": (
        tar_of_members([tar_member("n" * 200)])[:1024],
        "behind an extended tar header",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused(case: str) -> None:
    tar, message = WRONG[case]
    for pack in (bytes, gzip.compress):
        with pytest.raises(InvalidLayer, match=message) as caught:
            read(tar, pack)
        assert caught.value.where == "oci:made"
        assert str(Digest.of(tar)) in caught.value.message or pack is not bytes


def test_another_diff_id_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="not what its configuration promises"):
        read(GOOD, diff_id=Digest.of(b"other"))


def test_a_damaged_or_foreign_blob_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="ends inside its gzip"):
        read(GOOD, lambda tar: gzip.compress(tar)[:-4])
    with pytest.raises(UnsupportedLayer, match="compressed with bzip2") as caught:
        read(GOOD, lambda _: b"BZh91AY&SY")
    assert caught.value.hint


def test_an_extended_header_that_would_fill_the_memory_is_refused() -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        header = tarfile.TarInfo("a")
        header.type, header.size = kind, 1 << 33
        with pytest.raises(InvalidLayer, match="claims 8589934592 bytes"):
            read(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_a_file_that_claims_more_than_there_is_ends_early() -> None:
    header = tarfile.TarInfo("a")
    header.size = 1 << 50
    with pytest.raises(InvalidLayer, match="ends inside"):
        read(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_limits() -> None:
    assert read(GOOD, limits=Limits(unpacked_bytes=len(GOOD), entries=2, name_bytes=2))
    with pytest.raises(InvalidLayer, match="unpacks to more than"):
        read(GOOD, limits=Limits(unpacked_bytes=len(GOOD) - 1))
    with pytest.raises(InvalidLayer, match="more than 1 entries"):
        read(GOOD, limits=Limits(entries=1))
    with pytest.raises(InvalidLayer, match="names of more than 1 bytes"):
        read(GOOD, limits=Limits(name_bytes=1))


RECORD = "usr/lib/python3/dist-packages/demo-1.dist-info/RECORD"


def test_documents_are_kept_whole_and_metadata_up_to_its_headers() -> None:
    kept = {
        RECORD: b"demo.py,,\n" * 60_000,
        "opt/demo-1.dist-info/METADATA": b"Name: demo\nVersion: 1\n",
        "opt/x.egg-info/PKG-INFO": b"Name: x\r\n",
        "opt/y.egg-info": b"Name: y\n",
        "var/lib/dpkg/status": b"Package: a\n",
        "var/lib/dpkg/status.d/tzdata": b"Package: tzdata\n",
        "var/lib/dpkg/info/a:amd64.list": b"/.\n",
        "opt/venv/pyvenv.cfg": b"home = /usr\n",
        "etc/os-release": b"",
    }
    text = b"\nA long description\n\nName: other\n"
    other = ["opt/RECORD", "var/lib/dpkg/info/a.postinst", "opt/METADATA", "opt/status"]
    members = [tar_member(path, data + text * ("METADATA" in path)) for path, data in kept.items()]
    found = read(tar_of_members([*members, *(tar_member(one, b"no") for one in other)]))
    assert dict(found.documents) == kept


def test_documents_that_are_too_large_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENT_BYTES_MAX", 100)
    monkeypatch.setattr(module, "DOCUMENTS_BYTES_MAX", 150)
    members = [
        tar_member(f"opt/{name}-1.dist-info/RECORD", b"x" * size)
        for name, size in (("a", 100), ("b", 101), ("c", 51), ("d", 50))
    ]
    events: list[Event] = []
    found = read(tar_of_members(members), events=events)
    assert [path for path, _ in found.documents] == [
        "opt/a-1.dist-info/RECORD",
        "opt/d-1.dist-info/RECORD",
    ]
    assert [one.code for one in events if isinstance(one, Warned)] == ["document-too-large"] * 2


CHILD = """
import gzip, io, json, resource, sys, tarfile
from wheelship.inspect.scan.read import Limits, read_layer
from wheelship.oci.descriptor import LAYER_TAR, Descriptor
from wheelship.oci.digest import Digest
from wheelship.source.model import SourceLayer
import hashlib

def headers(count):
    for number in range(count):
        header = tarfile.TarInfo("usr/lib/python3/dist-packages/package/module_%d.py" % number)
        header.size = 512
        yield header.tobuf(tarfile.USTAR_FORMAT) + number.to_bytes(512)
    yield bytes(1024)

tar = hashlib.sha256()
out = io.BytesIO()
with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packer:
    for piece in headers(int(sys.argv[1])):
        tar.update(piece)
        packer.write(piece)
blob = out.getvalue()
del out
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
layer = SourceLayer(
    descriptor=Descriptor(media_type=LAYER_TAR, digest=Digest.of(blob), size_bytes=len(blob)),
    diff_id=Digest(tar.hexdigest()),
)
content = read_layer(io.BytesIO(blob), layer, limits=Limits(), advance=lambda count: None,
                     emit=lambda event: None, where="made")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
json.dump([len(content.entries), (after - before) * 1024], sys.stdout)
"""


def test_memory_grows_by_little_for_each_entry() -> None:
    """500 000 entries are to stay below 300 MB: 500 bytes each, the interpreter aside."""
    count = 20_000
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(count)], capture_output=True, check=True
    )
    entries, grown = json.loads(done.stdout)
    assert entries == count + 1
    assert grown < count * 500 + 8_000_000
