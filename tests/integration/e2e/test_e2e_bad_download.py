# SPDX-License-Identifier: Apache-2.0
"""Servers that break off, lie or fall silent, and wheels that are not what they say."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from wheelship.oci.validate import problems_of_layout
from wheelship.testing.index import Fault
from wheelship.testing.raw_zip import RawMember, raw_zip
from wheelship.testing.wheel import MadeWheel, make_wheel

WHEEL = "alpha-1.0-py3-none-any.whl"


def ranges(site: Any) -> list[str | None]:
    """Return which parts of the wheel were asked for, in order."""
    return [
        one.headers.get("range")
        for one in site.index.received
        if one.method == "GET" and one.path.endswith(WHEEL)
    ]


# --- servers ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path=WHEEL, truncate=300),
        Fault(path=WHEEL, truncate=300, reset=True),
        Fault(path=WHEEL, status=503),
    ],
    ids=["truncated", "reset", "busy"],
)
def test_a_download_that_fails_once_is_repeated(site: Any, fault: Fault) -> None:
    site.lock()
    site.index.faults.append(fault)
    site.build()
    assert site.index.faults == [], "the fault did happen"
    assert len(ranges(site)) == 2
    assert problems_of_layout(site.root / "dist" / "demo") == []
    site.require_sound_store()


def test_a_download_that_always_breaks_off_fails_and_goes_on_next_time(site: Any) -> None:
    site.lock()
    site.index.faults.append(Fault(path=WHEEL, times=99, truncate=100))
    error = site.refuse("build", str(site.root), code="unreachable", status=4, says=[WHEEL])
    assert "127.0.0.1" in error["where"]
    tried = ranges(site)
    assert tried == [None, "bytes=100-", "bytes=200-", "bytes=300-"]
    (partial,) = site.store.glob("downloads/*.partial")
    assert partial.stat().st_size == 400
    site.index.faults.clear()
    site.build()
    assert ranges(site)[len(tried) :] == ["bytes=400-"]
    assert not list(site.store.glob("downloads/*.partial"))
    assert problems_of_layout(site.root / "dist" / "demo") == []


def test_a_page_with_a_wrong_hash_is_found_out(site: Any) -> None:
    """The lock believes the page; the bytes do not."""
    link = f'<a href="../../files/{WHEEL}#sha256={"0" * 64}">{WHEEL}</a>'
    site.index.faults.append(
        Fault(
            path="/simple/alpha/",
            times=99,
            body=f"<!DOCTYPE html>{link}".encode(),
            headers={"Content-Type": "text/html"},
        )
    )
    site.lock()
    site.refuse(
        *("build", str(site.root)),
        code="download-hash-mismatch",
        status=4,
        says=[WHEEL, "expected sha256 000"],
    )
    assert not list(site.store.glob(f"downloads/{'0' * 64}*"))


def test_a_file_that_was_replaced_on_the_server_is_not_taken(site: Any) -> None:
    site.lock()
    other = make_wheel("alpha", files={"alpha/__init__.py": bytes(range(256)) * 99})
    site.serve(other)
    error = site.refuse(
        "build", str(site.root), code="download-size-mismatch", status=4, says=[WHEEL]
    )
    assert "wheelship lock" in error["hint"]
    assert other.sha256 not in {path.name for path in site.store.glob("downloads/*")}


def test_a_wheel_that_is_gone_is_named(site: Any) -> None:
    site.lock()
    (site.index.files / WHEEL).unlink()
    error = site.refuse(
        *("build", str(site.root)),
        code="http-status",
        status=4,
        says=[f"{site.index.url}/files/{WHEEL}", "404"],
    )
    assert error["hint"].endswith("wheelship lock")


def test_a_login_page_is_no_wheel(site: Any) -> None:
    """Captive portals answer everything with 200 and a page."""
    site.lock()
    site.index.faults.append(Fault(path=WHEEL, times=99, body=b"<html>please log in</html>"))
    site.refuse(*("build", str(site.root)), code="download-size-mismatch", status=4, says=[WHEEL])
    site.index.faults.clear()
    site.build()


def test_a_local_wheel_that_was_removed_is_named(site: Any) -> None:
    (site.root / "wheels").mkdir()
    make_wheel("gamma").write(site.root / "wheels")
    site.project("gamma", table='find-links = ["wheels"]')
    site.lock()
    (site.root / "wheels" / "gamma-1.0-py3-none-any.whl").unlink()
    site.refuse(
        *("build", str(site.root)),
        code="locked-file-missing",
        status=3,
        says=["gamma-1.0-py3-none-any.whl"],
    )


# --- wheels ---


def zipped(*members: RawMember) -> MadeWheel:
    """Return a wheel of which ``members`` are a part and whose RECORD tells of all else."""
    info = "alpha-1.0.dist-info"
    metadata = RawMember(
        name=f"{info}/METADATA".encode(), data=b"Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n"
    )
    return MadeWheel(filename=WHEEL, data=raw_zip([metadata, *members]))


def record_of(data: bytes) -> str:
    """Return the RECORD of a wheel whose only module holds ``data``."""
    made = make_wheel("alpha", files={"alpha/x.py": data})
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        return archive.read("alpha-1.0.dist-info/RECORD").decode()


@pytest.mark.parametrize(
    ("wheel", "code", "says"),
    [
        (
            make_wheel("alpha", files={"alpha/__init__.py": b"", "../../evil.py": b"x"}),
            "invalid-wheel",
            "../../evil.py",
        ),
        (
            make_wheel("alpha", files={"alpha/__init__.py": b"", "/etc/evil": b"x"}),
            "invalid-wheel",
            "/etc/evil",
        ),
        (
            make_wheel("alpha", files={"alpha-1.0.data/data/../../../evil": b"x"}),
            "invalid-wheel",
            "evil",
        ),
        (
            make_wheel("alpha", files={"alpha/.wh.keep": b"x"}),
            "invalid-wheel",
            "alpha/.wh.keep",
        ),
        (
            zipped(RawMember(name=b"alpha/twice.py"), RawMember(name=b"alpha/twice.py")),
            "invalid-wheel",
            "alpha/twice.py",
        ),
        (
            zipped(RawMember(name=b"alpha/one.py", local_name=b"alpha/two.py")),
            "invalid-wheel",
            "alpha/one.py",
        ),
        (
            make_wheel("alpha", files={"alpha/x.py": b"1\n"}, record="alpha/x.py,sha256=AAAA,2\n"),
            "record-mismatch",
            "malformed hash for alpha/x.py",
        ),
        (
            make_wheel("alpha", files={"alpha/x.py": b"1\n"}, record=record_of(b"2\n")),
            "content-mismatch",
            "alpha/x.py",
        ),
        (
            make_wheel(
                "alpha", files={"alpha/x.py": b"1\n"}, record="alpha-1.0.dist-info/RECORD,,\n"
            ),
            "record-mismatch",
            "RECORD does not list",
        ),
        (
            make_wheel("alpha", console_scripts={"python": "alpha:main"}),
            "unsafe-script",
            "'python'",
        ),
        (
            make_wheel("alpha", console_scripts={".wh.python": "alpha:main"}),
            "unsafe-script",
            "'.wh.python'",
        ),
        (
            make_wheel(
                "alpha",
                files={
                    "alpha/__init__.py": b"",
                    "evil-2.0.DIST-INFO/METADATA": b"Name: evil\nVersion: 2.0\n",
                },
            ),
            "invalid-wheel",
            "must hold one .dist-info directory",
        ),
        (
            make_wheel("alpha", console_scripts={"../../evil": "alpha:main"}),
            "unsafe-script",
            "../../evil",
        ),
        (
            make_wheel("alpha", files={"alpha-1.0.data/scripts/python3": b"#!python\n"}),
            "unsafe-script",
            "'python3'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wheel_that_lies_is_refused_and_leaves_no_layer(
    site: Any, wheel: MadeWheel, code: str, says: str
) -> None:
    site.build()
    honest = site.blobs()
    site.serve(wheel)
    (site.root / "pylock.cpu.toml").unlink()
    site.lock()
    before = (site.root / "dist/demo/index.json").read_bytes()
    site.refuse(
        "build",
        str(site.root),
        code=code,
        status=3,
        says=["alpha-1.0" if code != "content-mismatch" else "alpha 1.0", says],
    )
    assert site.blobs() == honest
    assert (site.root / "dist/demo/index.json").read_bytes() == before


def test_two_wheels_that_claim_one_file_are_both_named(site: Any) -> None:
    site.serve(
        make_wheel("alpha", files={"shared/x.py": b"1\n"}),
        make_wheel("beta", files={"shared/x.py": b"2\n"}),
    )
    site.project("alpha", "beta")
    site.lock()
    error = site.refuse(
        *("build", str(site.root)),
        code="conflicting-files",
        status=3,
        says=["alpha", "beta", "shared/x.py"],
    )
    assert "exclude" in error["hint"]
