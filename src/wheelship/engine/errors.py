# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between an image and the engine that should run it."""

from __future__ import annotations

from wheelship.errors import InputError, MachineError

__all__ = [
    "DockerFailed",
    "DockerMissing",
    "EngineForbidden",
    "EngineFull",
    "EngineLost",
    "ForeignPlatform",
    "ImageNotRunnable",
    "NamespacesForbidden",
    "NoEngine",
    "PodmanFailed",
    "PodmanMissing",
    "PortTaken",
    "StartFailed",
    "WorkspaceNotExecutable",
    "WrongImage",
]


class DockerMissing(MachineError):
    """There is no Docker client, or no daemon of this machine answers it."""

    code = "docker-missing"


class DockerFailed(MachineError):
    """The Docker client reported a failure."""

    code = "docker-failed"


class PodmanMissing(MachineError):
    """There is no podman, or it does not answer."""

    code = "podman-missing"


class PodmanFailed(MachineError):
    """Podman reported a failure."""

    code = "podman-failed"


class EngineForbidden(MachineError):
    """This user may not talk to the engine."""

    code = "engine-forbidden"


class EngineFull(MachineError):
    """The disk that the engine keeps its images on is full."""

    code = "engine-full"


class WrongImage(MachineError):
    """After it took an image, the engine holds another one under that name."""

    code = "wrong-image"


class NoEngine(MachineError):
    """Nothing on this machine can run a Linux image."""

    code = "no-engine"


class NamespacesForbidden(MachineError):
    """This machine lets ordinary users make no user namespaces."""

    code = "namespaces-forbidden"


class ForeignPlatform(MachineError):
    """The image is for another architecture than this machine's."""

    code = "foreign-platform"


class PortTaken(MachineError):
    """The service needs a port of this machine that something else listens on."""

    code = "port-taken"


class EngineLost(MachineError):
    """The process that watches over the service is gone."""

    code = "engine-lost"


class WorkspaceNotExecutable(MachineError):
    """Programs cannot be executed from the directory for unpacked images."""

    code = "workspace-not-executable"


class ImageNotRunnable(InputError):
    """The image's configuration does not say how to run it, or not in a way that can work."""

    code = "image-not-runnable"


class StartFailed(InputError):
    """The image's program could not be executed."""

    code = "start-failed"
