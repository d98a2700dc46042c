# SPDX-License-Identifier: Apache-2.0
"""A build with nothing to do takes tenths of a second: it must not import what it can spare."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from wheelship.testing.sdist import make_sdist

pytestmark = pytest.mark.integration

_MODULES = """
import json, sys
from wheelship.cli.main import main
status = main(sys.argv[1:])
print(json.dumps([status, sorted(sys.modules)]))
"""
_SPARED = (
    "concurrent.futures.thread",
    "deflate",
    "packaging",
    "rich",
    "subprocess",
    "tarfile",
    "urllib3",
    "uv",
    "wheelship.build.bases",
    "wheelship.build.device_code",
    "wheelship.build.produce",
    "wheelship.compare",
    "wheelship.inspect",
    "wheelship.lock.consistency",
    "wheelship.lock.findings",
    "wheelship.registry.client",
    "wheelship.report.canvas",
    "wheelship.report.page",
    "wheelship.sdist.make",
    "wheelship.source",
    "wheelship.variant.compatibility",
    "wheelship.variant.gpu",
    "wheelship.wheel.needed",
    "wheelship.wheel.reader",
    "zlib_ng",
    "zstandard",
)


@pytest.mark.parametrize("case", ["wheels", "source", "platforms"])
def test_a_build_with_nothing_to_do_imports_none_of_the_machinery(site: Any, case: str) -> None:
    if case == "source":
        make_sdist("gamma").write(site.index.files)
        site.project("alpha", "gamma")
    elif case == "platforms":
        site.bases("amd64", "arm64")
        site.project("alpha", table='platforms = ["linux/amd64", "linux/arm64"]')

    def imported() -> set[str]:
        command = [sys.executable, "-P", "-c", _MODULES, "build", str(site.root), "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        status, modules = json.loads(done.stdout.splitlines()[-1])
        assert status == 0
        return set(modules)

    first = imported()
    assert {"deflate", "wheelship.build.produce", "wheelship.wheel.reader"} <= first
    assert ("wheelship.sdist.make" in first) is (case == "source")
    assert sorted(imported() & set(_SPARED)) == []
