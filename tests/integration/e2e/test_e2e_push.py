# SPDX-License-Identifier: Apache-2.0
"""From a project into a registry: a real one, judged by skopeo and Docker, and a faulty one."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wheelship.testing.registry import FakeRegistry, RegistryFault

pytestmark = pytest.mark.integration

USER, PASSWORD = "robot", "s3cr3t-passw0rd"
# bcrypt of the password, the only form that docker-registry reads
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuaqK2GzvvdzpyGxNlESsA0MPDBr3z0XK\n"
MIB = 1024 * 1024


@contextmanager
def real_registry(program: str, folder: Path, **more: object) -> Iterator[str]:
    """Run docker-registry on a free port of loopback; yield its host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True)
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", **more.pop("http", {})},  # type: ignore[dict-item]
        **more,
    }
    (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder / "data", ignore_errors=True)


@pytest.fixture
def real(tool: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    with real_registry(tool("docker-registry"), tmp_path / "registry") as host:
        yield host


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


def log_in(site: Any, host: str, **changes: str) -> None:
    folder = Path(os.environ["HOME"], ".docker")
    folder.mkdir(exist_ok=True)
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": pair, **changes}}}))
    del site


def inspected(tool: Callable[[str], str], reference: str, *options: str) -> dict[str, Any]:
    command = [tool("skopeo"), "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return found


def test_push_by_tag_and_by_variant(site: Any, real: str, tool: Callable[[str], str]) -> None:
    """Skopeo reads the same digest; a second push sends nothing, a changed line very little."""
    site.lock()
    first = site.build("--push", "--tag", f"{real}/team/demo")
    pushed = first["deliveries"][-1]
    assert pushed["references"] == [f"{real}/team/demo:1.0-cpu", f"{real}/team/demo:cpu"]
    assert pushed["digest"] == first["digest"]
    assert pushed["blobs"] == {"sent": len(first["layers"]) + 1, "existing": 0, "mounted": 0}
    for reference in pushed["references"]:
        assert inspected(tool, reference)["Digest"] == first["digest"]
    again = site.build("--push", "--tag", f"{real}/team/demo")["deliveries"][-1]
    assert (again["moved_bytes"], again["blobs"]["sent"]) == (0, 0)
    (site.root / "demo.py").write_text("value = 2\n")
    changed = site.build("--push", "--tag", f"{real}/team/demo")
    delivery = changed["deliveries"][-1]
    assert changed["digest"] != first["digest"]
    assert delivery["blobs"]["sent"] == 2  # the application and the configuration
    assert 0 < delivery["moved_bytes"] < MIB
    assert inspected(tool, f"{real}/team/demo:cpu")["Digest"] == changed["digest"]
    assert first["deliveries"][0]["output"].startswith("oci:")


def test_another_repository_gets_its_layers_mounted(
    site: Any, real: str, tool: Callable[[str], str]
) -> None:
    site.lock()
    site.build("--output", f"registry:{real}/team/demo:1")
    image = site.build("--output", f"registry:{real}/other/name:2")
    (delivery,) = image["deliveries"]
    assert delivery["blobs"] == {"sent": 1, "existing": 0, "mounted": len(image["layers"])}
    assert inspected(tool, f"{real}/other/name:2")["Digest"] == image["digest"]


def test_push_of_a_layout(site: Any, real: str, tool: Callable[[str], str]) -> None:
    """A project's last build, the layout, one of its tags, and an archive: the same image."""
    site.lock()
    archive = site.root / "image.tar"
    digest = site.build("--output", f"oci-archive:{archive}", "--output", "oci:root/dist/demo")[
        "digest"
    ]
    layout = site.root / "dist" / "demo"
    for number, image in enumerate((site.root, layout, f"oci:{layout}:cpu", archive)):
        ran = site.run("push", str(image), f"{real}/layout{number}/demo", "--json")
        assert ran.document["schema"] == "wheelship.push/1"
        assert ran.document["digest"] == digest
        assert ran.document["references"] == [f"{real}/layout{number}/demo:cpu"]
        assert inspected(tool, f"{real}/layout{number}/demo:cpu")["Digest"] == digest
    shown = site.run("push", str(layout), f"{real}/layout0/demo:x").out
    assert f"{real}/layout0/demo:x@{digest}" in shown
    assert "sent 0 B" in shown


def test_the_real_registry_takes_chunks(
    site: Any, real: str, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """distribution-spec, "Pushing a blob in chunks", as docker-registry understands it."""
    monkeypatch.setattr("wheelship.registry.upload._STEPS", (20_000, 10_000))
    site.lock()
    image = site.build("--output", f"registry:{real}/team/demo:1")
    assert image["deliveries"][0]["moved_bytes"] > 60_000
    assert inspected(tool, f"{real}/team/demo:1")["Digest"] == image["digest"]


def test_json_keeps_to_its_schema(site: Any, fake: FakeRegistry) -> None:
    """docs/reference/schema: the fields, no more and no less."""
    site.lock()
    (delivery,) = site.build("--output", f"registry:{fake.host}/a:1")["deliveries"]
    pushed = site.run("push", str(site.root / "dist/demo"), f"{fake.host}/a:2", "--json", status=3)
    assert pushed.document["error"]["code"] == "no-image"
    site.build()
    pushed = site.run("push", str(site.root), f"{fake.host}/a:2", "--json")
    schema = Path(__file__).parents[3] / "docs" / "reference" / "schema"
    build = json.loads((schema / "build.json").read_text())["properties"]["images"]["items"]
    wanted = build["properties"]["deliveries"]["items"]
    assert set(delivery) == set(wanted["required"]) == set(wanted["properties"])
    assert set(delivery["blobs"]) == set(wanted["properties"]["blobs"]["required"])
    wanted = json.loads((schema / "push.json").read_text())
    assert set(pushed.document) == set(wanted["required"]) == set(wanted["properties"])
    assert pushed.document["schema"] == wanted["properties"]["schema"]["const"]


def test_docker_pulls_the_same_digest(
    site: Any, real: str, docker_client: tuple[Path, dict[str, str]]
) -> None:
    site.lock()
    image = site.build("--output", f"registry:{real}/team/demo:1")
    client, environment = docker_client
    name = f"{real}/team/demo:1"
    done = subprocess.run(
        [client, "pull", name],
        env={**os.environ, **environment, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"Digest: {image['digest']}" in done.stdout
    subprocess.run([client, "rmi", name], env={**os.environ, **environment}, check=True)


def test_a_registry_with_passwords(
    site: Any, tool: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody, somebody else, a helper, and Docker's own file."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}
    site.lock()
    site.build()
    push = ("push", str(site.root))
    with real_registry(tool("docker-registry"), tmp_path / "closed", auth=auth) as host:
        error = site.refuse(
            *push, f"{host}/team/demo:1", code="registry-denied", status=4, says=["no credentials"]
        )
        assert error["hint"] == f"docker login {host}"
        log_in(site, host, auth=base64.b64encode(b"robot:wrong").decode())
        site.refuse(
            *push, f"{host}/team/demo:1", code="registry-denied", status=4, says=["robot do not"]
        )
        log_in(site, host)
        site.run(*push, f"{host}/team/demo:1")
        credentials = f"{USER}:{PASSWORD}"
        assert inspected(tool, f"{host}/team/demo:1", "--creds", credentials)["Digest"]
        helper = tmp_path / "docker-credential-test"
        answer = json.dumps({"ServerURL": host, "Username": USER, "Secret": PASSWORD})
        helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
        helper.chmod(0o755)
        config = Path(os.environ["HOME"], ".docker", "config.json")
        config.write_text(json.dumps({"credHelpers": {host: "test"}}))
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        ran = site.run(*push, f"{host}/team/demo:2", "--verbose")
        assert inspected(tool, f"{host}/team/demo:2", "--creds", credentials)["Digest"]
        assert PASSWORD not in ran.out + ran.err


def test_a_registry_with_a_private_authority(
    site: Any, tool: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names the authority that signed the registry's certificate."""
    openssl = tool("openssl")

    def ssl(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=tmp_path)

    request = "req -newkey rsa:2048 -nodes"
    ssl(*f"{request} -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.pem".split())
    ssl(*f"{request} -subj /CN=localhost -keyout key.pem -out csr.pem".split())
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    signing = "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -days 2 -set_serial 1 -extfile names"
    ssl(*signing.split(), "-out", "cert.pem")
    tls = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    site.lock()
    site.build()
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    folder = tmp_path / "tls"
    with real_registry(tool("docker-registry"), folder, http={"tls": tls}) as host:
        name = f"localhost:{host.rpartition(':')[2]}/team/demo:1"
        error = site.refuse(
            "push", str(site.root), name, code="untrusted-certificate", status=4, says=["localhost"]
        )
        assert "SSL_CERT_FILE" in error["hint"]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        digest = site.run("push", str(site.root), name, "--json").document["digest"]
        assert inspected(tool, name)["Digest"] == digest


def test_tokens(site: Any, fake: FakeRegistry) -> None:
    """The way of the large registries, from Docker's file to the tag."""
    fake.login = (USER, PASSWORD)
    log_in(site, fake.host)
    site.lock()
    image = site.build("--push", "--tag", f"{fake.host}/team/demo:1")
    assert fake.repository("team/demo").tags == {"1": image["digest"]}
    assert fake.missing("team/demo", "1") == []
    scopes = {one.query["scope"] for one in fake.requests("GET", "^/token")}
    assert scopes == {"repository:team/demo:pull,push"}


def test_push_names_the_version_where_there_is_one(site: Any, fake: FakeRegistry) -> None:
    site.project("alpha", table=f'repository = "{fake.host}/team/demo"')
    text = (site.root / "pyproject.toml").read_text()
    (site.root / "pyproject.toml").write_text(text.replace('"1.0"', '"1.0+local.1"'))
    site.lock()
    site.build("--push")
    assert set(fake.repository("team/demo").tags) == {"cpu", "1.0_local.1-cpu"}


def test_push_without_a_place_is_refused_before_anything_is_built(site: Any) -> None:
    error = site.refuse("build", str(site.root), "--push", code="invalid-output", status=3)
    assert "--tag HOST/NAME" in error["hint"]
    assert "repository" in error["hint"]
    assert not (site.root / "dist").exists()
    site.run("build", str(site.root), "--push", "--offline", status=2)


def test_one_tag_is_not_for_two_variants(site: Any, fake: FakeRegistry) -> None:
    site.project(
        "alpha",
        table='[tool.wheelship.variants.cpu]\n[tool.wheelship.variants.other]\naccelerator = "cpu"',
    )
    arguments = ("build", str(site.root), "--all", "--push", "--tag", f"{fake.host}/demo:1")
    site.refuse(*arguments, code="invalid-output", status=3, says=["2 variants"])
    assert fake.received == []


def test_nothing_is_pushed_when_a_budget_is_broken(site: Any, fake: FakeRegistry) -> None:
    site.project("alpha", table='budget = "1 kB"')
    site.lock()
    place = ("--push", "--tag", f"{fake.host}/team/demo:1")
    ran = site.run("build", str(site.root), *place, status=1)
    assert "error[budget-broken]" in ran.err
    assert "--allow-over-budget" in ran.err
    assert site.run("build", str(site.root), *place, "--json", status=1).image["deliveries"]
    assert fake.received == []
    image = site.build(*place, "--allow-over-budget")
    assert not image["budget"]["ok"]
    assert fake.repository("team/demo").tags == {"1": image["digest"]}
    assert "BROKEN" in site.run("build", str(site.root), *place, "--allow-over-budget").out


def test_a_dry_run_pushes_nothing(site: Any, fake: FakeRegistry) -> None:
    site.lock()
    site.run("build", str(site.root), "--push", "--tag", f"{fake.host}/team/demo:1", "--dry-run")
    assert fake.received == []


def test_a_registry_that_fails_always(site: Any, fake: FakeRegistry) -> None:
    """One error with exit status 4, the tag as it was; the next run sends only what is missing."""
    site.lock()
    place = f"{fake.host}/team/demo:1"
    old = site.build("--output", f"registry:{place}")["digest"]
    (site.root / "demo.py").write_text("value = 2\n")
    new = site.build()["digest"]
    fake.faults.append(RegistryFault(method="PUT", path="/manifests/", times=None, status=500))
    site.refuse("push", str(site.root), place, code="unreachable", status=4, says=["500"])
    assert fake.repository("team/demo").tags == {"1": old}
    fake.faults.clear()
    done = site.run("push", str(site.root), place, "--json").document
    assert done["blobs"]["sent"] == 0
    assert fake.repository("team/demo").tags == {"1": new}


def test_a_flipped_bit_in_the_store_reaches_no_tag(site: Any, fake: FakeRegistry) -> None:
    """Found while it is sent; ``cache verify`` and a build repair it."""
    site.lock()
    image = site.build()
    largest = max(image["layers"], key=lambda one: one["transfer_bytes"])
    blob = site.store / "blobs" / "sha256" / largest["digest"].removeprefix("sha256:")
    status, data = blob.stat(), bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    os.utime(blob, ns=(status.st_atime_ns, status.st_mtime_ns))
    place = f"{fake.host}/team/demo:1"
    ran = site.run("push", str(site.root), place, "--json", status=5)
    error = ran.document["error"]
    assert error["code"] == "damaged-store"
    assert "cache verify" in error["hint"]
    assert fake.repository("team/demo").tags == {}
    site.run("cache", "verify")
    site.build()
    site.run("push", str(site.root), place)
    assert fake.repository("team/demo").tags == {"1": image["digest"]}
    assert fake.missing("team/demo", "1") == []


def test_what_is_no_image_is_refused(site: Any, fake: FakeRegistry) -> None:
    site.refuse("push", str(site.root), f"{fake.host}/x", code="no-image", status=3)
    site.refuse("push", str(site.root / ".."), f"{fake.host}/x", code="no-image", status=3)
    site.refuse("push", str(site.root), "https://x/y", code="invalid-output", status=3)
    assert fake.received == []


def test_an_insecure_registry_must_be_named(
    site: Any, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything that is not loopback by name gets TLS, unless the user says otherwise."""
    site.lock()
    site.build()
    port = fake.host.rpartition(":")[2]
    fake.absolute = False  # it does not know its other name
    # An address of this machine that does not look like one.
    host = f"{socket.gethostname()}:{port}".lower()
    monkeypatch.setattr(socket, "getaddrinfo", loopback_only(socket.getaddrinfo))
    monkeypatch.setenv("no_proxy", "*")
    name = f"{host}/team/demo:1"
    site.refuse("push", str(site.root), name, code="unreachable", status=4)
    assert fake.received == []
    site.run("push", str(site.root), name, "--insecure-registry", host)
    monkeypatch.setenv("WHEELSHIP_INSECURE_REGISTRIES", f"other.example.org, {host}")
    site.run("push", str(site.root), name)
    assert fake.missing("team/demo", "1") == []


def loopback_only(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolved(host: str, *rest: Any, **more: Any) -> Any:
        del host
        return resolve("127.0.0.1", *rest, **more)

    return resolved


def test_the_real_registry_is_reached_by_nobody_else(real: str) -> None:
    with urllib.request.urlopen(f"http://{real}/v2/") as answer:
        assert answer.status == 200
    assert real.startswith("127.0.0.1:")
