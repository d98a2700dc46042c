# SPDX-License-Identifier: Apache-2.0
"""Reducing maintainer scripts to what their maintainer wrote."""

from __future__ import annotations

import pytest

from wheelship.debian.script import Alternative, multiarch, reduce_script

GENERATED = """\
# Automatically added by {tool}
{body}# End automatically added section
"""


def _reduce(text: str, architecture: str = "amd64", version: str = "1.0-1"):  # noqa: ANN202
    return reduce_script(text, version=version, architecture=architecture)


def test_boilerplate_and_comments_are_nothing() -> None:
    reduced = _reduce("#!/bin/sh\n# a comment\n\nset -e\n\n   \nexit 0\n")
    assert reduced.statements == ()
    assert reduced.tools == ()


def test_generated_sections_are_taken_out_by_name() -> None:
    text = (
        "#!/bin/sh\nset -e\n"
        + GENERATED.format(tool="dh_installdeb/13.11.4", body="dpkg-maintscript-helper x\n")
        + "own statement\n"
        + GENERATED.format(tool="dh_python3", body="py3compile -p x\n")
    )
    reduced = _reduce(text)
    assert reduced.tools == ("dh_installdeb", "dh_python3")
    assert reduced.statements == ("own statement",)


def test_a_section_without_an_end_is_the_maintainers_own() -> None:
    assert _reduce("# Automatically added by dh_python3\nrm -rf /\n").statements == ("rm -rf /",)


def test_the_hash_survives_what_changes_between_versions_and_architectures() -> None:
    old = "#!/bin/sh\n# 2023\nif test 2.36-9; then\n  x libc6:amd64 /lib/x86_64-linux-gnu\nfi\n"
    new = "#! /bin/sh\nif test 2.36-10; then\n\tx libc6:arm64 \\\n  /lib/aarch64-linux-gnu\nfi\n"
    first = _reduce(old, "amd64", "2.36-9")
    second = _reduce(new, "arm64", "2.36-10")
    assert first.statements == second.statements
    assert first.sha256 == second.sha256
    assert _reduce(old.replace("x libc6", "y libc6"), "amd64", "2.36-9").sha256 != first.sha256


INSTALL = (
    "update-alternatives --install /usr/lib/libblas.so.3 libblas.so.3 /usr/lib/blas/libblas.so.3 10"
)
BLAS = Alternative("/usr/lib/libblas.so.3", "/usr/lib/blas/libblas.so.3", 10)


@pytest.mark.parametrize(
    "text",
    [
        INSTALL,
        INSTALL.replace(" /usr/lib/blas", " \\\n    /usr/lib/blas"),
        f'if [ "$1" = configure ]; then\n\t{INSTALL}\nfi',
        f'if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ] ; then\n{INSTALL}\nfi',
        GENERATED.format(tool="dh_installalternatives/13", body=INSTALL + "\n"),
        INSTALL.replace("--install", "--quiet --install"),
    ],
)
def test_alternatives_are_recognised(text: str) -> None:
    assert _reduce(f"#!/bin/sh\nset -e\n{text}\nexit 0\n").alternatives == (BLAS,)


def test_slaves_come_along() -> None:
    text = INSTALL + " --slave /usr/bin/a a /usr/bin/a.x --slave /usr/share/m m /usr/share/m.x"
    (found,) = _reduce(text).alternatives
    assert found.slaves == (("/usr/bin/a", "/usr/bin/a.x"), ("/usr/share/m", "/usr/share/m.x"))


@pytest.mark.parametrize(
    "text",
    [
        INSTALL + "\nldconfig",
        INSTALL + " || true",
        INSTALL + " --slave /usr/bin/a a",
        INSTALL.replace("10", "$priority"),
        INSTALL.replace("/usr/lib/blas", "/usr/lib/$name"),
        INSTALL.replace("/usr/lib/blas", "/usr/lib/../../x"),
        INSTALL.replace("--install", "--remove"),
        INSTALL.replace("update-alternatives", "echo"),
        f'if [ "$1" = upgrade ]; then\n{INSTALL}\nfi',
        f'if [ "$1" = configure ]; then\n{INSTALL}',
        f"{INSTALL}\nfi",
        "update-alternatives --install",
        "update-alternatives '",
    ],
)
def test_anything_else_is_no_alternative(text: str) -> None:
    assert _reduce(text).alternatives == ()
    assert _reduce(text).statements


def test_library_directories_have_the_names_of_their_triplets() -> None:
    assert multiarch("amd64") == "x86_64-linux-gnu"
    assert multiarch("arm64") == "aarch64-linux-gnu"
