# SPDX-License-Identifier: Apache-2.0
"""Waivers excuse what they are for, say so in the image, and excuse nothing else (DESIGN §6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.testing.deb import MadeDeb, TarMember, make_deb
from wheelship.testing.raw_zip import RawMember, raw_zip
from wheelship.testing.wheel import MadeWheel, make_wheel

ARCHITECTURE = native_platform().architecture
INFO = "alpha-1.0.dist-info"
REASON = "its build forgets generated files"
RECORD = f'waive-record = [{{ package = "alpha", version = "1.0", reason = "{REASON}" }}]'
SCRIPT = "#!/bin/sh\nset -e\ninstall -d /var/lib/odd\n"
SCRIPTS = 'waive-scripts = [{ package = "odd", reason = "the directory is not needed" }]'
SYSTEM = 'system-packages = ["odd"]\n'


def labels(root: Path) -> dict[str, str]:
    """Return the labels of the image in the layout."""
    blobs = root / "dist/demo/blobs/sha256"
    index = json.loads((root / "dist/demo/index.json").read_bytes())

    def blob(digest: str) -> Any:
        return json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())

    manifest = blob(index["manifests"][0]["digest"])
    found: dict[str, str] = blob(manifest["config"]["digest"])["config"]["Labels"]
    return found


def take(site: Any, wheel: MadeWheel, table: str = RECORD) -> None:
    """Let the project use ``wheel``."""
    site.serve(wheel)
    site.project("alpha", table=table)
    site.lock()


def warnings(site: Any) -> str:
    """Build, and return what was warned about."""
    err = site.run("build", str(site.root), "--json").err
    assert isinstance(err, str)
    return err


def of_raw(*members: RawMember) -> MadeWheel:
    about = b"Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n"
    kind = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rest = [
        RawMember(name=f"{INFO}/METADATA".encode(), data=about),
        RawMember(name=f"{INFO}/WHEEL".encode(), data=kind),
        RawMember(name=f"{INFO}/RECORD".encode(), data=b""),
    ]
    return MadeWheel(filename="alpha-1.0-py3-none-any.whl", data=raw_zip([*members, *rest]))


INCOMPLETE = make_wheel(
    "alpha",
    files={"alpha/__init__.py": b"", "alpha/made.py": b"x = 1\n"},
    record="alpha/gone.py,,\n../../../../etc/passwd,,\nalpha/made.py,md5=AAAA,6\n"
    f"alpha/__init__.py,sha256={'e3' * 32},0\n{INFO}/RECORD,,\n",
)


# --- waive-record ---


def test_an_incomplete_record_is_accepted_with_a_reason_and_said_in_the_image(site: Any) -> None:
    take(site, INCOMPLETE, table="")
    error = site.refuse("build", str(site.root), code="record-mismatch", status=3)
    hint = error["hint"].splitlines()[-1].replace("…", REASON)
    assert hint == RECORD
    site.project("alpha", table=hint)
    site.lock()
    assert "unused-waiver" not in warnings(site)
    assert labels(site.root)["wheelship.waived"] == f"record alpha 1.0: {REASON}"


@pytest.mark.parametrize(
    ("wheel", "code", "says"),
    [
        (of_raw(RawMember(name=b"../../evil.py")), "invalid-wheel", "../../evil.py"),
        (of_raw(RawMember(name=b"/etc/evil")), "invalid-wheel", "/etc/evil"),
        (of_raw(RawMember(name=b"alpha/.wh.x")), "invalid-wheel", "alpha/.wh.x"),
        (
            of_raw(RawMember(name=b"alpha/l", data=b"/etc/passwd", mode=0o120777)),
            "invalid-wheel",
            "is a link",
        ),
        (
            of_raw(RawMember(name=b"alpha/a.py"), RawMember(name=b"alpha/a.py")),
            "invalid-wheel",
            "twice",
        ),
        (
            of_raw(RawMember(name=b"alpha/a.py", local_name=b"alpha/b.py")),
            "invalid-wheel",
            "another name in its local header",
        ),
        (
            of_raw(RawMember(name=b"alpha/a.py", before=b"hidden")),
            "invalid-wheel",
            "leaves a gap",
        ),
        (
            of_raw(RawMember(name=b"alpha-1.0.data/scripts/python3")),
            "unsafe-script",
            "'python3'",
        ),
        (
            make_wheel(
                "alpha",
                files={"alpha/x.py": b"1\n"},
                record="alpha/x.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,2\n",
            ),
            "content-mismatch",
            "alpha/x.py",
        ),
        (
            make_wheel("alpha", files={"alpha/x.py": b"1\n"}, record="a,,\na,,\n"),
            "record-mismatch",
            "lists a twice",
        ),
        (
            of_raw(
                RawMember(name=b"alpha/x.py", data=b"1\n", local={"crc": 1}, central={"crc": 1})
            ),
            "content-mismatch",
            "CRC-32",
        ),
    ],
    ids=[
        "traversal",
        "absolute path",
        "whiteout",
        "link",
        "twice",
        "two names",
        "hidden bytes",
        "script",
        "wrong hash",
        "doubled row",
        "wrong checksum",
    ],
)
def test_waiving_a_record_excuses_nothing_else(
    site: Any, wheel: MadeWheel, code: str, says: str
) -> None:
    take(site, wheel)
    site.refuse("build", str(site.root), code=code, status=3, says=["alpha", says])


@pytest.mark.parametrize(
    ("waived", "says"),
    [
        (
            '{ package = "alpha", version = "1.0", reason = "x" }',
            "alpha 1.0, whose RECORD is right",
        ),
        ('{ package = "alpha", version = "0.9", reason = "x" }', "but the image has alpha 1.0"),
        (
            '{ package = "omega", version = "1.0", reason = "x" }',
            "but the image has no such package",
        ),
    ],
    ids=["nothing to excuse", "another version", "another package"],
)
def test_a_record_waiver_without_use_is_warned_about(site: Any, waived: str, says: str) -> None:
    site.project("alpha", table=f"waive-record = [{waived}]")
    site.lock()
    shown = warnings(site)
    assert "warning[unused-waiver]: waive-record names" in shown
    assert says in shown


def test_a_record_waived_for_another_version_is_refused(site: Any) -> None:
    take(site, INCOMPLETE, table=RECORD.replace('"1.0"', '"0.9"'))
    site.refuse("build", str(site.root), code="record-mismatch", status=3)


# --- waive-scripts ---


def odd(**how: Any) -> MadeDeb:
    how.setdefault("files", {"usr/share/odd/x": b"x"})
    return make_deb("odd", architecture=ARCHITECTURE, **how)


def take_deb(site: Any, deb: MadeDeb, table: str = SCRIPTS) -> None:
    site.project("alpha", table=SYSTEM + table)
    site.base(deb)
    site.lock()


def test_a_script_is_accepted_as_not_run_and_said_in_the_image(site: Any) -> None:
    take_deb(site, odd(scripts={"postinst": SCRIPT}))
    assert "unused-waiver" not in warnings(site)
    assert labels(site.root)["wheelship.waived"] == "script odd : the directory is not needed"


@pytest.mark.parametrize(
    ("deb", "says"),
    [
        (odd(members=[TarMember("./../../evil", b"x")]), "'./../../evil' is not allowed"),
        (odd(members=[TarMember("./usr/.wh.bin", b"x")]), "'./usr/.wh.bin' is not allowed"),
        (odd(members=[TarMember("./dev/sda", kind=b"4")]), "is a device"),
        (odd(members=[TarMember("./a", b"1"), TarMember("./a", b"2")]), "holds a twice"),
    ],
    ids=["traversal", "whiteout", "device", "twice"],
)
def test_waiving_scripts_excuses_nothing_else(site: Any, deb: MadeDeb, says: str) -> None:
    take_deb(site, deb)
    site.refuse("build", str(site.root), code="invalid-deb", status=3, says=[says])


@pytest.mark.parametrize("name", ["odd", "libfoo1"], ids=["nothing to excuse", "another package"])
def test_a_script_waiver_without_use_is_warned_about(site: Any, name: str) -> None:
    take_deb(site, odd(), table=SCRIPTS.replace('"odd"', f'"{name}"'))
    assert f"warning[unused-waiver]: waive-scripts names {name}" in warnings(site)
