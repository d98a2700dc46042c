# SPDX-License-Identifier: Apache-2.0
"""The store: what was put is found, what was damaged is not, whoever else uses it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from wheelship.archive.entry import Directory, Entry, File, InMemory
from wheelship.archive.layer import LayerWriter
from wheelship.archive.result import IndexRow
from wheelship.errors import ExitStatus, MachineError
from wheelship.files.digest import file_digest
from wheelship.files.write import write_file
from wheelship.oci.digest import Digest
from wheelship.store.errors import DamagedStore, DiskFull, NotWritable, disk_errors
from wheelship.store.store import LayerRecord, Store

KEY = Digest.of(b"key")
OTHER = Digest.of(b"other")
ENTRIES: list[Entry] = [
    Directory(path="opt"),
    File(path="opt/a", mode=0o755, content=InMemory(b"content of a")),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


def put(store: Store, key: Digest = KEY, entries: list[Entry] = ENTRIES) -> LayerRecord:
    with store.work_file() as (stream, path):
        writer = LayerWriter(stream)
        for entry in entries:
            writer.add(entry)
        finished = writer.finish()
        stream.flush()
        return store.put_layer(key, path, finished)


def blob_of(store: Store, record: LayerRecord) -> Path:
    assert record.digest is not None
    return store.blob(record.digest)


def leftovers(store: Store) -> list[Path]:
    return [path for path in (store.root / "tmp").rglob("*") if path.is_file()]


# Put and find


def test_what_was_put_is_found(store: Store, tmp_path: Path) -> None:
    record = put(store)
    assert store.find_layer(KEY) == store.find_record(KEY) == record
    assert Store(tmp_path / "store").find_layer(KEY) == record
    assert record.digest == file_digest(blob_of(store, record))
    assert record.size_bytes == blob_of(store, record).stat().st_size
    assert store.find_layer(OTHER) is None
    assert store.find_record(OTHER) is None


def test_blobs_are_read_only_and_nothing_is_left_behind(store: Store) -> None:
    """DESIGN §3: blobs 0444, so that a hard link in a layout cannot change them."""
    assert blob_of(store, put(store)).stat().st_mode & 0o777 == 0o444
    assert leftovers(store) == []


def test_a_key_that_gives_no_layer_is_remembered(store: Store) -> None:
    store.put_layer(KEY, None, None)
    assert store.find_layer(KEY) == LayerRecord(
        digest=None, diff_id=None, size_bytes=0, unpacked_bytes=0
    )
    assert store.index(KEY) == []
    store.refresh(KEY, LayerRecord(digest=None, diff_id=None, size_bytes=0, unpacked_bytes=0))


@pytest.mark.parametrize(
    "path", ["plain", "with space", "ünï", "line\nend", "\r", "\x0c", "\x85", "\u2028", "-", " "]
)
def test_the_index_gives_back_every_path(store: Store, path: str) -> None:
    """Paths may hold what other programs take for the end of a line."""
    entries: list[Entry] = [
        File(path=path, mode=0o755, content=InMemory(b"x")),
        Directory(path="d", mode=0o1777),
    ]
    put(store, entries=entries)
    sha256 = Digest.of(b"x").hex
    assert store.index(KEY) == [IndexRow(path, 0o755, 1, sha256), IndexRow("d", 0o1777, 0, "")]


def test_two_keys_may_give_one_blob(store: Store) -> None:
    first, second = put(store, KEY), put(store, OTHER)
    assert first == second
    assert store.find_layer(KEY) == store.find_layer(OTHER) == first
    assert len(list((store.root / "blobs/sha256").iterdir())) == 1


def test_marks_remember_documents(store: Store) -> None:
    assert store.marked(KEY) == (False, None)
    store.mark(KEY)
    assert store.marked(KEY) == (True, None)
    store.mark(KEY, {"a": [1, "ü"]})
    assert store.marked(KEY) == (True, {"a": [1, "ü"]})
    assert store.marked(OTHER) == (False, None)


# Damage


def rewrite(path: Path, data: bytes) -> None:
    """Change a file in place; its size and modification time stay when the size does."""
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(0o444)


def test_a_flipped_bit_is_found_although_size_and_time_are_the_same(store: Store) -> None:
    """DESIGN §3: size and ctime are checked on reuse; a damaged blob is removed."""
    blob = blob_of(store, put(store))
    before = blob.stat()
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(blob, bytes(data))
    assert (blob.stat().st_size, blob.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert store.find_layer(KEY) is None
    assert not blob.exists()
    put(store)
    assert store.find_layer(KEY) is not None


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_truncated_blob_is_found_and_removed(store: Store, size: int) -> None:
    """What a power cut leaves behind."""
    blob = blob_of(store, put(store))
    rewrite(blob, blob.read_bytes()[:size])
    assert store.find_layer(KEY) is None
    assert not blob.exists()


def test_a_missing_blob_is_a_miss(store: Store) -> None:
    blob_of(store, put(store)).unlink()
    assert store.find_layer(KEY) is None
    assert store.find_record(KEY) is not None


def test_an_unreadable_blob_is_a_miss(store: Store) -> None:
    blob = blob_of(store, put(store))
    blob.unlink()
    blob.mkdir()
    assert store.find_layer(KEY) is None


def test_a_touched_but_whole_blob_is_hashed_once_and_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hard link changes the ctime; the new one is noted so that the next build need not hash."""
    record = put(store)
    blob = blob_of(store, record)
    (store.root / "link").hardlink_to(blob)
    hashed: list[Path] = []

    def counting(path: Path) -> Digest:
        hashed.append(path)
        return file_digest(path)

    monkeypatch.setattr("wheelship.store.store.file_digest", counting)
    assert store.find_layer(KEY) == record
    assert hashed == [blob]
    assert store.find_layer(KEY) == record
    assert hashed == [blob]


def test_refresh_notes_a_change_that_was_ours(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = put(store)
    (store.root / "link").hardlink_to(blob_of(store, record))
    store.refresh(KEY, record)
    monkeypatch.setattr("wheelship.store.store.file_digest", None)
    assert store.find_layer(KEY) == record


def flips(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        for mask in (0x01, 0x20):
            damaged = bytearray(data)
            damaged[at] ^= mask
            yield bytes(damaged)


def test_every_flipped_bit_of_a_record_is_found(store: Store) -> None:
    """A wrong diff_id would give an image that nobody can unpack."""
    record = put(store)
    path = store.root / "layers" / f"{KEY.hex}.json"
    good = path.read_bytes()
    for damaged in flips(good):
        path.write_bytes(damaged)
        assert store.find_layer(KEY) in (None, record)
        assert store.find_record(KEY) in (None, record)
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert store.find_layer(KEY) is None
    path.write_bytes(good)
    assert store.find_layer(KEY) == record


def test_every_flipped_bit_of_a_mark_is_found(store: Store) -> None:
    store.mark(KEY, {"verdict": "right"})
    path = store.root / "marks" / KEY.hex
    good = path.read_bytes()
    for damaged in flips(good):
        path.write_bytes(damaged)
        assert store.marked(KEY) == (False, None)
    path.write_bytes(good)
    assert store.marked(KEY) == (True, {"verdict": "right"})


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_index_forgets_its_layer(store: Store, damage: str) -> None:
    """The next run repairs: the layer is made anew, index and all (DESIGN §11)."""
    put(store)
    path = store.root / "layers" / f"{KEY.hex}.index"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(bytes(data) if damage == "flip" else bytes(data[:5]))
    with pytest.raises(DamagedStore, match="forgotten") as caught:
        store.index(KEY)
    assert caught.value.exit_status == ExitStatus.MACHINE
    assert "again" in (caught.value.hint or "")
    assert store.find_layer(KEY) is None
    put(store)
    assert len(store.index(KEY)) == len(ENTRIES)


# Unfinished work


def test_unfinished_work_disappears(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.work_file() as (stream, path):
        stream.write(b"half")
        assert path.exists()
        raise ZeroDivisionError
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), store.work_directory() as folder:
        (folder / "deep").mkdir()
        raise ZeroDivisionError
    assert not folder.exists()
    assert list((store.root / "blobs/sha256").iterdir()) == []


def test_closing_removes_the_session(store: Store) -> None:
    put(store)
    assert len(list((store.root / "tmp").iterdir())) == 1
    store.close()
    assert list((store.root / "tmp").iterdir()) == []
    store.close()
    put(store, OTHER)
    assert store.find_layer(OTHER) is not None


KILLED = """
import sys, time
from pathlib import Path
from wheelship.store.store import Store
store = Store(Path(sys.argv[1]))
with store.work_file() as (stream, path), store.work_directory() as folder:
    stream.write(b"x" * 5_000_000)
    (folder / "file").write_bytes(b"y")
    print(path, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept_by_the_next(store: Store) -> None:
    """DESIGN §11: nothing incomplete under its final name; the next run repairs."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.root)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        half = Path(child.stdout.readline().strip())
        assert half.exists()
        put(store)
        assert half.exists(), "the work of a living process was swept"
        child.send_signal(signal.SIGKILL)
    assert half.exists()
    assert list((store.root / "blobs/sha256").iterdir()) != [half]
    other = Store(store.root)
    put(other, OTHER)
    assert not half.exists()
    assert not half.parent.exists()
    other.close()


def test_a_session_swept_before_it_was_locked_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may sweep between the making of the directory and its lock."""
    import fcntl

    flock = fcntl.flock
    swept: list[Path] = []

    def racing(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            folder = Path(f"/proc/self/fd/{descriptor}").readlink()
            swept.append(folder)
            folder.rmdir()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", racing)
    put(store)
    assert len(swept) == 1
    assert store.find_layer(KEY) is not None


# Several at once


def test_threads_share_one_session_and_one_result(store: Store) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> LayerRecord:
        barrier.wait()
        return put(store, KEY if number % 2 else OTHER)

    with ThreadPoolExecutor(8) as pool:
        records = set(pool.map(work, range(8)))
    assert len(records) == 1
    assert store.find_layer(KEY) == store.find_layer(OTHER) == records.pop()
    assert len(list((store.root / "tmp").iterdir())) == 1
    assert leftovers(store) == []


PUTTING = """
import sys
from pathlib import Path
from wheelship.archive.entry import File, InMemory
from wheelship.archive.layer import LayerWriter
from wheelship.oci.digest import Digest
from wheelship.store.store import Store
for turn in range(15):
    store = Store(Path(sys.argv[1]))
    for name in ("one", "two"):
        key = Digest.of(name.encode())
        with store.work_file() as (stream, path):
            writer = LayerWriter(stream)
            writer.add(File(path=name, content=InMemory(name.encode() * 1000)))
            finished = writer.finish()
            stream.flush()
            store.put_layer(key, path, finished)
        assert store.find_layer(key) is not None
    store.close()
"""


def test_processes_may_put_the_same_key_at_once(store: Store) -> None:
    """DESIGN §11: two builds at once; sessions come and go while others sweep."""
    command = [sys.executable, "-c", PUTTING, str(store.root)]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    messages = [child.communicate()[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], messages
    for name in (b"one", b"two"):
        record = store.find_layer(Digest.of(name))
        assert record is not None
        assert file_digest(blob_of(store, record)) == record.digest
    assert len(list((store.root / "blobs/sha256").iterdir())) == 2
    assert leftovers(store) == []


# A disk that refuses


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse larger files, as a full quota does (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_and_leaves_nothing_half_written(store: Store) -> None:
    """DESIGN §11: exit 5, and nothing incomplete under its final name."""
    noise: list[Entry] = [File(path="big", content=InMemory(os.urandom(3_000_000)))]
    with pytest.raises(DiskFull, match="no space left") as caught, file_size_limit(1_000_000):
        put(store, entries=noise)
    assert caught.value.exit_status == ExitStatus.MACHINE
    assert caught.value.where == str(store.root)
    assert "--store" in (caught.value.hint or "")
    assert leftovers(store) == []
    assert list((store.root / "blobs/sha256").iterdir()) == []
    assert store.find_layer(KEY) is None
    put(store, entries=noise)
    assert store.find_layer(KEY) is not None


def test_a_disk_that_fills_up_at_the_record_leaves_no_layer(store: Store) -> None:
    with store.work_file() as (stream, path):
        writer = LayerWriter(stream)
        writer.add(ENTRIES[0])
        finished = writer.finish()
        stream.flush()
        with pytest.raises(DiskFull), file_size_limit(10):
            store.put_layer(KEY, path, finished)
    assert store.find_layer(KEY) is None
    assert leftovers(store) == []


@pytest.mark.parametrize("where", ["file", "below a file", "sys", "proc", "long"])
def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    root = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file/store",
        "sys": Path("/sys/wheelship-store"),  # nobody may make a directory there, root included
        "proc": Path("/proc/wheelship-store"),  # where even making one says that it is not there
        "long": tmp_path / (300 * "a"),
    }[where]
    with pytest.raises(NotWritable, match="cannot write") as caught:
        Store(root)
    assert isinstance(caught.value, MachineError)
    assert str(root) in (caught.value.where or "")


def test_a_directory_that_takes_no_new_file() -> None:
    """As /proc, which is there, is root's own, and lets nobody make a file."""
    with pytest.raises(NotWritable, match="cannot write"), disk_errors(Path("/proc")):
        write_file(Path("/proc/page.html"), b"")


def test_a_file_that_vanished_from_the_store_is_not_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path):
        (tmp_path / "gone").read_bytes()


def test_a_store_that_cannot_be_written_to_still_serves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared store may be mounted read-only: what is there is found, even when touched."""
    record = put(store)
    (store.root / "link").hardlink_to(blob_of(store, record))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkstemp", refuse)
        patch.setattr("os.utime", refuse)
        assert store.find_layer(KEY) == record
        assert store.find_layer(KEY) == record
        with pytest.raises(NotWritable):
            store.mark(KEY)
        with pytest.raises(NotWritable):
            store.refresh(KEY, record)


def test_other_errors_of_the_system_are_not_disguised(store: Store) -> None:
    with pytest.raises(TimeoutError), store.work_file():
        raise TimeoutError(110, "Connection timed out")


def test_places_are_named_by_content(store: Store) -> None:
    assert store.download("ab" * 32) == store.root / "downloads" / ("ab" * 32)
    with suppress(FileNotFoundError):
        store.blob(KEY).stat()
        pytest.fail("a blob that was never put")


# --- interpreters ---


def put_root(store: Store) -> Path:
    with store.work_directory() as work:
        tree = work / "tree"
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/python").write_bytes(b"python")
        (tree / "usr/bin/python").chmod(0o755)
        (tree / "bin").symlink_to("usr/bin")
        return store.put_root(KEY, tree)


def test_an_unpacked_interpreter_is_found_again(store: Store) -> None:
    assert store.find_root(KEY) is None
    root = put_root(store)
    assert (root / "bin/python").read_bytes() == b"python"
    assert store.find_root(KEY) == root
    assert put_root(store) == root  # another process made it too
    assert store.find_root(Digest.of(b"another")) is None


def test_a_copied_store_keeps_its_interpreters(store: Store, tmp_path: Path) -> None:
    """Change times differ then, and the bytes decide; afterwards the times serve again."""
    put_root(store)
    store.close()
    shutil.copytree(store.root, tmp_path / "copy", symlinks=True)
    copy = Store(tmp_path / "copy")
    root = copy.find_root(KEY)
    assert root == tmp_path / "copy/roots" / KEY.hex / "tree"
    seal = root.parent / "seal"
    before = seal.read_bytes()
    assert before != (store.root / "roots" / KEY.hex / "seal").read_bytes()
    assert copy.find_root(KEY) == root
    assert seal.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda root: (root / "usr/bin/python").write_bytes(b"pythom"),
        lambda root: (root / "usr/bin/python").chmod(0o644),
        lambda root: (root / "usr/bin/python").unlink(),
        lambda root: (root / "usr/bin/more").touch(),
        lambda root: ((root / "bin").unlink(), (root / "bin").symlink_to("usr")),
        shutil.rmtree,
        lambda root: (root.parent / "seal").unlink(),
        lambda root: (root.parent / "seal").write_bytes(b"x"),
        lambda root: (shutil.rmtree(root.parent), root.parent.write_bytes(b"file")),
    ],
)
def test_a_damaged_interpreter_is_given_up(store: Store, damage: Callable[[Path], object]) -> None:
    """DESIGN §11: a corrupted store is repaired; bytecode of a damaged library would stay."""
    root = put_root(store)
    damage(root)
    assert store.find_root(KEY) is None
    assert not root.parent.exists()
    assert put_root(store) == root
    assert store.find_root(KEY) == root
