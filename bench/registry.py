# SPDX-License-Identifier: Apache-2.0
"""A real registry on loopback whose storage tells how many bytes a push moved."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from usage import cpu_seconds

__all__ = ["Registry", "free_port"]

_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {data}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class Registry:
    """Debian's ``docker-registry`` below ``directory``; runs while entered, empty at first.

    Attributes:
        address: host and port, the first part of references.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        program = shutil.which("docker-registry")
        if program is None:
            sys.exit("needs a registry: apt-get install docker-registry")
        data = self._directory / "data"
        data.mkdir(parents=True)
        configuration = self._directory / "registry.yml"
        configuration.write_text(_CONFIGURATION.format(data=data, port=self._port))
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", configuration], stdout=log, stderr=log
            )
        for _ in range(100):
            if self._answers():
                return self
            time.sleep(0.1)
        sys.exit(f"the registry does not start: {(self._directory / 'log').read_text()[-500:]}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._directory)

    def stored_bytes(self) -> int:
        """Return the size of all blobs, manifests included."""
        return sum(path.stat().st_size for path in self._directory.glob("data/**/blobs/**/data"))

    def cpu_seconds(self) -> float:
        """Return the CPU time of the registry so far."""
        return cpu_seconds(self._process.pid)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port
