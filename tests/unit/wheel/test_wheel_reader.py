# SPDX-License-Identifier: Apache-2.0
"""Wheels are opened strictly: the locked bytes, the right name, a RECORD that tells the truth."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from wheelship.archive.errors import ContentMismatch
from wheelship.errors import WheelshipError
from wheelship.testing.raw_zip import RawMember, raw_zip
from wheelship.testing.wheel import MadeWheel, ZipFile, make_wheel, zip_bytes
from wheelship.wheel.errors import InvalidWheel, RecordMismatch, WrongWheel
from wheelship.wheel.reader import Wheel, open_wheel

INFO = "demo-1.0.dist-info"
WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def opened(
    folder: Path,
    wheel: MadeWheel,
    *,
    waive: bool = False,
) -> AbstractContextManager[Wheel]:
    return open_wheel(wheel.write(folder), wheel.filename, sha256=wheel.sha256, waive_record=waive)


def refusal(folder: Path, wheel: MadeWheel, *, waive: bool = False) -> WheelshipError:
    with (
        pytest.raises(WheelshipError) as caught,
        opened(folder, wheel, waive=waive),
    ):
        pass
    return caught.value


def row(path: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, data).digest()
    encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"{path},{algorithm}={encoded},{len(data)}\n"


def handmade(files: dict[str, bytes], record: str | None = None, **changes: str) -> MadeWheel:
    """Return a wheel of exactly these files and a RECORD (right unless given)."""
    if record is None:
        record = "".join(row(path, data) for path, data in files.items()) + f"{INFO}/RECORD,,\n"
    members = [ZipFile(path, data) for path, data in files.items()]
    members.append(ZipFile(f"{INFO}/RECORD", record.encode()))
    filename = changes.get("filename", "demo-1.0-py3-none-any.whl")
    return MadeWheel(filename=filename, data=zip_bytes(members))


FILES = {"demo.py": b"value = 1\n", f"{INFO}/WHEEL": WHEEL, f"{INFO}/METADATA": METADATA}
ROWS = {path: row(path, data) for path, data in FILES.items()}


def test_a_waiver_without_use_can_be_told(tmp_path: Path) -> None:
    with opened(tmp_path, handmade(FILES), waive=True) as wheel:
        assert wheel.waived == ""


def test_an_honest_wheel_opens(tmp_path: Path) -> None:
    with opened(tmp_path, make_wheel("Demo_Pkg", "1.0", purelib=False)) as wheel:
        assert (wheel.name, wheel.version) == ("Demo_Pkg", "1.0")
        assert wheel.dist_info == "Demo_Pkg-1.0.dist-info"
        assert wheel.data_dir == "Demo_Pkg-1.0.data"
        assert wheel.purelib is False
        assert set(wheel.record) == set(wheel.members) - {"Demo_Pkg-1.0.dist-info/RECORD"}
        assert wheel.read("Demo_Pkg/__init__.py") == b"value = 1\n"
        assert b"".join(wheel.pieces("Demo_Pkg/__init__.py")) == b"value = 1\n"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_are_read_however_they_are_compressed(tmp_path: Path, method: int) -> None:
    made = make_wheel(files={"demo/data.bin": b"x" * 100_000}, method=method)
    with opened(tmp_path, made) as wheel:
        assert wheel.read("demo/data.bin") == b"x" * 100_000
        assert b"".join(wheel.pieces("demo/data.bin")) == b"x" * 100_000


def test_only_the_locked_wheel_opens(tmp_path: Path) -> None:
    """DESIGN §11: a replaced or corrupted download never gets further than its hash."""
    made = make_wheel()
    path = made.write(tmp_path)
    damaged = bytearray(made.data)
    damaged[40] ^= 1
    path.write_bytes(damaged)
    with (
        pytest.raises(WrongWheel, match="the lock says " + made.sha256) as caught,
        open_wheel(path, made.filename, sha256=made.sha256),
    ):
        pass
    assert caught.value.where == made.filename
    assert "wheelship lock" in (caught.value.hint or "")


def test_the_archive_is_read_strictly(tmp_path: Path) -> None:
    """A zip that two readers see differently is no wheel, and the message names the member."""
    made = make_wheel()
    data = raw_zip([RawMember(name=b"../evil.py", data=b"")])
    error = refusal(tmp_path, replace(made, data=data))
    assert isinstance(error, InvalidWheel)
    assert error.where == "demo-1.0-py3-none-any.whl: ../evil.py"
    assert "report it" in (error.hint or "")
    error = refusal(tmp_path, replace(made, data=b"no zip"))
    assert error.where == "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "filename",
    ["demo-1.0-py3-none-any.zip", "demo-1.0.whl", "demo.whl", "a-b-1.0-1-2-py3-none-any.whl", ""],
)
def test_a_file_name_must_be_a_wheels(tmp_path: Path, filename: str) -> None:
    """Binary distribution format, file name convention: five or six parts."""
    made = make_wheel()
    path = made.write(tmp_path)
    with (
        pytest.raises(InvalidWheel, match="no valid wheel file name"),
        open_wheel(path, filename, sha256=made.sha256),
    ):
        pass


def test_a_build_tag_is_allowed(tmp_path: Path) -> None:
    with opened(tmp_path, handmade(FILES, filename="demo-1.0-1build-py3-none-any.whl")) as wheel:
        assert (wheel.name, wheel.version) == ("demo", "1.0")


# The .dist-info directory


@pytest.mark.parametrize(
    ("filename", "directory"),
    [
        ("Demo_Pkg-1.0-py3-none-any.whl", "demo_pkg-1.0.dist-info"),
        ("demo_pkg-1.0-py3-none-any.whl", "Demo.Pkg-1.0.dist-info"),
        ("demo-1.0.0-py3-none-any.whl", "demo-1.0.dist-info"),
        ("demo-1.0+cpu-py3-none-any.whl", "demo-1.0+cpu.dist-info"),
        ("demo-1.0_1-py3-none-any.whl", "demo-1.0.post1.dist-info"),
        ("demo-2024_01-py3-none-any.whl", "demo-2024_01.dist-info"),
    ],
)
def test_names_and_versions_compare_normalised(
    tmp_path: Path, filename: str, directory: str
) -> None:
    """Names by PEP 503, versions by PEP 440: real wheels differ in case, dots and zeros."""
    name, _, version = directory.removesuffix(".dist-info").partition("-")
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    files = {f"{directory}/WHEEL": WHEEL, f"{directory}/METADATA": about}
    record = "".join(row(path, data) for path, data in files.items())
    members = [ZipFile(path, data) for path, data in files.items()]
    members.append(ZipFile(f"{directory}/RECORD", record.encode()))
    made = MadeWheel(filename=filename, data=zip_bytes(members))
    with opened(tmp_path, made) as wheel:
        assert wheel.dist_info == directory


@pytest.mark.parametrize(
    "filename",
    [
        "other-1.0-py3-none-any.whl",
        "demo-1.1-py3-none-any.whl",
        "demo-1.0+cpu-py3-none-any.whl",
        "demo-x-py3-none-any.whl",
    ],
)
def test_a_dist_info_of_another_package_is_refused(tmp_path: Path, filename: str) -> None:
    """The name that was locked is the name that gets installed."""
    error = refusal(tmp_path, handmade(FILES, filename=filename))
    assert isinstance(error, InvalidWheel)
    assert "holds demo-1.0.dist-info, which is another package" in error.message


def test_two_dist_info_directories_are_refused(tmp_path: Path) -> None:
    """Scanners and installers would pick different ones."""
    error = refusal(tmp_path, handmade({**FILES, "evil-2.0.dist-info/METADATA": METADATA}))
    assert "one .dist-info directory, has demo-1.0.dist-info, evil-2.0.dist-info" in error.message


def test_no_dist_info_directory_is_refused(tmp_path: Path) -> None:
    made = MadeWheel(filename="demo-1.0-py3-none-any.whl", data=zip_bytes([ZipFile("a.py", b"")]))
    assert "one .dist-info directory, has none" in refusal(tmp_path, made).message


@pytest.mark.parametrize("name", ["WHEEL", "METADATA"])
def test_a_missing_description_is_refused(tmp_path: Path, name: str) -> None:
    files = {path: data for path, data in FILES.items() if path != f"{INFO}/{name}"}
    error = refusal(tmp_path, handmade(files))
    assert isinstance(error, InvalidWheel)
    assert error.message == f"has no {INFO}/{name}"


def test_a_missing_record_is_refused_even_when_waived(tmp_path: Path) -> None:
    members = [ZipFile(path, data) for path, data in FILES.items()]
    made = MadeWheel(filename="demo-1.0-py3-none-any.whl", data=zip_bytes(members))
    assert refusal(tmp_path, made, waive=True).message == f"has no {INFO}/RECORD"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"Wheel-Version: 2.0\n", "version 2.0"),
        (b"Wheel-Version: 10.1\n", "version 10.1"),
        (b"Root-Is-Purelib: true\n", "version none"),
        (b"", "version none"),
    ],
)
def test_another_major_version_of_the_format_is_refused(
    tmp_path: Path, text: bytes, found: str
) -> None:
    """Binary distribution format: abort if Wheel-Version's major is greater."""
    error = refusal(tmp_path, handmade({**FILES, f"{INFO}/WHEEL": text}))
    assert isinstance(error, InvalidWheel)
    assert found in error.message


def test_a_later_minor_version_and_crlf_are_read(tmp_path: Path) -> None:
    text = b"Wheel-Version: 1.9\r\nRoot-Is-Purelib:  True \r\nTag: py3-none-any\r\n"
    with opened(tmp_path, handmade({**FILES, f"{INFO}/WHEEL": text})) as wheel:
        assert wheel.purelib is True


@pytest.mark.parametrize("name", ["WHEEL", "RECORD"])
def test_descriptions_must_be_utf8(tmp_path: Path, name: str) -> None:
    files = [ZipFile(path, data) for path, data in FILES.items() if path != f"{INFO}/{name}"]
    files.append(ZipFile(f"{INFO}/{name}", b"\xff\xfe"))
    if name != "RECORD":
        files.append(ZipFile(f"{INFO}/RECORD", b""))
    made = MadeWheel(filename="demo-1.0-py3-none-any.whl", data=zip_bytes(files))
    assert refusal(tmp_path, made).message == f"{INFO}/{name} is not UTF-8"


# What the wheel says of itself


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("Name: other\nVersion: 1.0\n", "calls itself other 1.0 in METADATA"),
        ("Name: demo\nVersion: 2.0\n", "calls itself demo 2.0 in METADATA"),
        ("Name: demo\n", "calls itself demo in METADATA"),
        ("", "calls itself nothing in METADATA"),
        ("Summary: x\n\nName: demo\nVersion: 1.0\n", "calls itself nothing in METADATA"),
        ("Name: demo\nVersion: 1.0\nname: other\n", "says Name twice"),
        ("Name: demo\nVersion: 1.0\nVersion: 1.0\n", "says Version twice"),
    ],
    ids=[
        "another name",
        "another version",
        "no version",
        "nothing",
        "in the description",
        "two names",
        "two versions",
    ],
)
def test_metadata_of_another_package_is_refused(tmp_path: Path, metadata: str, said: str) -> None:
    """Pip and scanners believe METADATA, the lock the file name."""
    error = refusal(tmp_path, handmade({**FILES, f"{INFO}/METADATA": metadata.encode()}))
    assert said in error.message
    assert error.hint


def test_metadata_is_compared_as_names_and_versions_are(tmp_path: Path) -> None:
    about = b"Name:De.mo\r\nVersion: 1.0.0\r\n\r\nName: x\r\n"
    info = "de_mo-1.0.dist-info"
    files = {f"{info}/WHEEL": WHEEL, f"{info}/METADATA": about}
    members = [ZipFile(path, data) for path, data in files.items()]
    record = "".join(row(path, data) for path, data in files.items())
    members.append(ZipFile(f"{info}/RECORD", record.encode()))
    made = MadeWheel(filename="de_mo-1.0-py3-none-any.whl", data=zip_bytes(members))
    with opened(tmp_path, made) as wheel:
        assert wheel.dist_info == info


@pytest.mark.parametrize("name", ["evil-2.0.DIST-INFO", "DEMO-1.0.Dist-Info"])
def test_a_second_dist_info_directory_is_found_in_any_case(tmp_path: Path, name: str) -> None:
    """importlib.metadata does."""
    error = refusal(tmp_path, handmade({**FILES, f"{name}/METADATA": METADATA}))
    assert "must hold one .dist-info directory" in error.message
    assert name in error.message


@pytest.mark.parametrize("line", ["Wheel-Version: 2.0\n", "root-is-purelib: false\n"])
def test_a_field_twice_is_refused(tmp_path: Path, line: str) -> None:
    """Of two values each reader takes another one."""
    error = refusal(tmp_path, handmade({**FILES, f"{INFO}/WHEEL": WHEEL + line.encode()}))
    assert "twice" in error.message


def test_tags_are_those_of_the_file_name(tmp_path: Path) -> None:
    """The lock chose by the file name, and honest wheels were renamed after they were built."""
    other = WHEEL.replace(b"py3-none-any", b"cp399-cp399-linux_x86_64")
    with opened(tmp_path, handmade({**FILES, f"{INFO}/WHEEL": other})) as wheel:
        assert wheel.filename == "demo-1.0-py3-none-any.whl"


def test_a_huge_record_is_not_read(tmp_path: Path) -> None:
    files = [ZipFile(path, data) for path, data in FILES.items()]
    files.append(ZipFile(f"{INFO}/RECORD", b"," * (32 * 1024 * 1024 + 1)))
    made = MadeWheel(filename="demo-1.0-py3-none-any.whl", data=zip_bytes(files))
    assert f"{INFO}/RECORD has 33554433 bytes" in refusal(tmp_path, made).message


# RECORD against the archive


def lies() -> dict[str, tuple[str, str]]:
    """Return RECORD texts that lie about ``FILES``, with what is said about them."""
    good = "".join(ROWS.values())
    without = good.replace(ROWS["demo.py"], "")
    demo = ROWS["demo.py"]
    return {
        "missing row": (without, "RECORD does not list demo.py"),
        "empty": ("", "RECORD does not list demo-1.0.dist-info/METADATA and 2 more"),
        "phantom row": (good + row("ghost.py", b""), "RECORD lists what is not there: ghost.py"),
        "row outside": (
            good + row("../../../../etc/passwd", b""),
            "RECORD lists what is not there: ../../../../etc/passwd",
        ),
        "absolute row": (good + row("/etc/passwd", b""), "what is not there: /etc/passwd"),
        "other spelling": (good.replace("demo.py", "./demo.py"), "does not list demo.py"),
        "no hash": (without + "demo.py,,10\n", "RECORD gives no hash for demo.py"),
        "no hash, no size": (without + "demo.py,,\n", "RECORD gives no hash for demo.py"),
        "wrong size": (good.replace(demo, demo[:-3] + "11\n"), "another size for demo.py"),
        "duplicate row": (good + demo, "RECORD lists demo.py twice"),
        "md5": (without + "demo.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,10\n", "hashes demo.py with 'md5'"),
        "sha1": (without + "demo.py,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,10\n", "with 'sha1'"),
        "hexadecimal": (
            without + f"demo.py,sha256={'e3' * 32},10\n",
            "has a malformed hash for demo.py",
        ),
        "sha224": (without + row("demo.py", b"value = 1\n", "sha224"), "with 'sha224'"),
    }


@pytest.mark.parametrize(("record", "message"), lies().values(), ids=lies().keys())
def test_a_record_that_lies_is_refused(tmp_path: Path, record: str, message: str) -> None:
    """Binary distribution format: every file must be "both mentioned and correctly hashed"."""
    error = refusal(tmp_path, handmade(FILES, record))
    assert isinstance(error, RecordMismatch)
    assert message in error.message
    assert error.where == "demo-1.0-py3-none-any.whl"


def test_all_problems_are_said_at_once_with_a_way_out(tmp_path: Path) -> None:
    record = row("ghost.py", b"") + f"{INFO}/WHEEL,,\n"
    error = refusal(tmp_path, handmade(FILES, record))
    assert re.fullmatch(
        r"RECORD does not list \S+METADATA and 1 more; RECORD lists what is not there: ghost\.py; "
        r"RECORD gives no hash for \S+WHEEL",
        error.message,
    )
    assert 'waive-record = [{ package = "demo", version = "1.0"' in (error.hint or "")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_wrong_hash_is_found_when_the_file_is_read(tmp_path: Path, algorithm: str) -> None:
    """The promise travels with the content and is checked by whoever reads it."""
    rest = "".join(ROWS.values()).replace(ROWS["demo.py"], "")
    right = handmade(FILES, rest + row("demo.py", FILES["demo.py"], algorithm))
    with opened(tmp_path, right) as wheel:
        assert wheel.read("demo.py") == FILES["demo.py"]
    wrong = handmade(FILES, rest + row("demo.py", b"value = 2\n", algorithm))
    for waive in (False, True):
        with opened(tmp_path, wrong, waive=waive) as wheel:
            assert wheel.record["demo.py"].hash is not None
            with pytest.raises(ContentMismatch) as caught:
                wheel.read("demo.py")
            assert caught.value.where == f"{wrong.filename}: demo.py"


@pytest.mark.parametrize("name", ["RECORD", "RECORD.jws", "RECORD.p7s"])
def test_record_and_its_signatures_need_no_row(tmp_path: Path, name: str) -> None:
    """The format exempts these three, whether they have a row or not."""
    files = FILES if name == "RECORD" else {**FILES, f"{INFO}/{name}": b"signature"}
    for extra in ("", f"{INFO}/{name},,\n"):
        with opened(tmp_path, handmade(files, "".join(ROWS.values()) + extra)) as wheel:
            assert f"{INFO}/{name}" not in wheel.record


def test_a_waived_record_may_be_incomplete_but_not_wrong(tmp_path: Path) -> None:
    """DESIGN §6: accepts unlisted files and rows without a file; a hash must still be right."""
    record = row("ghost.py", b"") + ROWS[f"{INFO}/WHEEL"] + "demo.py,md5=AA,99\n"
    record += row("../../../../etc/passwd", b"")
    made = handmade(FILES, record)
    assert isinstance(refusal(tmp_path, made), RecordMismatch)
    with opened(tmp_path, made, waive=True) as wheel:
        assert "lists what is not there: ../../../../etc/passwd and 1 more" in wheel.waived
        assert "hashes demo.py with 'md5'" in wheel.waived
        assert set(wheel.record) == {"demo.py", f"{INFO}/WHEEL"}
        assert wheel.read("demo.py") == FILES["demo.py"]
        assert wheel.read(f"{INFO}/METADATA") == METADATA


# Reading files


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with (
        opened(tmp_path, make_wheel()) as wheel,
        pytest.raises(InvalidWheel, match=r"has no ghost\.py"),
    ):
        wheel.read("ghost.py")


def test_only_small_files_are_read_whole(tmp_path: Path) -> None:
    """32 MiB: what is larger is streamed by the layer writer."""
    made = make_wheel(files={"demo/big.bin": bytes(32 * 1024 * 1024 + 1)})
    with (
        opened(tmp_path, made) as wheel,
        pytest.raises(InvalidWheel, match=r"demo/big\.bin has 33554433 bytes"),
    ):
        wheel.read("demo/big.bin")
