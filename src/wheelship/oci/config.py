# SPDX-License-Identifier: Apache-2.0
"""The image configuration (image-spec, config.md) with Docker's ``Healthcheck`` extension."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform

__all__ = ["Healthcheck", "History", "ImageConfig", "canonical_json"]

_NANOSECONDS = 1_000_000_000


def canonical_json(document: object) -> bytes:
    """Encode ``document`` so that equal documents give equal bytes: sorted keys, no white space."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """Docker's health check; ``test`` starts with ``CMD`` (exec form). Durations in seconds.

    Podman and Kubernetes ignore it in OCI images (facts: peers §1, finding 8).
    """

    test: tuple[str, ...]
    interval_seconds: float
    timeout_seconds: float
    start_period_seconds: float
    retries: int

    def to_json(self) -> dict[str, Any]:
        """Return the wire form; Docker counts nanoseconds."""
        return {
            "Test": list(self.test),
            "Interval": round(self.interval_seconds * _NANOSECONDS),
            "Timeout": round(self.timeout_seconds * _NANOSECONDS),
            "StartPeriod": round(self.start_period_seconds * _NANOSECONDS),
            "Retries": self.retries,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Healthcheck:
        """Read the wire form."""
        return cls(
            test=tuple(document.get("Test", ())),
            interval_seconds=document.get("Interval", 0) / _NANOSECONDS,
            timeout_seconds=document.get("Timeout", 0) / _NANOSECONDS,
            start_period_seconds=document.get("StartPeriod", 0) / _NANOSECONDS,
            retries=document.get("Retries", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A step that made the image; those that made a layer stand in the layers' order.

    ``empty_layer``: it made none. Ours all do, because Docker refuses more rows than layers where
    they are not marked (traps §1.1).
    """

    created_by: str
    created: str
    empty_layer: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        row = {"created": self.created, "created_by": self.created_by}
        return {**row, "empty_layer": True} if self.empty_layer else row


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How the image is run, and which file systems it is made of.

    ``user`` is numeric ``uid:gid``: a name needs a passwd entry and Kubernetes' ``runAsNonRoot``
    rejects it, a lone uid runs with gid 0 (traps §1.1).
    """

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    history: tuple[History, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the wire form; empty fields are left out."""
        run: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in self.env],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "User": self.user,
            "WorkingDir": self.workdir,
            "ExposedPorts": {f"{port}/tcp": {} for port in self.ports},
            "Volumes": {path: {} for path in self.volumes},
            "Labels": dict(self.labels),
            "StopSignal": self.stop_signal,
            "Healthcheck": self.healthcheck.to_json() if self.healthcheck else None,
        }
        document: dict[str, Any] = {
            **self.platform.to_json(),
            "config": {key: value for key, value in run.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [str(one) for one in self.diff_ids]},
        }
        if self.created:
            document["created"] = self.created
        if self.history:
            document["history"] = [row.to_json() for row in self.history]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ImageConfig:
        """Read the wire form of any tool's image; unknown fields are ignored."""
        run = document.get("config") or {}
        check = run.get("Healthcheck")
        return cls(
            platform=Platform(architecture=document["architecture"], os=document["os"]),
            diff_ids=tuple(Digest.parse(one) for one in document["rootfs"]["diff_ids"]),
            created=document.get("created"),
            env=tuple(_split_variable(one) for one in run.get("Env") or ()),
            entrypoint=tuple(run.get("Entrypoint") or ()),
            command=tuple(run.get("Cmd") or ()),
            user=run.get("User") or "",
            workdir=run.get("WorkingDir") or "",
            ports=tuple(int(port.partition("/")[0]) for port in run.get("ExposedPorts") or ()),
            volumes=tuple(run.get("Volumes") or ()),
            labels=tuple((run.get("Labels") or {}).items()),
            stop_signal=run.get("StopSignal") or "",
            healthcheck=Healthcheck.from_json(check) if check else None,
            history=tuple(
                History(
                    created_by=row.get("created_by", ""),
                    created=row.get("created", ""),
                    empty_layer=bool(row.get("empty_layer")),
                )
                for row in document.get("history") or ()
            ),
        )


def _split_variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
