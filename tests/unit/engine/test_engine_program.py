# SPDX-License-Identifier: Apache-2.0
"""What is executed, read from an image's configuration as Docker reads it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from wheelship.engine.errors import ImageNotRunnable
from wheelship.engine.model import ImageFiles, Options
from wheelship.engine.program import home_of, numeric_user, program_of
from wheelship.oci.config import ImageConfig
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform


def image(**fields: object) -> ImageFiles:
    config = ImageConfig(
        **{  # type: ignore[arg-type]
            "platform": Platform(architecture="amd64"),
            "diff_ids": (),
            "command": ("serve",),
            **fields,
        }
    )
    nothing = Digest.of(b"")
    return ImageFiles(
        reference="demo:cpu",
        manifest_digest=nothing,
        config_digest=nothing,
        config=config,
        layers=(),
        write_docker_archive=lambda _: None,
    )


def test_entry_point_comes_before_the_command() -> None:
    program = program_of(image(entrypoint=("python", "-m"), command=("app",)), Options())
    assert program.argv == ("python", "-m", "app")


def test_arguments_replace_the_command_only() -> None:
    program = program_of(
        image(entrypoint=("python",), command=("app",)), Options(arguments=("-V",))
    )
    assert program.argv == ("python", "-V")


def test_options_win_over_the_images_environment_and_that_over_defaults() -> None:
    found = program_of(
        image(env=(("A", "image"), ("B", "image"))), Options(env={"B": "option"})
    ).env
    assert found.pop("PATH").startswith("/usr/local/sbin:")
    assert found == {"A": "image", "B": "option"}
    assert program_of(image(env=(("PATH", "/x"),)), Options()).env == {"PATH": "/x"}


def test_writable_directories_are_normal_unique_and_parents_first() -> None:
    program = program_of(
        image(volumes=("/data/deep", "/data/", "/tmp")),  # noqa: S108 - the image's own
        Options(writable=("//data", "/a")),
    )
    assert program.writable == ("/a", "/data", "/data/deep")


@pytest.mark.parametrize(
    ("user", "expected"),
    [("65532:65532", (65532, 65532)), ("7", (7, 0)), ("", (0, 0)), ("0:5", (0, 5))],
)
def test_numeric_users(user: str, expected: tuple[int, int]) -> None:
    assert numeric_user(image(user=user).config) == expected


@pytest.mark.parametrize("user", ["app", "app:app", "1:app", "-1:1", "4294967295:1", "1:2:3"])
def test_other_users_are_refused(user: str) -> None:
    with pytest.raises(ImageNotRunnable, match="not numeric"):
        numeric_user(image(user=user).config)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", signal.SIGTERM),
        ("SIGINT", signal.SIGINT),
        ("QUIT", signal.SIGQUIT),
        ("2", signal.SIGINT),
        ("sigint", signal.SIGINT),
        ("SIGRTMIN", signal.SIGRTMIN),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
        ("37", 37),
    ],
)
def test_stop_signals(name: str, expected: int) -> None:
    """As Docker reads them; systemd as a service is ended by ``SIGRTMIN+3``."""
    assert program_of(image(stop_signal=name), Options()).stop_signal == expected


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"command": ()}, "neither a command nor an entry point"),
        ({"workdir": "relative"}, "working directory 'relative'"),
        ({"workdir": "/a/../b"}, "not an absolute path"),
        ({"volumes": ("/",)}, "whole root"),
        ({"volumes": ("data",)}, "writable directory 'data'"),
        ({"stop_signal": "SIGX"}, "'SIGX' does not exist"),
        ({"stop_signal": "99"}, "'99' does not exist"),
        ({"stop_signal": "0"}, "'0' does not exist"),
        ({"stop_signal": "SIGRTMIN-1"}, "'SIGRTMIN-1' does not exist"),
        ({"stop_signal": "SIGRTMAX+1"}, "'SIGRTMAX\\+1' does not exist"),
    ],
)
def test_configurations_without_sense_are_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ImageNotRunnable, match=says):
        program_of(image(**fields), Options())


def test_home_is_read_from_the_images_passwd(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0::/root:/x\nbroken\nme:x:65532:65532::/home/me:/x\n"
    )
    assert home_of(65532, tmp_path) == "/home/me"
    assert home_of(0, tmp_path) == "/root"
    assert home_of(1, tmp_path) == "/"


@pytest.mark.parametrize("link", ["etc", "etc/passwd"])
def test_home_is_never_read_through_a_link(tmp_path: Path, link: str) -> None:
    """It could lead to this machine's own."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("me:x:7:7::/secret:/x\n")
    root = tmp_path / "root"
    root.mkdir()
    if link == "etc":
        (root / "etc").symlink_to(outside)
    else:
        (root / "etc").mkdir()
        (root / "etc/passwd").symlink_to(outside / "passwd")
    assert home_of(7, root) == "/"
