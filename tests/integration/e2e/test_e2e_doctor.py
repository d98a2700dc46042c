# SPDX-License-Identifier: Apache-2.0
"""``wheelship doctor`` as its users call it: form, exit status, and silence about credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytestmark = pytest.mark.integration

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "schema" / "doctor.json"


def examine(site: Any, *options: str, status: int) -> dict[str, tuple[str, str]]:
    """Return status and text of each finding, by code."""
    arguments = ("doctor", str(site.root), "--json", *options)
    document = site.run(*arguments, status=status).document
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(document)] == []
    assert document["ok"] is (status == 0)
    assert all(one["hint"] for one in document["findings"] if one["status"] == "problem")
    return {one["code"]: (one["status"], one["what"]) for one in document["findings"]}


def test_what_builds_need_and_is_broken_ends_with_5(site: Any) -> None:
    """The made mirror has no release files: nothing could be locked from it."""
    site.lock()
    findings = examine(site, status=5)
    assert findings["index"][0] == "ok"
    assert findings["locks"] == ("ok", "cpu: current")
    assert findings["debian-mirror"][0] == "problem"
    assert not [path for path in site.index.paths() if path.endswith(".whl")]


def test_offline_nobody_is_asked(site: Any) -> None:
    findings = examine(site, "--offline", status=0)
    assert {findings[name][0] for name in ("index", "debian-mirror")} == {"skipped"}
    assert site.index.received == []
    assert findings["locks"][0] == "warning"
    text = site.run("doctor", str(site.root), "--offline").out
    assert "fix: wheelship lock --variant cpu\n" in text
    assert text.endswith("nothing that builds need is broken\n")


def test_a_configuration_that_cannot_be_read_is_a_finding(site: Any) -> None:
    (site.root / "pyproject.toml").write_text("[project]\nname = demo\n")
    findings = examine(site, "--offline", status=5)
    assert findings["configuration"][0] == "problem"
    assert findings["uv"][0] == "ok"


def test_no_credential_is_ever_shown(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they are, and whatever fails because of them."""
    home = site.root.parent / "home"
    site.index.login = ("me", "other-secret")
    address = site.index.url.replace("http://", "http://me:secret-one@")
    site.project("torch", table=f'torch-index = "{address}/whl"\n')
    text = (site.root / "pyproject.toml").read_text()
    text = text.replace(f'"{site.index.simple_url}"', f'"{address}/simple"')
    text = text.replace(f'"{site.index.url}/debian"', f'"{address}/debian"')
    (site.root / "pyproject.toml").write_text(text)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret-two\n")
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(
        '{"auths": {"example.org": {"username": "me", "password": "secret-three"}}}'
    )
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{address}/extra")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret-four@127.0.0.1:1")
    monkeypatch.delenv("https_proxy")
    for options in ((), ("--json",), ("--verbose",)):
        ran = site.run("doctor", str(site.root), *options, status=5)
        assert "secret" not in ran.out + ran.err
        for code in ("index", "extra-index", "accelerator-index", "netrc-mode", "proxy"):
            assert code in ran.out
        for code in ("registry-credentials-mode", "debian-mirror"):
            assert code in ran.out
