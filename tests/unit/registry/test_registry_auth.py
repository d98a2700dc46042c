# SPDX-License-Identifier: Apache-2.0
"""Who we are goes to the registry it is for and to its token service, and nowhere else.

The rules are those of facts/traps §5.4; each has its incident there.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wheelship.errors import ExitStatus, WheelshipError
from wheelship.events import Event as Progress
from wheelship.events import Warned
from wheelship.fetch.errors import ResponseTooLarge
from wheelship.oci.reference import Reference
from wheelship.registry.address import check_realm, redirect_target, upload_target
from wheelship.registry.challenge import Challenge, parse_challenges
from wheelship.registry.client import RegistryClient
from wheelship.registry.errors import RegistryAnswer, RegistryDenied, UnsafeAddress
from wheelship.registry.login import Login
from wheelship.registry.token import Authenticator
from wheelship.testing.push import blob_source, describe, make_push
from wheelship.testing.registry import FakeRegistry, RegistryFault

USER, PASSWORD, IDENTITY = "robot", "s3cr3t-passw0rd", "identity-t0ken-s3cr3t"
BLOB = random.Random(1).randbytes(400_000)
MakeClient = Callable[..., RegistryClient]


def auths(registry: FakeRegistry, **changes: str) -> dict[str, object]:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return {"auths": {registry.host: {"auth": pair, **changes}}}


def target(registry: FakeRegistry) -> Reference:
    return Reference.parse(f"{registry.host}/team/service")


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    """Another server; another port is another origin."""
    with FakeRegistry() as running:
        yield running


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_push_and_pull_with_a_password(
    registry: FakeRegistry, make_client: MakeClient, tmp_path: Path, auth: str
) -> None:
    registry.login, registry.auth = (USER, PASSWORD), auth  # type: ignore[assignment]
    client = make_client(**auths(registry))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    client.blob(target(registry), describe(BLOB), tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == BLOB
    with_body = [one for one in registry.received if one.size > len(BLOB) - 1]
    assert len(with_body) == 1  # nothing large was sent before we were asked who we are


def test_a_token_serves_all_requests_of_its_scope(
    registry: FakeRegistry, make_client: MakeClient
) -> None:
    """Token authentication, "Requesting a Token": service and scope as the registry names them."""
    registry.login = (USER, PASSWORD)
    client = make_client(**auths(registry))
    layers = [blob_source(bytes([number]) * 1000) for number in range(6)]
    client.push(target(registry), [make_push(*layers)], tags=["1", "2"])
    asked = registry.requests("GET", "^/token$")
    assert [one.query["scope"] for one in asked] == ["repository:team/service:pull,push"]
    assert asked[0].query["service"] == "fake registry"
    assert asked[0].query["account"] == USER
    client.manifest(target(registry).with_tag("1"))
    scopes = [one.query["scope"] for one in registry.requests("GET", "^/token$")]
    assert scopes[1:] == ["repository:team/service:pull"]


def test_a_token_that_ends_meanwhile_is_replaced(
    registry: FakeRegistry, make_client: MakeClient
) -> None:
    registry.login = (USER, PASSWORD)
    client = make_client(**auths(registry))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    registry.tokens.clear()
    client.push(target(registry), [make_push(blob_source(b"new"))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    assert len(registry.requests("GET", "^/token$")) == 2


def test_a_token_is_not_used_longer_than_it_lives() -> None:
    moment, answers = [0.0], iter([b'{"token": "a", "expires_in": 100}', b'{"access_token": "b"}'])
    auth = Authenticator(
        "https://r.example.org",
        Login(user=USER, password=PASSWORD),
        lambda *_: next(answers),
        clock=lambda: moment[0],
    )
    scopes = frozenset({"repository:x:pull"})
    assert auth.headers(scopes) == {}
    assert auth.challenged(['Bearer realm="https://auth.example.org/t"'], scopes, {})
    assert auth.headers(scopes) == {"Authorization": "Bearer a"}
    moment[0] = 79.0
    assert auth.headers(scopes) == {"Authorization": "Bearer a"}
    moment[0] = 81.0
    assert auth.headers(scopes) == {"Authorization": "Bearer b"}


def test_an_identity_token_goes_into_the_body_only(
    registry: FakeRegistry, make_client: MakeClient
) -> None:
    """OAuth2 with a refresh token: POST, so that it stands in no address and no log."""
    registry.login, registry.identity_token = (USER, "unused"), IDENTITY
    client = make_client(**auths(registry, identitytoken=IDENTITY))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    asked = registry.requests("POST", "^/token$")
    assert len(asked) == 1
    assert "authorization" not in asked[0].headers
    assert registry.requests("GET", "^/token$") == []


def test_public_images_need_no_credentials(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.documents["/token"] = b""
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert all("authorization" not in one.headers for one in registry.received)


def test_who_is_not_asked_says_nothing(registry: FakeRegistry, make_client: MakeClient) -> None:
    client = make_client(**auths(registry))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert all("authorization" not in one.headers for one in registry.received)


@pytest.mark.parametrize("auth", ["basic", "token"])
@pytest.mark.parametrize("known", [False, True], ids=["nobody", "wrong"])
def test_a_refusal_says_how_to_log_in_and_is_not_repeated(
    registry: FakeRegistry, make_client: MakeClient, auth: str, *, known: bool
) -> None:
    registry.login, registry.auth = (USER, "another"), auth  # type: ignore[assignment]
    client = make_client(**auths(registry) if known else {})
    with pytest.raises(RegistryDenied) as caught:
        client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert caught.value.exit_status is ExitStatus.NETWORK
    assert caught.value.hint == f"docker login {registry.host}"
    expected = f"credentials of {USER} do not suffice" if known else "no credentials"
    assert expected in caught.value.message
    blobs = registry.requests("HEAD", "/blobs/")
    assert len(blobs) <= 2 + (auth == "basic" and known) * 2
    assert registry.repository("team/service").tags == {}


def test_the_refusal_names_the_helper_that_failed(
    registry: FakeRegistry, make_client: MakeClient, events: list[Progress]
) -> None:
    registry.login = (USER, PASSWORD)
    with pytest.raises(RegistryDenied, match="docker-credential-gone is not on PATH"):
        make_client(credsStore="gone").manifest(target(registry))
    assert [one.code for one in events if isinstance(one, Warned)] == ["credential-helper"]


def test_no_permission_is_not_repeated(registry: FakeRegistry, make_client: MakeClient) -> None:
    registry.faults.append(RegistryFault(method="POST", status=403, times=None))
    client = make_client(**auths(registry))
    with pytest.raises(RegistryDenied, match=f"403: {USER} may not do this"):
        client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert len(registry.requests("POST")) <= 2  # one per blob at work


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://auth.example.org/token", "https://r.example.org"),
        ("https://r.example.org:8443/token", "https://r.example.org"),
        ("https://auth.example.org/token", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000"),
        ("http://localhost:5001/token", "http://127.0.0.1:5000"),
        ("https://10.0.0.1/token", "https://10.0.0.2"),
        ("https://10.0.0.1/token", "https://10.0.0.1"),
        ("http://r.internal/token", "http://r.internal:5000"),
    ],
)
def test_realms_that_credentials_may_go_to(realm: str, registry: str) -> None:
    check_realm(realm, registry)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("http://auth.example.org/token", "https://r.example.org"),
        ("http://r.example.org/token", "https://r.example.org"),
        ("http://127.0.0.1/token", "https://r.example.org"),
        ("http://localhost/token", "https://r.example.org"),
        ("http://auth.example.org/token", "http://127.0.0.1:5000"),
        ("http://10.0.0.1/token", "http://127.0.0.1:5000"),
        ("http://auth.internal/token", "http://r.internal"),
        ("http://127.0.0.1/token", "http://r.internal"),
        ("https://127.0.0.1/token", "https://r.example.org"),
        ("https://localhost/token", "https://r.example.org"),
        ("https://[::1]/token", "https://r.example.org"),
        ("https://169.254.169.254/latest", "https://r.example.org"),
        ("https://10.0.0.1/token", "https://r.example.org"),
        ("https://192.168.1.1/token", "https://r.example.org"),
        ("https://0.0.0.0/token", "https://r.example.org"),
        ("ftp://auth.example.org/token", "https://r.example.org"),
        ("file:///etc/passwd", "http://127.0.0.1:5000"),
        ("", "https://r.example.org"),
        ("/token", "https://r.example.org"),
    ],
)
def test_realms_that_credentials_must_not_go_to(realm: str, registry: str) -> None:
    """CVE-2020-15157 (containerd), ggcr#2193: the registry chooses where credentials go."""
    with pytest.raises(UnsafeAddress) as caught:
        check_realm(realm, registry)
    assert caught.value.exit_status is ExitStatus.NETWORK


def test_no_credentials_go_to_a_foreign_realm(
    registry: FakeRegistry, elsewhere: FakeRegistry, make_client: MakeClient
) -> None:
    """The rule at work: not even a connection is made."""
    registry.login = (USER, PASSWORD)
    registry.realm = elsewhere.url.replace("127.0.0.1", "auth.example.org") + "/token"
    with pytest.raises(UnsafeAddress, match="which is not protected"):
        make_client(**auths(registry)).manifest(target(registry))
    assert elsewhere.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_service_s_redirects_are_not_followed(
    registry: FakeRegistry, elsewhere: FakeRegistry, make_client: MakeClient, status: int
) -> None:
    """CVE-2026-48978 (oras-go)."""
    registry.login = (USER, PASSWORD)
    away = {"Location": f"{elsewhere.url}/token"}
    registry.faults.append(RegistryFault(path="^/token", status=status, headers=away, times=None))
    with pytest.raises(RegistryAnswer, match="the token service redirects"):
        make_client(**auths(registry)).manifest(target(registry))
    assert elsewhere.received == []


@pytest.mark.parametrize("auth", ["basic", "token"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_storage_behind_a_redirect_gets_no_credentials(
    registry: FakeRegistry,
    elsewhere: FakeRegistry,
    make_client: MakeClient,
    tmp_path: Path,
    auth: str,
    status: int,
) -> None:
    """Blobs often lie in storage with signed addresses; another port is another server too."""
    registry.login, registry.auth = (USER, PASSWORD), auth  # type: ignore[assignment]
    client = make_client(**auths(registry))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    elsewhere.documents["/signed"] = BLOB
    away = {"Location": f"{elsewhere.url}/signed?signature=x"}
    registry.faults.append(RegistryFault(path="/blobs/", status=status, headers=away))
    client.blob(target(registry), describe(BLOB), tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert [one.path for one in elsewhere.received] == ["/signed"]
    assert all("authorization" not in one.headers for one in elsewhere.received)
    assert "authorization" in registry.received[-1].headers


@pytest.mark.parametrize(
    ("url", "location", "problem"),
    [
        ("https://r.example.org/a", "http://r.example.org/b", "not protected"),
        ("https://r.example.org/a", "http://s.example.org/b", "not protected"),
        ("https://r.example.org/a", "https://127.0.0.1/b", "inside this machine"),
        ("https://r.example.org/a", "https://localhost/b", "inside this machine"),
        ("https://r.example.org/a", "https://169.254.169.254/b", "inside this machine"),
        ("https://r.example.org/a", "https://[::1]/b", "inside this machine"),
        ("http://r.internal/a", "http://127.0.0.1:80/b", "inside this machine"),
        ("https://r.example.org/a", "file:///etc/passwd", "neither http nor https"),
        ("https://r.example.org/a", "", "to nowhere"),
        ("https://r.example.org/a", None, "to nowhere"),
    ],
)
def test_redirects_that_are_not_followed(url: str, location: str | None, problem: str) -> None:
    with pytest.raises(UnsafeAddress, match=problem):
        redirect_target(url, location, anywhere=True)


def test_redirects_that_are_followed() -> None:
    url = "https://r.example.org/a/b"
    assert redirect_target(url, "c", anywhere=False) == "https://r.example.org/a/c"
    assert redirect_target(url, "https://r.example.org:443/c", anywhere=False)
    assert redirect_target(url, "https://s.example.org/c", anywhere=True)
    assert redirect_target("http://127.0.0.1:1/a", "http://127.0.0.1:2/b", anywhere=True)
    with pytest.raises(UnsafeAddress, match="another server"):
        redirect_target(url, "https://s.example.org/c", anywhere=False)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.org/upload",
        "http://r.example.org/upload",
        "https://r.example.org:8443/upload",
        "//evil.example.org/upload",
        "https://169.254.169.254/upload",
        "https://r.example.org@evil.example.org/upload",
        "",
        None,
    ],
)
def test_an_upload_stays_with_the_registry(location: str | None) -> None:
    """distribution-spec leaves Location to the registry; ggcr's SSRF cases."""
    with pytest.raises(UnsafeAddress):
        upload_target("https://r.example.org/v2/x/blobs/uploads/", location)
    for right in ("/v2/x?a=1", "https://r.example.org/v2/x?a=1", "https://r.example.org:443/v2/x"):
        assert upload_target("https://r.example.org/v2/", right).startswith("https://r.example.org")


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_no_layer_goes_to_another_server(
    registry: FakeRegistry, elsewhere: FakeRegistry, make_client: MakeClient, method: str
) -> None:
    """Neither by Location nor by a redirect that keeps the method."""
    if method == "PATCH":
        registry.chunk_minimum = 1000
    away = {"Location": f"{elsewhere.url}/v2/team/service/blobs/uploads/1"}
    status = 307 if method == "PUT" else None
    registry.faults.append(
        RegistryFault(method=method, path="/uploads/", status=status, headers=away, times=None)
    )
    with pytest.raises(UnsafeAddress):
        make_client(**auths(registry)).push(
            target(registry), [make_push(blob_source(BLOB))], tags=["1"]
        )
    assert elsewhere.received == []
    assert registry.repository("team/service").tags == {}


def test_a_token_of_more_than_1_mib_is_not_read(
    registry: FakeRegistry, make_client: MakeClient
) -> None:
    """CVE-2020-1702."""
    registry.login = (USER, PASSWORD)
    registry.token_answer = json.dumps({"token": "x" * 1024 * 1024}).encode()
    with pytest.raises(ResponseTooLarge):
        make_client(**auths(registry)).manifest(target(registry))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"token": ""}',
        b'{"token": 5}',
        b'{"token": "a\\r\\nX-Evil: 1"}',
        b'{"token": "\\u00e9"}',
        b'{"token": "a", "expires_in": "soon"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_token_is_refused(
    registry: FakeRegistry, make_client: MakeClient, answer: bytes
) -> None:
    registry.login = (USER, PASSWORD)
    registry.token_answer = answer
    with pytest.raises(RegistryAnswer, match="something else than a token"):
        make_client(**auths(registry)).manifest(target(registry))


def test_of_an_error_no_more_than_64_kib_are_read(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    said = json.dumps({"errors": [{"code": "DENIED", "message": "no"}]}).encode()
    for padding, shown in ((0, True), (64 * 1024, False)):
        body = said + b" " * padding
        registry.faults.append(RegistryFault(path="/manifests/", status=403, body=body))
        with pytest.raises(RegistryDenied) as caught:
            client.manifest(target(registry))
        assert ("DENIED: no" in caught.value.message) is shown


def test_an_error_s_words_cannot_write_on_the_terminal(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    words = {"errors": [{"code": "X", "message": "\x1b[2Jgone\r\nerror[fake]: " + "y" * 5000}]}
    body = json.dumps(words).encode()
    registry.faults.append(RegistryFault(path="/manifests/", status=400, body=body))
    with pytest.raises(WheelshipError) as caught:
        client.manifest(target(registry))
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


@contextmanager
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("where", ["manifest", "token"])
def test_secrets_stand_in_no_message(
    registry: FakeRegistry,
    make_client: MakeClient,
    caplog: pytest.LogCaptureFixture,
    where: str,
    *,
    identity: bool,
) -> None:
    """Not even when the registry repeats them; logs of all libraries included."""
    registry.login = (USER, PASSWORD)
    registry.identity_token = IDENTITY
    client = make_client(**auths(registry, **({"identitytoken": IDENTITY} if identity else {})))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    secrets = [PASSWORD, IDENTITY, pair, *registry.tokens]
    assert len(secrets) > 3
    words = " ".join([secrets[3], PASSWORD if not identity else IDENTITY, pair])
    body = json.dumps({"errors": [{"code": "X", "message": words}]}).encode()
    path = "^/token" if where == "token" else "/manifests/"
    if where == "token":
        registry.tokens.clear()
    registry.faults.append(RegistryFault(path=path, status=403, body=body, times=None))
    with everything_logged(caplog), pytest.raises(RegistryDenied) as caught:
        client.manifest(target(registry).with_tag("1"))
    error = caught.value
    told = "".join(traceback.format_exception(error)) + f"{error.where} {error.hint}" + caplog.text
    assert caplog.records
    assert [secret for secret in secrets if secret in told and secret != pair] == []
    if not identity:
        assert pair not in told


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    (
                        ("realm", "https://a/t"),
                        ("service", "s"),
                        ("scope", "repository:a/b:pull,push"),
                    ),
                )
            ],
        ),
        ('Basic realm="x"', [Challenge("basic", (("realm", "x"),))]),
        (
            'Basic realm="a, b", Bearer realm="c"',
            [Challenge("basic", (("realm", "a, b"),)), Challenge("bearer", (("realm", "c"),))],
        ),
        (
            'bearer REALM = "a\\"b" , service=s',
            [Challenge("bearer", (("realm", 'a"b'), ("service", "s")))],
        ),
        ("Negotiate", [Challenge("negotiate", ())]),
        (
            "Negotiate, Basic realm=x",
            [Challenge("negotiate", ()), Challenge("basic", (("realm", "x"),))],
        ),
        ("", []),
        ('realm="x"', []),
        ('Bearer realm="unfinished', [Challenge("bearer", ())]),
    ],
)
def test_challenges(header: str, expected: list[Challenge]) -> None:
    """RFC 9110, section 11.6.1: several in one header, quoted or not, in any case."""
    assert parse_challenges([header]) == expected


def test_a_registry_that_offers_both_gets_the_token(
    registry: FakeRegistry, make_client: MakeClient
) -> None:
    registry.login = (USER, PASSWORD)
    both = f'Basic realm="r", Bearer realm="{registry.url}/token",service="s"'
    registry.faults.append(
        RegistryFault(path="/v2/team", status=401, headers={"WWW-Authenticate": both})
    )
    client = make_client(**auths(registry))
    client.push(target(registry), [make_push(blob_source(BLOB))], tags=["1"])
    assert registry.missing("team/service", "1") == []
    given = {
        one.headers.get("authorization", "none").split()[0] for one in registry.requests("PUT")
    }
    assert given == {"Bearer"}
