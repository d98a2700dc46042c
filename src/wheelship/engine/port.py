# SPDX-License-Identifier: Apache-2.0
"""Ports of this machine, for services that cannot have a network of their own."""

from __future__ import annotations

import os
import socket

from wheelship.engine.errors import PortTaken

__all__ = ["refuse_taken_port"]


def refuse_taken_port(port: int) -> None:
    """Refuse a port of this machine that the service could not listen on.

    Raises:
        PortTaken: something listens there, or it is reserved to root.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("0.0.0.0", port))  # noqa: S104 - as services do; closed at once
        except OSError as error:
            raise PortTaken(
                f"the service needs port {port} of this machine: {os.strerror(error.errno or 0)}",
                hint=f"stop what uses it: ss -ltnp 'sport = :{port}'",
            ) from error
