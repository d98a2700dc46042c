# SPDX-License-Identifier: Apache-2.0
"""Makes what the core wants handed in, from the environment of this process."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wheelship import __version__
from wheelship.archive.entry import EPOCH_SECONDS
from wheelship.cli.settings import Settings
from wheelship.errors import InputError
from wheelship.oci.platform import InvalidPlatform, Platform

if TYPE_CHECKING:
    from wheelship.build.model import Surroundings
    from wheelship.engine.client import Client, Program
    from wheelship.events import Emit
    from wheelship.fetch.fetcher import Fetcher
    from wheelship.fetch.retry import Policy
    from wheelship.lock.machine import MachineSources
    from wheelship.registry.client import RegistryClient
    from wheelship.sink.model import Tools
    from wheelship.sink.output import Output
    from wheelship.store.store import Store

__all__ = [
    "APT",
    "InvalidEpoch",
    "engine_client",
    "jobs",
    "machine",
    "make_fetcher",
    "make_registry",
    "native_platform",
    "surroundings",
    "tools",
]

APT = Path("/etc/apt")


class InvalidEpoch(InputError):
    """``SOURCE_DATE_EPOCH`` is no number of seconds."""

    code = "invalid-epoch"


def native_platform() -> Platform:
    """Return the Linux platform of this machine's architecture; amd64 where images have none."""
    try:
        return Platform.of_machine(platform.machine())
    except InvalidPlatform:
        return Platform("amd64")


def jobs() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tools(
    settings: Settings,
    outputs: Sequence[Output],
    *,
    docker: str | None,
    podman: str | None,
    registry: Callable[[], RegistryClient] | None = None,
) -> Tools:
    """Return what ``outputs`` need of this machine; clients as of :func:`engine_client`."""
    from wheelship.sink.model import Tools
    from wheelship.sink.output import EngineOutput

    if not any(isinstance(one, EngineOutput) for one in outputs):
        return Tools(registry=registry, native=native_platform())
    return Tools(
        docker=engine_client(settings, "docker", docker),
        podman=engine_client(settings, "podman", podman),
        registry=registry,
        native=native_platform(),
    )


def engine_client(settings: Settings, program: Program, named: str | None = None) -> Client | None:
    """Return an engine's client: what was named, else the environment's, else the one on PATH."""
    from wheelship.engine.client import Client

    environ = settings.environ
    path = named or environ.get(f"WHEELSHIP_{program.upper()}")
    path = path or shutil.which(program, path=environ.get("PATH"))
    return Client(Path(path), environ, program) if path else None


def surroundings(
    settings: Settings,
    store: Store,
    emit: Emit,
    *,
    offline: bool,
    insecure: tuple[str, ...] = (),
) -> Surroundings:
    """Return what preparing an image needs from this process; ``insecure`` as of make_registry."""
    from wheelship.build.model import Surroundings

    return Surroundings(
        store=store,
        emit=emit,
        environ=settings.environ,
        fetcher=lambda urls=(): make_fetcher(settings, offline=offline, urls=urls),
        machine=lambda: machine(settings),
        apt=APT if APT.is_dir() else None,
        now=datetime.now(UTC),
        created=_created(settings),
        offline=offline,
        registry=lambda: make_registry(settings, emit, offline=offline, insecure=insecure),
    )


def machine(settings: Settings) -> MachineSources:
    """Return what pip's and uv's settings say about where packages come from."""
    from wheelship.lock.machine import machine_sources, pip_config_files

    files = pip_config_files(settings.environ, Path.home())
    texts = [path.read_text("utf-8", "replace") for path in files if path.is_file()]
    return machine_sources(settings.environ, texts, directory=Path.cwd())


def _created(settings: Settings) -> str:
    """Return the time that images say they were made (RFC 3339); never the clock's.

    Raises:
        InvalidEpoch: ``SOURCE_DATE_EPOCH`` cannot be read
            (https://reproducible-builds.org/specs/source-date-epoch/).
    """
    text = settings.environ.get("SOURCE_DATE_EPOCH", "").strip() or str(EPOCH_SECONDS)
    try:
        moment = datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidEpoch(
            f"{text!r} is no number of seconds since 1970",
            where="SOURCE_DATE_EPOCH",
            hint="unset it, or: export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
        ) from error
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def make_fetcher(
    settings: Settings,
    *,
    offline: bool,
    urls: tuple[str, ...] = (),
    policy: Policy | None = None,
) -> Fetcher:
    """Return the door to the network, with this system's certificates, proxies and credentials.

    ``urls`` are configured addresses that may carry credentials; ``policy`` says how patient it is.
    """
    from urllib.request import getproxies_environment

    from wheelship.fetch.credentials import Credentials
    from wheelship.fetch.fetcher import Fetcher
    from wheelship.fetch.tls import system_context

    environ = settings.environ
    netrc = environ.get("NETRC")
    home = environ.get("HOME")
    return Fetcher(
        user_agent=f"wheelship/{__version__}",
        context=system_context(
            cert_file=environ.get("SSL_CERT_FILE"), cert_dir=environ.get("SSL_CERT_DIR")
        ),
        credentials=Credentials(
            urls=urls, netrc=Path(netrc) if netrc else Path(home, ".netrc") if home else None
        ),
        proxies=getproxies_environment(),
        policy=policy,
        offline=offline,
    )


def make_registry(
    settings: Settings, emit: Emit, *, offline: bool = False, insecure: tuple[str, ...] = ()
) -> RegistryClient:
    """Return the door to registries, with the credentials of Docker, Podman and their helpers.

    ``insecure`` names hosts that are spoken to without TLS, beside those in
    ``WHEELSHIP_INSECURE_REGISTRIES``.
    """
    from urllib.request import getproxies_environment

    from wheelship.fetch.connection import Connections
    from wheelship.fetch.retry import Policy
    from wheelship.fetch.tls import system_context
    from wheelship.registry.client import RegistryClient
    from wheelship.registry.helper import Helpers
    from wheelship.registry.keychain import Keychain, config_files

    environ = settings.environ
    named = environ.get("WHEELSHIP_INSECURE_REGISTRIES", "").replace(",", " ").split()
    return RegistryClient(
        connections=Connections(
            user_agent=f"wheelship/{__version__}",
            policy=Policy(),
            context=system_context(
                cert_file=environ.get("SSL_CERT_FILE"), cert_dir=environ.get("SSL_CERT_DIR")
            ),
            proxies=getproxies_environment(),
            offline=offline,
        ),
        keychain=Keychain(config_files(environ), Helpers(environ=environ), emit=emit),
        insecure=frozenset(one.lower() for one in (*insecure, *named)),
    )
