# SPDX-License-Identifier: Apache-2.0
"""Settings of pip and uv as users have them."""

from __future__ import annotations

from pathlib import Path

from wheelship.lock.machine import MachineSources, machine_sources, pip_config_files

HERE = Path("/work/project")


def read(environ: dict[str, str], *configs: str) -> MachineSources:
    return machine_sources(environ, configs, directory=HERE)


def test_configuration_file() -> None:
    found = read(
        {},
        "[global]\nfind-links = /opt/wheels\n  ./more\nindex-url = https://example.org/simple\n"
        "extra-index-url = https://example.org/a file:///opt/mirror/simple\n  https://example.org/b\n"
        "[install]\nno_index = true\n",
    )
    assert found == MachineSources(
        find_links=(Path("/opt/wheels"), HERE / "more"),
        index="https://example.org/simple",
        extra_indexes=("https://example.org/a", "https://example.org/b"),
        ignored_indexes=("file:///opt/mirror/simple",),
        no_index=True,
    )


def test_stronger_settings_replace_weaker_ones() -> None:
    weak = "[global]\nfind-links = /weak\nindex-url = https://weak.example.org\n"
    strong = "[global]\nfind-links = /strong\n"
    assert read({}, weak, strong).find_links == (Path("/strong"),)
    assert read({}, weak, strong).index == "https://weak.example.org"
    found = read({"PIP_FIND_LINKS": "/environment /second", "PIP_INDEX_URL": ""}, weak, strong)
    assert found.find_links == (Path("/environment"), Path("/second"))
    assert found.index == "https://weak.example.org"


def test_links_may_be_directories_addresses_or_pages() -> None:
    links = "file:///opt/with%20space https://example.org/wheels/ /opt/list.html sub/dir"
    found = read({"PIP_FIND_LINKS": links})
    assert found.find_links == (Path("/opt/with space"), HERE / "sub/dir")
    assert found.link_pages == ("https://example.org/wheels/", "/opt/list.html")


def test_settings_of_uv_come_first() -> None:
    environ = {
        "PIP_INDEX_URL": "https://pip.example.org/",
        "UV_DEFAULT_INDEX": "https://uv.example.org/",
        "PIP_FIND_LINKS": "/pip",
        "UV_FIND_LINKS": "/uv,/pip",
    }
    found = read(environ)
    assert found.index is None
    assert found.find_links == (Path("/pip"), Path("/uv"))
    del environ["UV_DEFAULT_INDEX"]
    assert read(environ).index == "https://pip.example.org/"


def test_nothing_set() -> None:
    assert read({}) == read({}, "", "[global]\n", "not a configuration") == MachineSources()


def test_places_of_configuration_files() -> None:
    home = Path("/home/me")
    assert pip_config_files({}, home) == (
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        home / ".config/pip/pip.conf",
    )
    environ = {
        "XDG_CONFIG_DIRS": "/first:/second",
        "XDG_CONFIG_HOME": "/my",
        "VIRTUAL_ENV": "/venv",
        "PIP_CONFIG_FILE": "/named",
    }
    assert pip_config_files(environ, home) == (
        Path("/second/pip/pip.conf"),
        Path("/first/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        Path("/my/pip/pip.conf"),
        Path("/venv/pip.conf"),
        Path("/named"),
    )
    assert pip_config_files({"PIP_CONFIG_FILE": "/dev/null"}, home) == ()
