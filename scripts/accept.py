# SPDX-License-Identifier: Apache-2.0
"""Lets every consumer on this machine take one image; exit status 1 when one does not.

Daemons and storage are its own, below /tmp, and removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKER_SID = ROOT / "scripts" / "docker-sid"
WHEELSHIP = (sys.executable, "-P", "-m", "wheelship.cli.main")
REFERENCE = "example.org/accepted:1.0"


class Refused(Exception):
    """A consumer did not take the image."""


def output_of(*command: str | Path) -> str:
    """Run a program that must succeed; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused((done.stderr or done.stdout).strip()[-300:])
    return done.stdout.strip()


def require(found: object, expected: object) -> None:
    """Refuse anything but ``expected``."""
    if found != expected:
        raise Refused(f"{found} instead of {expected}")


class Image:
    """The project's image, built once into a layout and two archives."""

    def __init__(self, project: Path, variant: str | None, place: Path) -> None:
        self.project, self.place = project, place
        self.options = [f"--variant={variant}"] if variant else []
        self.layout = place / "layout"
        self.archives = {kind: place / f"{kind}.tar" for kind in ("oci-archive", "docker-archive")}
        outputs = {"oci": self.layout, **self.archives}
        image = self.build(*(f"--output={kind}:{path}" for kind, path in outputs.items()))
        self.digest = image["digest"]
        self.transfer_bytes = image["transfer_bytes"]
        manifest = self.layout / "blobs" / self.digest.replace(":", "/")
        self.config = json.loads(manifest.read_bytes())["config"]["digest"]

    def build(self, *options: str) -> dict[str, str]:
        """Build, and return what is reported of the image."""
        command = (*WHEELSHIP, "build", self.project, "--json", f"--tag={REFERENCE}")
        done = subprocess.run(
            [*command, *self.options, *options], capture_output=True, text=True, check=False
        )
        document = json.loads(done.stdout)
        if "images" not in document:
            raise Refused(f"{document['error']['code']}: {document['error']['message']}")
        (image,) = document["images"]
        return image

    def deliver(self, engine: str, client: Path) -> str:
        """Put it into an engine by its sink; return what was said of it."""
        done = self.build(f"--output={engine}", f"--{engine}={client}")["deliveries"][0]
        if done["method"] != "pulled":
            raise Refused(f"{done['method']}: {done['detail']}")
        again = self.build(f"--output={engine}", f"--{engine}={client}")["deliveries"][0]
        require(again["moved_bytes"], 0)
        return f"pulled {done['moved_bytes']} bytes, then {again['moved_bytes']}"


# --- consumers ---


def skopeo(image: Image) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what skopeo and umoci do."""
    copy = image.place / "copy"

    def copied(source: str) -> str:
        shutil.rmtree(copy, ignore_errors=True)
        output_of("skopeo", "copy", "--preserve-digests", source, f"oci:{copy}:x")
        index = json.loads((copy / "index.json").read_bytes())
        require(index["manifests"][0]["digest"], image.digest)
        return "digest unchanged"

    def unpacked() -> str:
        bundle = image.place / "bundle"
        output_of("umoci", "unpack", "--image", f"{copy}:x", bundle)
        require((bundle / "rootfs/opt/venv").is_dir(), expected=True)
        shutil.rmtree(bundle)
        shutil.rmtree(copy)
        return "unpacked"

    yield "skopeo copy oci-archive", lambda: copied(f"oci-archive:{image.archives['oci-archive']}")
    yield "skopeo copy oci", lambda: copied(f"oci:{image.layout}:1.0")
    yield "umoci unpack", unpacked


def engine(
    name: str, program: str, client: Path, image: Image, *, check: bool
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what an engine does."""

    def held() -> None:
        shown = json.loads(output_of(client, "image", "inspect", REFERENCE))[0]
        identity = shown["Id"].removeprefix("sha256:")
        if identity not in (image.config.removeprefix("sha256:"), image.digest[7:]):
            raise Refused(f"it holds {identity}")

    def forget() -> None:
        output_of(client, "rmi", "--force", REFERENCE)

    def loaded() -> str:
        with image.archives["docker-archive"].open("rb") as stream:
            done = subprocess.run([client, "load"], stdin=stream, capture_output=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.decode().strip()[-300:])
        held()
        forget()
        return "loaded"

    def delivered() -> str:
        said = image.deliver(program, client)
        held()
        return said

    def checked() -> str:
        command = (*WHEELSHIP, "check", f"oci:{image.layout}:1.0", f"--project={image.project}")
        options = ("--engine=docker", f"--docker={client}", "--json")
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        document = json.loads(done.stdout)
        if not document.get("ok"):
            steps = document.get("steps", ())
            failed = [one for one in steps if one["outcome"] == "failed"] or document.get("error")
            raise Refused(str(failed)[:300])
        return f"healthy after {document['healthy_seconds']:.1f} s"

    yield f"{name}: load", loaded
    yield f"{name}: --output {program}", delivered
    if check and program == "docker":
        yield f"{name}: check", checked
    yield f"{name}: forget", lambda: (forget(), "")[1]


# --- engines of our own ---


def script(path: Path, command: str) -> Path:
    """Write a client that takes no environment."""
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return path


@contextmanager
def installed_docker(place: Path) -> Iterator[Path]:
    """Start the dockerd of this machine."""
    state = place / "d"
    state.mkdir()
    address = f"unix://{state}/d.sock"
    options = [f"--host={address}", f"--data-root={state}/data", f"--exec-root={state}/exec"]
    options += [f"--pidfile={state}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (state / "log").open("wb") as log:
        daemon = subprocess.Popen(["/usr/sbin/dockerd", *options], stdout=log, stderr=log)
    client = script(place / "docker", f"env DOCKER_HOST={address} /usr/bin/docker")
    try:
        for _ in range(300):
            if subprocess.run([client, "info"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield client
    finally:
        daemon.terminate()
        daemon.wait(60)
        leftover = state / "exec/netns/default"
        subprocess.run(["/usr/bin/umount", leftover], check=False, capture_output=True)


@contextmanager
def sid_docker(place: Path, name: str, *, containerd: bool) -> Iterator[Path]:
    """Start the dockerd of Debian sid."""
    state = place / name
    feature = f"containerd-snapshotter={'true' if containerd else 'false'}"
    output_of(DOCKER_SID, "start", state, "--", "--feature", feature)
    try:
        yield script(state.with_suffix(".client"), f"{DOCKER_SID} run {state} docker")
    finally:
        subprocess.run([DOCKER_SID, "stop", state], check=True)


@contextmanager
def own_podman(place: Path) -> Iterator[Path]:
    """Give podman storage of its own."""
    own = f"--root={place}/podman --runroot={place}/podman-run"
    try:
        yield script(place / "podman-client", f"/usr/bin/podman {own}")
    finally:
        mounted = ("/usr/bin/umount", place / "podman/overlay")
        subprocess.run(mounted, check=False, capture_output=True)


def main() -> int:
    """Run all consumers in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--variant")
    parser.add_argument("--check", action="store_true", help="run it in each Docker until healthy")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, to start Docker daemons of its own")
    failures = 0
    with tempfile.TemporaryDirectory(prefix="accept-", dir="/tmp") as directory:
        place = Path(directory)
        image = Image(asked.project.resolve(), asked.variant, place)
        print(f"{image.digest}  {image.transfer_bytes} bytes")
        failures += report(skopeo(image))
        engines: list[tuple[str, str, Callable[[], object]]] = [
            ("podman", "podman", lambda: own_podman(place)),
            ("Docker installed", "docker", lambda: installed_docker(place)),
            ("Docker sid", "docker", lambda: sid_docker(place, "s", containerd=False)),
            ("Docker sid containerd", "docker", lambda: sid_docker(place, "c", containerd=True)),
        ]
        for name, program, begin in engines:
            with ExitStack() as stack:
                try:
                    client = stack.enter_context(begin())
                    version = (
                        output_of(client, "version", "--format", "{{.Server.Version}}")
                        if (program == "docker")
                        else output_of(client, "--version").split()[-1]
                    )
                except (OSError, Refused) as error:
                    print(f"FAILED   {name}: {error}")
                    failures += 1
                    continue
                steps = engine(f"{name} {version}", program, client, image, check=asked.check)
                failures += report(steps)
    return 1 if failures else 0


def report(steps: Iterator[tuple[str, Callable[[], str]]]) -> int:
    """Run each step, print how it went, and return how many failed."""
    failures = 0
    for name, step in steps:
        began = time.monotonic()
        try:
            said = step()
        except (OSError, Refused) as error:
            failures += 1
            print(f"FAILED   {name}: {error}", flush=True)
        else:
            print(f"ok       {name:<48} {time.monotonic() - began:6.1f} s  {said}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
