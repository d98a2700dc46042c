# SPDX-License-Identifier: Apache-2.0
"""Docker's and Podman's files, and helpers that are missing, hang, fail or lie."""

from __future__ import annotations

import base64
import json
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus
from wheelship.events import Event, Warned
from wheelship.registry.errors import InvalidDockerConfig
from wheelship.registry.helper import HelperFailed, Helpers
from wheelship.registry.keychain import Keychain, config_files
from wheelship.registry.login import Login

SECRET = "s3cr3t-passw0rd"


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def keychain(tmp_path: Path, *documents: object, path: str = "") -> Keychain:
    files = []
    for number, document in enumerate(documents):
        file = tmp_path / f"config{number}.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        files.append(file)
    return Keychain(tuple(files), Helpers(environ={"PATH": path}, limit_seconds=5))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": encoded("me", SECRET)}, Login(user="me", password=SECRET)),
        ({"auth": encoded("me", "a:b:c")}, Login(user="me", password="a:b:c")),
        ({"username": "me", "password": SECRET}, Login(user="me", password=SECRET)),
        (
            {"auth": encoded("me", ""), "identitytoken": SECRET},
            Login(user="me", identity_token=SECRET),
        ),
        ({}, None),
        ({"auth": ""}, None),
        (None, None),
    ],
)
def test_entries_of_auths(tmp_path: Path, entry: object, expected: Login | None) -> None:
    found = keychain(tmp_path, {"auths": {"example.org": entry}})
    assert found.find("example.org", "team/app") == expected
    assert found.find("other.example.org", "team/app") is None


@pytest.mark.parametrize(
    "server",
    ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"],
)
def test_docker_hub_has_many_names(tmp_path: Path, server: str) -> None:
    found = keychain(tmp_path, {"auths": {server: {"auth": encoded("me", SECRET)}}})
    assert found.find("docker.io", "library/python") == Login(user="me", password=SECRET)


@pytest.mark.parametrize(
    ("server", "host", "fits"),
    [
        ("https://example.org", "example.org", True),
        ("https://example.org/v2/", "example.org", True),
        ("http://example.org/v1/", "example.org", True),
        ("example.org:5000", "example.org:5000", True),
        ("example.org:5000", "example.org", False),
        ("example.org", "example.org:5000", False),
        ("Example.org", "example.org", True),
        ("example.org.evil.org", "example.org", False),
        ("evil-example.org", "example.org", False),
        ("https://evil.org/example.org", "example.org", False),
    ],
)
def test_an_entry_is_for_its_host_and_port(
    tmp_path: Path, server: str, host: str, *, fits: bool
) -> None:
    """Credentials go to the registry they are for and to no other."""
    found = keychain(tmp_path, {"auths": {server: {"auth": encoded("me", SECRET)}}})
    assert (found.find(host, "team/app") is not None) is fits


def test_podmans_entries_for_a_namespace(tmp_path: Path) -> None:
    """containers-auth.json(5): the longest name that fits."""
    auths = {
        "quay.io": {"auth": encoded("all", "1")},
        "quay.io/team": {"auth": encoded("team", "2")},
        "quay.io/team/app": {"auth": encoded("app", "3")},
    }
    found = keychain(tmp_path, {"auths": auths})
    users = {
        name: login.user if (login := found.find("quay.io", name)) else None
        for name in ("other/app", "team/other", "team/app", "teams/app", "team/app/sub")
    }
    assert users == {
        "other/app": "all",
        "team/other": "team",
        "team/app": "app",
        "teams/app": "all",
        "team/app/sub": "app",
    }


def test_files_are_asked_in_order(tmp_path: Path) -> None:
    first = {"auths": {"a.example.org": {"auth": encoded("first", "1")}}}
    second = {
        "auths": {
            "a.example.org": {"auth": encoded("second", "2")},
            "b.example.org": {"auth": encoded("second", "2")},
        }
    }
    found = keychain(tmp_path, first, second)
    assert found.find("a.example.org", "x") == Login(user="first", password="1")
    assert found.find("b.example.org", "x") == Login(user="second", password="2")


def test_where_files_are() -> None:
    assert config_files({}) == ()
    assert config_files({"HOME": "/h"}) == (
        Path("/h/.docker/config.json"),
        Path("/h/.config/containers/auth.json"),
    )
    everything = {
        "HOME": "/h",
        "DOCKER_CONFIG": "/d",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "XDG_CONFIG_HOME": "/c",
    }
    assert config_files(everything) == (
        Path("/d/config.json"),
        Path("/run/user/1/containers/auth.json"),
        Path("/c/containers/auth.json"),
    )
    assert config_files({**everything, "REGISTRY_AUTH_FILE": "/a.json"}) == (Path("/a.json"),)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (f"{{{SECRET}", "is no JSON object"),
        ("[]", "is no JSON object"),
        ('"x"', "is no JSON object"),
        ({"auths": []}, None),
        ({"auths": [SECRET]}, "'auths' is no table"),
        ({"credsStore": {"a": SECRET}}, "'credsStore' is no text"),
        ({"auths": {"example.org": {"auth": SECRET + "!"}}}, "entry of 'example.org'"),
        (
            {"auths": {"example.org": {"auth": base64.b64encode(SECRET.encode()).decode()}}},
            "entry of 'example.org'",
        ),
        ({"auths": {"example.org": {"username": [SECRET]}}}, "entry of 'example.org'"),
        ({"auths": {"example.org": {"auth": encoded("me\r\nX: y", SECRET)}}}, "entry of"),
    ],
)
def test_a_malformed_file_is_an_error_without_its_secrets(
    tmp_path: Path, document: object, problem: str | None
) -> None:
    found = keychain(tmp_path, document)
    if problem is None:
        assert found.find("example.org", "x") is None
        return
    with pytest.raises(InvalidDockerConfig, match=problem) as caught:
        found.find("example.org", "x")
    assert caught.value.exit_status is ExitStatus.INPUT
    assert caught.value.where == str(tmp_path / "config0.json")
    shown = f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r}"
    assert SECRET not in shown


def test_a_login_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(Login(user="me", password=SECRET))
    assert SECRET not in repr(Login(user="me", identity_token=SECRET))


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    """The directory of helpers; ``docker-credential-good`` answers as it should."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answer = {"ServerURL": "example.org", "Username": "me", "Secret": SECRET}
    write(
        folder,
        "good",
        f"read -r server; echo \"$server\" >'{folder}/asked'; echo '{json.dumps(answer)}'",
    )
    return folder


def write(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def search_path(folder: Path) -> str:
    return f"{folder}:{os.defpath}"


def test_a_helper_is_asked(tmp_path: Path, helper: Path) -> None:
    for number, document in enumerate(
        ({"credsStore": "good"}, {"credHelpers": {"example.org": "good"}})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = keychain(folder, document, path=search_path(helper))
        assert found.find("example.org", "x") == Login(user="me", password=SECRET)
        assert (helper / "asked").read_text() == "example.org\n"


def test_a_helper_for_another_registry_is_not_asked(tmp_path: Path, helper: Path) -> None:
    document = {"credHelpers": {"example.org": "good"}}
    assert keychain(tmp_path, document, path=search_path(helper)).find("other.org", "x") is None
    assert not (helper / "asked").exists()


def test_a_helper_knows_docker_hub_by_its_old_name(tmp_path: Path, helper: Path) -> None:
    answer = {"Username": "<token>", "Secret": SECRET}
    write(helper, "hub", f"cat >'{helper}/asked'; echo '{json.dumps(answer)}'")
    found = keychain(tmp_path, {"credsStore": "hub"}, path=search_path(helper))
    assert found.find("docker.io", "library/x") == Login(identity_token=SECRET)
    assert (helper / "asked").read_text() == "https://index.docker.io/v1/"


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(tmp_path: Path, helper: Path) -> None:
    write(helper, "empty", "echo credentials not found in native keychain; exit 1")
    document = {"credsStore": "empty", "auths": {"example.org": {"auth": encoded("me", "1")}}}
    events: list[Event] = []
    found = Keychain(
        (tmp_path / "config.json",),
        Helpers(environ={"PATH": search_path(helper)}),
        emit=events.append,
    )
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert found.find("example.org", "x") == Login(user="me", password="1")
    assert events == []


OTHER = json.dumps({"ServerURL": "evil.org", "Username": "me", "Secret": SECRET})
BROKEN = json.dumps({"Username": "me\r\nHost: evil.org", "Secret": SECRET})
BAD = {
    "fails": (
        f"echo 'cannot unlock'; echo {SECRET} >&2; exit 3",
        "failed with status 3: cannot unlock",
    ),
    "dies": ("kill -9 $$", "failed with status -9"),
    "garbage": (f"echo '{SECRET}'", "something else than credentials"),
    "nothing": ("true", "something else than credentials"),
    "list": (f"echo '[\"{SECRET}\"]'", "something else than credentials"),
    "number": (f'echo \'{{"Username": "{SECRET}", "Secret": 5}}\'', "something else than"),
    "evil": (f"echo '{OTHER}'", "answered about another registry"),
    "breaks": (f"printf '%s' '{BROKEN}'", "control characters"),
    "endless": ("yes", "more than 65536 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_helper_is_told_and_survived(tmp_path: Path, helper: Path, name: str) -> None:
    """Public images need no credentials: a warning, and the next place."""
    script, problem = BAD[name]
    write(helper, name, script)
    document = {"credsStore": name, "auths": {"example.org": {"auth": encoded("me", "1")}}}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document))
    events: list[Event] = []
    found = Keychain((file,), Helpers(environ={"PATH": search_path(helper)}), emit=events.append)
    assert found.find("example.org", "x") == Login(user="me", password="1")
    assert found.find("example.org", "y") == Login(user="me", password="1")
    assert found.find("other.example.org", "x") is None
    warnings = [one for one in events if isinstance(one, Warned)]
    assert [one.code for one in warnings] == ["credential-helper"] * 2
    assert f"docker-credential-{name}" in warnings[0].message
    assert problem in warnings[0].message
    assert problem in (found.complaints("example.org") or "")
    assert SECRET not in f"{events!r}"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing", "docker-credential-missing is not on PATH"),
        ("../evil", "no name of a credential helper"),
        ("a/b", "no name of a credential helper"),
        ("-x", "no name of a credential helper"),
    ],
)
def test_a_helper_that_is_not_there(helper: Path, name: str, problem: str) -> None:
    with pytest.raises(HelperFailed, match=problem):
        Helpers(environ={"PATH": search_path(helper)}).get(name, "example.org")


def living(group: int) -> list[str]:
    """Return the processes of ``group`` that have not ended (proc(5): state, parent, group)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group, *_ = status.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state not in "ZX":
                found.append(status.read_text())
    return found


@pytest.mark.parametrize(
    "script",
    ["sleep 600", "sleep 600 & wait", "exec 1>&-; sleep 600"],
    ids=["self", "child", "closed"],
)
def test_a_helper_that_hangs_is_ended(helper: Path, script: str) -> None:
    write(helper, "hangs", f"echo $$ >'{helper}/pid'; {script}")
    helpers = Helpers(environ={"PATH": search_path(helper)}, limit_seconds=0.5)
    with pytest.raises(HelperFailed, match=r"did not answer within 0\.5 s"):
        helpers.get("hangs", "example.org")
    until = time.monotonic() + 30
    while (left := living(int((helper / "pid").read_text()))) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []


def test_a_child_left_behind_does_not_hold_us_up(helper: Path) -> None:
    answer = json.dumps({"Username": "me", "Secret": SECRET})
    write(helper, "agent", f"sleep 600 & echo '{answer}'")
    helpers = Helpers(environ={"PATH": search_path(helper)}, limit_seconds=60)
    assert helpers.get("agent", "example.org") == Login(user="me", password=SECRET)
