# SPDX-License-Identifier: Apache-2.0
"""Packages joined into a base image: what gets in, what stays out, what is refused."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from wheelship.archive.entry import Directory, Entry, File, Hardlink, InMemory, Symlink
from wheelship.debian.base import Base, base_entries, join_packages
from wheelship.debian.effects import apply_effects
from wheelship.debian.errors import (
    InvalidDeb,
    LoaderPath,
    PackageMismatch,
    PackagePathConflict,
    UnexpectedShell,
    UnknownMaintainerScript,
)
from wheelship.debian.layout import load_layout
from wheelship.debian.maintainer import Certificates, Copy, Link, MakeDirectory, Text, Verdict
from wheelship.debian.package import open_package
from wheelship.debian.tree import Tree
from wheelship.events import Event, Warned, discard
from wheelship.testing.deb import MadeDeb, TarMember, make_deb

BASE_FILES = make_deb(
    "base-files",
    members=[
        *(
            TarMember(f"./{path}/", mode=0o755, kind=tarfile.DIRTYPE)
            for path in ("bin", "sbin", "lib", "etc", "usr", "usr/bin", "usr/sbin", "usr/lib")
        ),
        TarMember("./tmp/", mode=0o1777, kind=tarfile.DIRTYPE),
        TarMember("./run/", mode=0o755, kind=tarfile.DIRTYPE),
        TarMember("./var/", mode=0o755, kind=tarfile.DIRTYPE),
        TarMember("./etc/os-release", kind=tarfile.SYMTYPE, target="../usr/lib/os-release"),
        TarMember("./usr/lib/os-release", b"ID=debian\n"),
    ],
)


@dataclass(frozen=True)
class Waiver:
    package: str
    version: str | None = None
    reason: str = "tried it"


def _join(
    directory: Path,
    *debs: MadeDeb,
    system: Sequence[MadeDeb] = (),
    needed: Sequence[MadeDeb] = (),
    waivers: Sequence[Waiver] = (),
    emit=discard,  # noqa: ANN001
) -> Base:
    """Join; ``system`` packages were asked for, ``needed`` ones came along with them."""
    pairs = [(one.locked(), one.write(directory)) for one in (BASE_FILES, *debs)]
    pairs += [(one.locked(group="system", requested=True), one.write(directory)) for one in system]
    pairs += [(one.locked(group="system"), one.write(directory)) for one in needed]
    work = directory / "work"
    work.mkdir()
    return join_packages(pairs, "bookworm", work, waivers=waivers, emit=emit)


LAYOUT = load_layout(python="python3.11", multiarch="x86_64-linux-gnu")


def _tree(directory: Path, deb: MadeDeb) -> Tree:
    tree = Tree(LAYOUT)
    tree.add_package(open_package(deb.locked(), deb.write(directory), directory))
    return tree


def _paths(base: Base, group=None) -> dict[str, Entry]:  # noqa: ANN001
    return {entry.path: entry for entry in base.entries(group)}


def _content(entry: Entry) -> bytes:
    assert isinstance(entry, File)
    content = entry.content
    return content.data if isinstance(content, InMemory) else b"".join(content.open())


def _script(text: str) -> dict[str, str]:
    return {"postinst": f"#!/bin/sh\nset -e\n{text}\n"}


def test_the_tree_is_that_of_a_merged_system(tmp_path: Path) -> None:
    libc = make_deb(
        "libc6", files={"lib/x86_64-linux-gnu/libc.so.6": b"elf", "lib64/ld.so": "-> /lib/ld"}
    )
    paths = _paths(
        _join(tmp_path, libc, make_deb("tool", files={"bin/tool": b"x", "var/run/x": b""}))
    )
    for alias, target in [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib")]:
        assert paths[alias] == Symlink(path=alias, target=target)
    assert paths["lib64"] == Symlink(path="lib64", target="usr/lib64")
    assert paths["var/run"] == Symlink(path="var/run", target="../run")
    assert _content(paths["usr/lib/x86_64-linux-gnu/libc.so.6"]) == b"elf"
    assert paths["usr/lib64/ld.so"] == Symlink(path="usr/lib64/ld.so", target="/lib/ld")
    assert "usr/bin/tool" in paths
    assert "run/x" in paths
    assert "libx32" not in paths
    assert not any(path.startswith(("bin/", "lib/", "lib64/", "var/run/")) for path in paths)


def test_links_that_packages_bring_for_merged_usr_are_the_same(tmp_path: Path) -> None:
    trixie = make_deb("usrmerge", files={"bin": "-> usr/bin", "lib": "-> usr/lib"})
    assert _paths(_join(tmp_path, trixie))["bin"] == Symlink(path="bin", target="usr/bin")


def test_another_link_in_the_place_of_merged_usr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagePathConflict, match="/usr/bin belongs to base-files and to odd"):
        _join(tmp_path, make_deb("odd", files={"bin": "-> opt/bin"}))


def test_parents_come_before_children_and_are_all_there(tmp_path: Path) -> None:
    entries = list(_join(tmp_path, make_deb(files={"usr/share/a/b": b"", "opt/x": b""})).entries())
    seen: set[str] = set()
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        assert entry.path not in seen
        seen.add(entry.path)
    assert {"usr/share/a", "opt", "var/lib/dpkg/status.d"} <= seen


def test_users_and_name_services_are_fixed(tmp_path: Path) -> None:
    paths = _paths(_join(tmp_path))
    assert _content(paths["etc/passwd"]) == (
        b"root:x:0:0:root:/root:/sbin/nologin\n"
        b"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        b"app:x:65532:65532:app:/tmp:/sbin/nologin\n"
    )
    assert _content(paths["etc/group"]) == b"root:x:0:\nnogroup:x:65534:\napp:x:65532:\n"
    assert b"hosts: files dns\n" in _content(paths["etc/nsswitch.conf"])
    assert paths["usr/bin/python3"] == Symlink(path="usr/bin/python3", target="python3.11")
    assert (paths["tmp"].mode, paths["var/tmp"].mode, paths["root"].mode) == (0o1777, 0o1777, 0o700)
    assert paths["etc/os-release"] == Symlink(path="etc/os-release", target="../usr/lib/os-release")


def test_modes_lose_what_gives_rights(tmp_path: Path) -> None:
    members = [
        TarMember("./usr/bin/su", b"x", 0o4755),
        TarMember("./usr/bin/wall", b"x", 0o2755, gid=5),
        TarMember("./var/local/", mode=0o2775, kind=tarfile.DIRTYPE, gid=50),
        TarMember("./var/spool/", mode=0o1777, kind=tarfile.DIRTYPE, uid=8),
    ]
    paths = _paths(_join(tmp_path, make_deb(members=members)))
    assert paths["usr/bin/su"].mode == 0o755
    assert paths["usr/bin/wall"].mode == 0o755
    assert paths["var/local"].mode == 0o755
    assert paths["var/spool"].mode == 0o1777
    assert {(entry.uid, entry.gid) for entry in paths.values()} == {(0, 0)}


def test_documentation_stays_out_and_licences_stay_in(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "usr/share/doc/demo/copyright": b"MIT",
        "usr/share/doc/demo/changelog.gz": b"x",
        "usr/share/doc/demo/examples/copyright": b"x",
        "usr/share/doc/demo/FAQ": "-> ../faq",
        "usr/share/doc/same-source": "-> demo",
        "usr/share/man/man1/demo.1.gz": b"x",
        "usr/share/locale/de/LC_MESSAGES/demo.mo": b"x",
        "usr/share/lintian/overrides/demo": b"x",
        "usr/share/zoneinfo/Europe/Berlin": b"TZif",
        "usr/share/common-licenses/GPL-3": b"GPL",
        "usr/share/manual": b"not below man",
    }
    paths = _paths(_join(tmp_path, make_deb(files=files)))
    kept = {path for path, entry in paths.items() if path in files}
    assert kept == {
        "usr/share/doc/demo/copyright",
        "usr/share/doc/same-source",
        "usr/share/zoneinfo/Europe/Berlin",
        "usr/share/common-licenses/GPL-3",
        "usr/share/manual",
    }
    assert "usr/share/man" not in paths
    assert isinstance(paths["usr/share/doc/demo"], Directory)


def test_of_some_packages_only_a_part_is_taken(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "usr/lib/locale/C.utf8/LC_CTYPE": b"x",
        "usr/share/doc/libc-bin/copyright": b"LGPL",
        "sbin/ldconfig": b"x",
        "usr/bin/ldd": b"#!/bin/bash",
    }
    paths = _paths(_join(tmp_path, make_deb("libc-bin", files=files)))
    assert "usr/lib/locale/C.utf8/LC_CTYPE" in paths
    assert "usr/share/doc/libc-bin/copyright" in paths
    assert "usr/sbin/ldconfig" not in paths
    assert "usr/bin/ldd" not in paths


def test_scanners_find_every_package(tmp_path: Path) -> None:
    demo = make_deb(files={"usr/x": b"content"}, fields={"Depends": "libc6"})
    paths = _paths(_join(tmp_path, demo))
    status = _content(paths["var/lib/dpkg/status.d/demo"]).decode()
    assert status.startswith("Package: demo\nVersion: 1.0-1\nArchitecture: amd64\n")
    assert status.endswith("Depends: libc6\n")
    assert b"usr/x" in _content(paths["var/lib/dpkg/status.d/demo.md5sums"])
    assert "var/lib/dpkg/status.d/base-files" in paths
    assert "var/lib/dpkg/status" not in paths


def test_hard_links_share_their_content_under_the_first_path(tmp_path: Path) -> None:
    members = [
        TarMember("./usr/bin/z", b"tool", 0o755),
        TarMember("./usr/bin/a", kind=tarfile.LNKTYPE, target="./usr/bin/z"),
        TarMember("./bin/m", kind=tarfile.LNKTYPE, target="usr/bin/z"),
    ]
    entries = list(_join(tmp_path, make_deb(members=members)).entries())
    paths = {entry.path: entry for entry in entries}
    assert _content(paths["usr/bin/a"]) == b"tool"
    assert paths["usr/bin/a"].mode == 0o755
    assert paths["usr/bin/z"] == Hardlink(path="usr/bin/z", target="usr/bin/a", mode=0o755)
    assert paths["usr/bin/m"] == Hardlink(path="usr/bin/m", target="usr/bin/a", mode=0o755)


def test_a_hard_link_to_what_is_left_out_takes_the_content_over(tmp_path: Path) -> None:
    members = [
        TarMember("./usr/share/doc/demo/README", b"text"),
        TarMember("./usr/lib/demo.txt", kind=tarfile.LNKTYPE, target="./usr/share/doc/demo/README"),
    ]
    paths = _paths(_join(tmp_path, make_deb(members=members)))
    assert _content(paths["usr/lib/demo.txt"]) == b"text"
    assert "usr/share/doc/demo/README" not in paths


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path) -> None:
    members = [TarMember("./usr/a", kind=tarfile.LNKTYPE, target="usr/b")]
    with pytest.raises(InvalidDeb, match="hard link 'usr/a' leads to 'usr/b'"):
        _join(tmp_path, make_deb(members=members))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"usr/x": b"1"}, {"usr/x": b"1"}),
        ({"bin/x": b"1"}, {"usr/bin/x": b"1"}),
        ({"usr/x": b"1"}, {"usr/x": "-> y"}),
        ({"usr/x/y": b"1"}, {"usr/x": b"1"}),
        ({"usr/x": b"1"}, {"usr/x/y": b"1"}),
        ({"usr/x": "-> z"}, {"usr/x/y": b"1"}),
    ],
)
def test_two_packages_may_share_directories_only(
    first: dict[str, bytes | str], second: dict[str, bytes | str], tmp_path: Path
) -> None:
    shared = {"usr/shared/a": b""}, {"usr/shared/b": b""}
    assert _join(tmp_path, make_deb("one", files=shared[0]), make_deb("two", files=shared[1]))
    (tmp_path / "again").mkdir()
    with pytest.raises(PackagePathConflict):
        _join(tmp_path / "again", make_deb("one", files=first), make_deb("two", files=second))


def test_nothing_may_lie_below_a_link(tmp_path: Path) -> None:
    members = [
        TarMember("./usr/x", kind=tarfile.SYMTYPE, target="/etc"),
        TarMember("./usr/x/passwd", b"root::0:0"),
    ]
    with pytest.raises(PackagePathConflict, match="/usr/x/passwd of demo would lie below /usr/x"):
        _join(tmp_path, make_deb(members=members))


# --- layers ---


def test_the_base_layer_does_not_depend_on_system_packages(tmp_path: Path) -> None:
    def listing(base: Base, group: str) -> list[tuple[object, ...]]:
        return [
            (entry.path, type(entry), entry.mode, getattr(entry, "target", None))
            for entry in base.entries(group)
        ]

    (tmp_path / "alone").mkdir()
    (tmp_path / "with").mkdir()
    alone = _join(tmp_path / "alone", make_deb(files={"usr/share/x/a": b""}))
    members = [
        TarMember("./tmp/", mode=0o700, kind=tarfile.DIRTYPE),
        TarMember("./usr/share/x/", mode=0o700, kind=tarfile.DIRTYPE),
        TarMember("./usr/share/x/b", b""),
        TarMember("./usr/lib/ssl/certs", kind=tarfile.SYMTYPE, target="/etc/ssl/certs"),
    ]
    more = _join(
        tmp_path / "with",
        make_deb(files={"usr/share/x/a": b""}),
        system=[make_deb("extra", members=members)],
    )
    assert listing(more, "base") == listing(alone, "base")
    system = _paths(more, "system")
    assert "usr/share/x/a" not in system
    assert system["usr/share/x"].mode == 0o755, "the base's mode"
    assert system["tmp"].mode == 0o1777, "the base's mode"
    assert isinstance(system["usr/lib/ssl/certs"], Symlink), "a package's file beats ours"
    assert "var/lib/dpkg/status.d/extra" in system
    assert _paths(more).keys() == _paths(more, "base").keys() | system.keys()


def test_a_system_package_must_not_replace_files_of_the_base(tmp_path: Path) -> None:
    with pytest.raises(PackagePathConflict, match="/usr/x belongs to demo and to extra"):
        _join(
            tmp_path,
            make_deb(files={"usr/x": b"1"}),
            system=[make_deb("extra", files={"usr/x": b"2"})],
        )


def test_the_order_of_packages_does_not_matter(tmp_path: Path) -> None:
    debs = [
        make_deb("bb", files={"usr/s/b": b"b"}),
        make_deb("aa", files={"usr/s/a": b"a"}),
        BASE_FILES,
    ]
    listings = []
    for number, order in enumerate((debs, debs[::-1])):
        directory = tmp_path / str(number)
        (directory / "work").mkdir(parents=True)
        pairs = [(one.locked(), one.write(directory)) for one in order]
        entries = base_entries(pairs, "bookworm", directory / "work")
        listings.append(
            [(one.path, _content(one) if isinstance(one, File) else "") for one in entries]
        )
    assert listings[0] == listings[1]


# --- maintainer scripts ---


def test_scripts_that_cannot_run_in_an_image_need_no_reading(tmp_path: Path) -> None:
    scripts = dict.fromkeys(("config", "prerm", "postrm"), "#!/bin/sh\nanything at all\n")
    base = _join(tmp_path, make_deb(scripts=scripts | {"triggers": "interest x\n"}))
    assert [(one.script, one.handling) for one in base.verdicts] == [
        ("config", "nothing"),
        ("postrm", "nothing"),
        ("prerm", "nothing"),
        ("triggers", "nothing"),
    ]
    assert all(one.reason for one in base.verdicts)


def test_effects_happen_unless_something_is_there(tmp_path: Path) -> None:
    files = {"usr/share/default": b"default", "etc/present": b"mine"}
    effects = (
        Link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
        Text("etc/timezone", "Etc/UTC\n"),
        Copy("etc/inputrc", "usr/share/default"),
        MakeDirectory("lib/place", 0o750),
        Text("etc/present", "other"),
    )
    tree = _tree(tmp_path, make_deb(files=files))
    apply_effects(tree, LAYOUT, [Verdict("demo", "postinst", "reproduced", "", effects)])
    nodes = tree.nodes()
    link = Symlink(path="etc/localtime", target="/usr/share/zoneinfo/Etc/UTC")
    assert nodes["etc/localtime"].entry == link
    assert _content(nodes["etc/timezone"].entry) == b"Etc/UTC\n"
    assert _content(nodes["etc/inputrc"].entry) == b"default"
    assert nodes["usr/lib/place"].entry == Directory(path="usr/lib/place", mode=0o750)
    assert _content(nodes["etc/present"].entry) == b"mine"
    assert nodes["etc/timezone"].owner == "demo"


def test_a_copy_of_nothing_is_refused(tmp_path: Path) -> None:
    verdict = Verdict("demo", "postinst", "reproduced", "", (Copy("etc/x", "usr/share/gone"),))
    with pytest.raises(InvalidDeb, match="demo lacks /usr/share/gone"):
        apply_effects(_tree(tmp_path, make_deb()), LAYOUT, [verdict])


BLAS = (
    "update-alternatives --install /usr/lib/libblas.so.3 libblas.so.3"
    " /usr/lib/{name}/libblas.so.3 {priority}"
)


def test_of_alternatives_the_highest_priority_is_linked(tmp_path: Path) -> None:
    def blas(name: str, priority: int) -> MadeDeb:
        return make_deb(
            f"lib{name}",
            files={f"usr/lib/{name}/libblas.so.3": b"elf"},
            scripts=_script(BLAS.format(name=name, priority=priority)),
        )

    base = _join(tmp_path, blas("aaa", 10), blas("openblas", 100), blas("same", 100))
    link = _paths(base)["usr/lib/libblas.so.3"]
    assert link == Symlink(path="usr/lib/libblas.so.3", target="/usr/lib/openblas/libblas.so.3")
    assert {one.handling for one in base.verdicts} == {"reproduced"}


def test_an_alternative_to_nothing_is_refused(tmp_path: Path) -> None:
    script = _script(BLAS.format(name="gone", priority=1))
    with pytest.raises(InvalidDeb, match=r"demo lacks /usr/lib/gone/libblas\.so\.3"):
        _join(tmp_path, make_deb(scripts=script))


def test_slaves_of_manual_pages_are_left_out_with_them(tmp_path: Path) -> None:
    script = _script(
        "update-alternatives --install /usr/bin/nc nc /usr/bin/nc.openbsd 50"
        " --slave /usr/share/man/man1/nc.1.gz nc.1.gz /usr/share/man/man1/nc_openbsd.1.gz"
        " --slave /usr/bin/netcat netcat /usr/bin/nc.openbsd"
    )
    files = {"usr/bin/nc.openbsd": b"x", "usr/share/man/man1/nc_openbsd.1.gz": b"x"}
    paths = _paths(_join(tmp_path, make_deb(files=files, scripts=script)))
    assert paths["usr/bin/nc"] == Symlink(path="usr/bin/nc", target="/usr/bin/nc.openbsd")
    assert paths["usr/bin/netcat"] == Symlink(path="usr/bin/netcat", target="/usr/bin/nc.openbsd")
    assert "usr/share/man/man1/nc.1.gz" not in paths


def test_an_unknown_script_is_shown_with_the_line_that_waives_it(tmp_path: Path) -> None:
    one = make_deb("one", scripts=_script("install -d /var/lib/one\n" + "echo line\n" * 40))
    two = make_deb("two", scripts={"preinst": "#!/bin/sh\nmknod /dev/two\n"})
    with pytest.raises(UnknownMaintainerScript) as caught:
        _join(tmp_path, one, two)
    message, hint = caught.value.message, caught.value.hint
    assert "one, postinst" in message
    assert "  | install -d /var/lib/one\n" in message
    assert "more lines" in message
    assert message.count("echo line") < 30
    assert "  | mknod /dev/two" in message
    assert hint is not None
    assert hint.endswith(
        'waive-scripts = [{ package = "one", reason = "…" }, { package = "two", reason = "…" }]'
    )


def test_a_known_script_of_another_package_is_unknown(tmp_path: Path) -> None:
    script = _script(
        "if [ ! -e /usr/lib/ssl ]\nthen\n  echo Linking /usr/lib/ssl to /etc/ssl\n"
        "  ln -sf /etc/ssl /usr/lib/ssl\nfi"
    )
    known = _join(tmp_path, make_deb("openssl", scripts=script))
    assert [one.handling for one in known.verdicts] == ["nothing"]
    (tmp_path / "again").mkdir()
    with pytest.raises(UnknownMaintainerScript):
        _join(tmp_path / "again", make_deb("other", scripts=script))


def test_an_unknown_generator_is_unknown(tmp_path: Path) -> None:
    section = "# Automatically added by dh_evil/1\nrm -rf /\n# End automatically added section"
    with pytest.raises(UnknownMaintainerScript, match="dh_evil"):
        _join(tmp_path, make_deb(scripts=_script(section)))


def test_whatever_else_is_executable_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownMaintainerScript, match="demo, isinstallable"):
        _join(tmp_path, make_deb(scripts={"isinstallable": "#!/bin/sh\nreboot\n"}))


def test_a_waiver_is_accepted_and_reported(tmp_path: Path) -> None:
    events: list[Event] = []
    base = _join(
        tmp_path,
        make_deb(scripts=_script("do something")),
        waivers=[Waiver("demo", reason="works without"), Waiver("absent")],
        emit=events.append,
    )
    (verdict,) = base.verdicts
    assert (verdict.handling, verdict.reason) == ("waived", "works without")
    (event,) = events
    assert isinstance(event, Warned)
    assert event.code == "unused-waiver"
    assert "absent" in event.message


def test_a_waiver_for_another_version_does_not_count(tmp_path: Path) -> None:
    deb = make_deb(scripts=_script("do something"))
    with pytest.raises(UnknownMaintainerScript):
        _join(tmp_path, deb, waivers=[Waiver("demo", version="2.0")])
    (tmp_path / "again").mkdir()
    assert _join(tmp_path / "again", deb, waivers=[Waiver("demo", version="1.0-1")])


def test_an_effect_that_is_made_in_part_is_warned_about(tmp_path: Path) -> None:
    tool = "update-mime-database"
    text = f"if which {tool} >/dev/null 2>&1; then\n{tool} /usr/share/mime\n"
    script = 'if [ "$1" = "triggered" ]; then\n' + text + "fi\nexit 0\nfi\n" + text + "fi\n"
    events: list[Event] = []
    base = _join(
        tmp_path, make_deb("shared-mime-info", scripts=_script(script)), emit=events.append
    )
    assert [one.handling for one in base.verdicts] == ["partial"]
    assert [one.code for one in events if isinstance(one, Warned)] == ["partial-maintainer-script"]


# --- certificates ---

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIB\nAAA=\n-----END CERTIFICATE-----\n"


def _bundle(directory: Path, data: bytes) -> bytes:
    files = {
        "usr/share/ca-certificates/mozilla/b.crt": CERTIFICATE.replace(b"MIIB", b"SECOND"),
        "usr/share/ca-certificates/mozilla/a.crt": data,
        "usr/share/ca-certificates/mozilla/c.crt": CERTIFICATE.replace(b"MIIB", b"THIRD"),
        "usr/share/ca-certificates/mozilla/README": b"no certificate",
    }
    directory.mkdir()
    tree = _tree(directory, make_deb("ca-certificates", files=files))
    effect = Certificates("etc/ssl/certs/ca-certificates.crt", "usr/share/ca-certificates")
    verdict = Verdict("ca-certificates", "postinst", "reproduced", "", (effect,))
    apply_effects(tree, LAYOUT, [verdict])
    assert "usr/share/ca-certificates/mozilla/a.crt" not in tree.nodes()
    return _content(tree.nodes()["etc/ssl/certs/ca-certificates.crt"].entry)


def test_certificates_are_bundled_in_the_order_of_their_names(tmp_path: Path) -> None:
    others = [CERTIFICATE.replace(b"MIIB", name) for name in (b"SECOND", b"THIRD")]
    assert _bundle(tmp_path / "x", CERTIFICATE) == CERTIFICATE + b"".join(others)


@pytest.mark.parametrize("broken", [b"", b"no", CERTIFICATE + b"junk", CERTIFICATE[:-1]])
def test_what_is_no_certificate_is_refused(broken: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidDeb, match=r"a\.crt is no certificate"):
        _bundle(tmp_path / "x", broken)


# --- shells and the loader ---


@pytest.mark.parametrize("path", ["bin/sh", "usr/bin/bash", "bin/busybox", "sbin/ash"])
def test_a_shell_that_nobody_asked_for_is_refused(path: str, tmp_path: Path) -> None:
    dash = make_deb("dash", files={path: b"elf"})
    with pytest.raises(UnexpectedShell, match="is a shell") as caught:
        _join(tmp_path, needed=[dash])
    assert '"dash"' in (caught.value.hint or "")
    (tmp_path / "asked").mkdir()
    real = path if path.startswith("usr") else f"usr/{path}"
    assert real in _paths(_join(tmp_path / "asked", system=[dash]))


def test_a_debugging_image_can_be_entered(tmp_path: Path) -> None:
    busybox = make_deb("busybox-static", files={"bin/busybox": b"elf"})
    system = _paths(_join(tmp_path, system=[busybox]), "system")
    assert system["usr/bin/sh"] == Symlink(path="usr/bin/sh", target="busybox")


def test_files_that_only_sound_like_shells_are_none(tmp_path: Path) -> None:
    demo = make_deb(files={"usr/share/x/bash": b"", "usr/bin/bashful": b""})
    assert "usr/bin/bashful" in _paths(_join(tmp_path, demo))


@pytest.mark.parametrize(
    ("configured", "library", "fine"),
    [
        (b"/usr/lib/x86_64-linux-gnu\n/lib\n", "usr/lib/x86_64-linux-gnu/a.so.1", True),
        (b"# /opt/lib\n\n", "opt/lib/a.so", True),
        (b"/opt/lib\n", "opt/lib/readme", True),
        (b"/opt/lib\n", "opt/lib/a.so", False),
        (b"/usr/lib/x86_64-linux-gnu/special/ # x\n", "lib/x86_64-linux-gnu/special/a.so.2", False),
    ],
)
def test_libraries_must_lie_where_the_loader_looks(
    configured: bytes,
    library: str,
    fine: object,
    tmp_path: Path,
) -> None:
    demo = make_deb(files={"etc/ld.so.conf.d/demo.conf": configured, library: b"elf"})
    if fine:
        assert _join(tmp_path, demo)
        return
    with pytest.raises(LoaderPath, match="demo keeps libraries in") as caught:
        _join(tmp_path, demo)
    assert "LD_LIBRARY_PATH" in (caught.value.hint or "")
    (tmp_path / "waived").mkdir()
    assert _join(tmp_path / "waived", demo, waivers=[Waiver("demo")])


def test_a_tampered_package_is_refused(tmp_path: Path) -> None:
    demo = make_deb(files={"usr/x": b"content"})
    path = demo.write(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (tmp_path / "work").mkdir()
    with pytest.raises(PackageMismatch, match="SHA-256"):
        join_packages([(demo.locked(), path)], "bookworm", tmp_path / "work")
