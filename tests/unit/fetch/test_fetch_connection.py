# SPDX-License-Identifier: Apache-2.0
"""What is there before the first request is sent."""

from __future__ import annotations

import subprocess
import sys

_MADE = """
import sys
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.credentials import Credentials
assert "urllib3" not in sys.modules
Fetcher(user_agent="w", context=None, credentials=Credentials(urls=(), netrc=None), proxies={})
assert "urllib3" in sys.modules
"""


def test_threads_that_share_a_fetcher_find_urllib3_loaded() -> None:
    """Parts of a package are not to be imported by several threads while it is being loaded."""
    subprocess.run([sys.executable, "-c", _MADE], check=True)
