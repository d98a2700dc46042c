# SPDX-License-Identifier: Apache-2.0
"""Downloads against a server that misbehaves: what arrives is right, or nothing has the name."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from wheelship.errors import ExitStatus, NetworkError
from wheelship.events import Advanced, Finished, Started
from wheelship.events import Event as Progress
from wheelship.fetch.credentials import Credentials
from wheelship.fetch.download import Download
from wheelship.fetch.errors import (
    Cancelled,
    HashMismatch,
    HttpStatus,
    MissingFile,
    Offline,
    ResponseTooLarge,
    SizeMismatch,
    Transient,
    Unauthorized,
    UnusableUrl,
)
from wheelship.fetch.fetcher import Fetcher
from wheelship.fetch.retry import Policy
from wheelship.testing.index import Fault, PackageIndex

BODY = random.Random(7).randbytes(3_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@dataclass
class Naps:
    """Stands in for sleeping and remembers for how long."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float, cancelled: Event) -> None:
        del cancelled
        self.seconds.append(seconds)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    files = tmp_path / "served"
    files.mkdir()
    with PackageIndex(files) as running:
        running.documents["/big.whl"] = BODY
        yield running


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def fetcher(naps: Naps) -> Fetcher:
    return Fetcher(user_agent="test/1", sleep=naps, policy=Policy(read_seconds=5))


def job(index: PackageIndex, directory: Path, **changes: object) -> Download:
    values: dict[str, object] = {
        "url": f"{index.url}/big.whl",
        "destination": directory / "final",
        "sha256": SHA256,
        "size_bytes": len(BODY),
        "subject": "big.whl",
        **changes,
    }
    return Download(**values)  # type: ignore[arg-type]


def ranges(index: PackageIndex) -> list[str | None]:
    return [one.headers.get("range") for one in index.received]


def test_file_arrives_with_its_events(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    events: list[Progress] = []
    fetcher.download(job(index, tmp_path), emit=events.append)
    assert (tmp_path / "final").read_bytes() == BODY
    assert events[0] == Started("download", "big.whl", len(BODY))
    assert events[-1] == Finished("download", "big.whl", "done")
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) == len(BODY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final", "served"]
    assert index.received[0].headers["user-agent"] == "test/1"
    assert index.received[0].headers["accept-encoding"] == "identity"


def test_existing_file_is_not_asked_for(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "final").write_bytes(b"there")
    fetcher.download(job(index, tmp_path))
    assert index.received == []
    (tmp_path / "final").unlink()
    fetcher.download(job(index, tmp_path))
    assert len(index.received) == 1


@pytest.mark.parametrize(
    ("fault", "second_range"),
    [
        (Fault(truncate=1_000_000), "bytes=1000000-"),
        (Fault(truncate=1_000_000, reset=True), None),
        (Fault(status=503), None),
        (Fault(status=500), None),
        (Fault(status=429), None),
        (Fault(status=408), None),
    ],
    ids=["cut", "reset", "503", "500", "429", "408"],
)
def test_one_failure_is_repaired(
    fault: Fault,
    second_range: str | None,
    index: PackageIndex,
    fetcher: Fetcher,
    naps: Naps,
    tmp_path: Path,
) -> None:
    index.faults.append(fault)
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert len(index.received) == 2
    assert len(naps.seconds) == 1
    if second_range is not None:
        assert ranges(index) == [None, second_range]


def test_resume_asks_only_for_the_same_file(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults.append(Fault(truncate=1_000_000))
    fetcher.download(job(index, tmp_path))
    assert index.received[1].headers["if-range"].startswith('"')


def test_file_that_changes_between_two_parts_is_fetched_anew(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    """If-Range makes a server send everything when the file is another one (RFC 9110, 13.1.5)."""
    index.faults.append(Fault(body=b"x" * len(BODY), truncate=1_000_000, headers={"ETag": '"old"'}))
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == [None, "bytes=1000000-"]


def test_beginning_of_another_file_is_thrown_away(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "final.partial").write_bytes(b"x" * 1000)
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == ["bytes=1000-", None]


def test_next_run_goes_on_where_the_last_one_broke_off(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults.append(Fault(truncate=2_000_000))
    index.faults += [Fault(status=503)] * 9
    with pytest.raises(Transient) as caught:
        fetcher.download(job(index, tmp_path))
    assert caught.value.exit_status is ExitStatus.NETWORK
    assert not (tmp_path / "final").exists()
    assert (tmp_path / "final.partial").stat().st_size == 2_000_000
    index.faults.clear()
    index.received.clear()
    events: list[Progress] = []
    fetcher.download(job(index, tmp_path), emit=events.append)
    assert (tmp_path / "final").read_bytes() == BODY
    assert not (tmp_path / "final.partial").exists()
    assert ranges(index) == ["bytes=2000000-"]
    assert sum(one.bytes for one in events if isinstance(one, Advanced)) == len(BODY)


def test_complete_leftover_is_not_fetched_again(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "final.partial").write_bytes(BODY)
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert index.received == []


def test_leftover_longer_than_the_file_is_thrown_away(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "final.partial").write_bytes(BODY + b"more")
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == [None]


def test_range_beyond_the_end_starts_again(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    """Without a known size a leftover may be longer than the file: 416."""
    (tmp_path / "final.partial").write_bytes(BODY + b"more")
    fetcher.download(job(index, tmp_path, size_bytes=None))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == [f"bytes={len(BODY) + 4}-", None]


def test_server_that_ignores_ranges_sends_everything_again(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults += [Fault(truncate=1_000_000), Fault(ignore_range=True)]
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert len(index.received) == 2


@pytest.mark.parametrize(
    "claim", [f"bytes 5-2999999/{len(BODY)}", "bytes 0-10/*", "nonsense", f"bytes */{len(BODY)}"]
)
def test_part_from_another_place_is_not_joined(
    claim: str, index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    """Joining it would corrupt the file (pip#14131)."""
    index.faults += [
        Fault(truncate=1_000_000),
        Fault(headers={"Content-Range": claim}, body=b"y" * 100),
    ]
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY


def test_server_that_sends_short_parts_is_asked_for_more(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    """A server may answer a range with less than was asked for (RFC 9110, 15.3.7)."""
    (tmp_path / "final.partial").write_bytes(BODY[:10])
    index.faults.append(
        Fault(headers={"Content-Range": f"bytes 10-99/{len(BODY)}"}, body=BODY[10:100])
    )
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == ["bytes=10-", "bytes=100-"]


def test_truncated_body_without_a_length_is_noticed(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults.append(Fault(body=BODY[:1000], headers={"Content-Length": ""}, truncate=1000))
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert ranges(index) == [None, "bytes=1000-"]


def test_wrong_bytes_leave_nothing(index: PackageIndex, fetcher: Fetcher, tmp_path: Path) -> None:
    index.faults.append(Fault(body=b"z" * len(BODY)))
    events: list[Progress] = []
    with pytest.raises(HashMismatch) as caught:
        fetcher.download(job(index, tmp_path), emit=events.append)
    assert caught.value.code == "download-hash-mismatch"
    assert SHA256 in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["served"]
    assert events[-1] == Finished("download", "big.whl", "failed")
    assert len(index.received) == 1


def test_wrong_length_is_refused_before_the_body(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    with pytest.raises(SizeMismatch, match="3000000 bytes, promised were 17"):
        fetcher.download(job(index, tmp_path, size_bytes=17))
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_more_than_promised_is_refused(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults.append(
        Fault(headers={"Content-Length": "", "Connection": "close"}, truncate=len(BODY))
    )
    with pytest.raises(ResponseTooLarge):
        fetcher.download(job(index, tmp_path, size_bytes=1000))
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_gives_up_after_some_tries(
    index: PackageIndex, fetcher: Fetcher, naps: Naps, tmp_path: Path
) -> None:
    index.faults.append(Fault(status=502, times=99))
    with pytest.raises(Transient, match="answered 502"):
        fetcher.download(job(index, tmp_path))
    assert len(index.received) == Policy().attempts
    assert naps.seconds == sorted(naps.seconds)
    assert naps.seconds[-1] > naps.seconds[0]


def test_connection_that_gets_on_each_time_is_not_given_up(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    body = BODY * 4
    index.documents["/big.whl"] = body
    index.faults += [Fault(truncate=1_500_000)] * 7
    fetcher.download(
        job(index, tmp_path, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    )
    assert (tmp_path / "final").read_bytes() == body
    assert len(index.received) == 8 > Policy().attempts


def test_server_says_when_to_come_back(
    index: PackageIndex, fetcher: Fetcher, naps: Naps, tmp_path: Path
) -> None:
    index.faults.append(Fault(status=429, headers={"Retry-After": "7"}))
    fetcher.download(job(index, tmp_path))
    assert naps.seconds == [7.0]


def test_date_to_come_back_counts_from_the_servers_clock(
    index: PackageIndex, fetcher: Fetcher, naps: Naps, tmp_path: Path
) -> None:
    fault = Fault(status=503, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})
    index.faults.append(fault)
    fetcher.download(job(index, tmp_path))
    assert 0 < naps.seconds[0] < 1


def test_too_long_a_wait_is_a_failure(
    index: PackageIndex, fetcher: Fetcher, naps: Naps, tmp_path: Path
) -> None:
    index.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(Transient, match="answered 429"):
        fetcher.download(job(index, tmp_path))
    assert naps.seconds == []


def test_missing_file_is_not_asked_for_again(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    with pytest.raises(HttpStatus) as caught:
        fetcher.download(job(index, tmp_path, url=f"{index.url}/gone.whl"))
    assert caught.value.status == 404
    assert len(index.received) == 1
    assert not (tmp_path / "final").exists()


def test_nobody_listens(fetcher: Fetcher, naps: Naps, tmp_path: Path) -> None:
    with PackageIndex(tmp_path) as stopped:
        pass
    with pytest.raises(Transient, match=r"no answer from 127\.0\.0\.1.*refused"):
        fetcher.fetch_bytes(f"{stopped.url}/x", limit_bytes=9)
    assert len(naps.seconds) == Policy().attempts - 1


def test_server_that_falls_silent_is_left(index: PackageIndex, naps: Naps, tmp_path: Path) -> None:
    patience = Policy(read_seconds=0.1, attempts=2)
    fetcher = Fetcher(user_agent="test", sleep=naps, policy=patience)
    index.faults.append(Fault(delay_seconds=0.6))
    fetcher.download(job(index, tmp_path))
    assert (tmp_path / "final").read_bytes() == BODY
    assert len(naps.seconds) == 1


def test_two_at_once_fetch_once(index: PackageIndex, fetcher: Fetcher, tmp_path: Path) -> None:
    index.faults.append(Fault(delay_seconds=0.3))
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(fetcher.download, job(index, tmp_path)) for _ in range(4)]
        assert [future.result() for future in futures] == [None] * 4
    assert (tmp_path / "final").read_bytes() == BODY
    assert len(index.received) == 1
    assert not (tmp_path / "final.partial").exists()


def test_cancelled_download_stops(index: PackageIndex, tmp_path: Path) -> None:
    index.faults.append(Fault(status=503, times=99))
    cancelled = Event()
    fetcher = Fetcher(
        user_agent="test", policy=Policy(backoff_seconds=30, backoff_limit_seconds=60)
    )
    failures: list[NetworkError] = []

    def run() -> None:
        try:
            fetcher.download(job(index, tmp_path), cancelled=cancelled)
        except NetworkError as error:
            failures.append(error)

    thread = Thread(target=run)
    thread.start()
    cancelled.set()
    thread.join(timeout=10)
    assert [type(error) for error in failures] == [Cancelled]


def test_offline_asks_nobody(index: PackageIndex, tmp_path: Path) -> None:
    fetcher = Fetcher(user_agent="test", offline=True)
    with pytest.raises(Offline) as caught:
        fetcher.download(job(index, tmp_path))
    assert caught.value.hint == "run once without --offline"
    assert index.received == []


def test_local_file(fetcher: Fetcher, index: PackageIndex, tmp_path: Path) -> None:
    source = tmp_path / "with space.whl"
    source.write_bytes(BODY)
    fetcher.download(job(index, tmp_path, url=source.as_uri()))
    assert (tmp_path / "final").read_bytes() == BODY
    source.write_bytes(BODY[::-1])
    with pytest.raises(HashMismatch):
        fetcher.download(job(index, tmp_path, url=source.as_uri(), destination=tmp_path / "two"))
    source.unlink()
    with pytest.raises(MissingFile):
        fetcher.download(job(index, tmp_path, url=source.as_uri(), destination=tmp_path / "two"))
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("url", ["ftp://example.org/x", "/no/scheme", "file://host/x", "http://[/"])
def test_address_of_another_kind(url: str, fetcher: Fetcher) -> None:
    with pytest.raises(UnusableUrl):
        fetcher.fetch_bytes(url, limit_bytes=1)


def test_small_document(index: PackageIndex, fetcher: Fetcher, tmp_path: Path) -> None:
    index.documents["/doc"] = b"hello"
    index.faults.append(Fault(status=503))
    assert fetcher.fetch_bytes(f"{index.url}/doc", limit_bytes=5) == b"hello"
    with pytest.raises(ResponseTooLarge):
        fetcher.fetch_bytes(f"{index.url}/doc", limit_bytes=4)
    (tmp_path / "doc").write_bytes(b"local")
    assert fetcher.fetch_bytes((tmp_path / "doc").as_uri(), limit_bytes=5) == b"local"
    with pytest.raises(ResponseTooLarge):
        fetcher.fetch_bytes((tmp_path / "doc").as_uri(), limit_bytes=4)


def test_truncated_document_is_fetched_again(index: PackageIndex, fetcher: Fetcher) -> None:
    index.documents["/doc"] = b"hello"
    index.faults.append(Fault(truncate=2))
    assert fetcher.fetch_bytes(f"{index.url}/doc", limit_bytes=5) == b"hello"
    assert len(index.received) == 2


def test_compressed_file_stays_as_it_is(index: PackageIndex, fetcher: Fetcher) -> None:
    """Some servers label ``Packages.gz`` with an encoding, which must not be undone."""
    index.documents["/doc"] = b"not really gzip"
    index.faults.append(Fault(headers={"Content-Encoding": "gzip"}))
    assert fetcher.fetch_bytes(f"{index.url}/doc", limit_bytes=99) == b"not really gzip"


def test_size_is_asked_without_the_body(index: PackageIndex, fetcher: Fetcher) -> None:
    assert fetcher.size(f"{index.url}/big.whl") == len(BODY)
    assert [one.method for one in index.received] == ["HEAD"]


def test_all_arrive(index: PackageIndex, fetcher: Fetcher, tmp_path: Path) -> None:
    jobs = []
    for number in range(6):
        body = bytes([number]) * 1000
        index.documents[f"/{number}"] = body
        jobs.append(
            Download(
                url=f"{index.url}/{number}",
                destination=tmp_path / str(number),
                sha256=hashlib.sha256(body).hexdigest(),
                subject=str(number),
            )
        )
    fetcher.download_all([*jobs, jobs[0]], workers=3)
    assert [(tmp_path / str(n)).read_bytes()[0] for n in range(6)] == list(range(6))
    assert len(index.received) == 6
    fetcher.download_all([])


def test_first_failure_stops_the_rest(
    index: PackageIndex, fetcher: Fetcher, tmp_path: Path
) -> None:
    index.faults.append(Fault(path="/1", status=404))
    index.faults.append(Fault(path="/2", delay_seconds=0.2))
    for number in range(1, 30):
        index.documents[f"/{number}"] = b"body"
    jobs = [
        Download(
            url=f"{index.url}/{number}",
            destination=tmp_path / str(number),
            sha256=hashlib.sha256(b"body").hexdigest(),
            subject=str(number),
        )
        for number in range(1, 30)
    ]
    events: list[Progress] = []
    with pytest.raises(HttpStatus):
        fetcher.download_all(jobs, workers=2, emit=events.append)
    assert len(index.received) < 29
    begun = [event.subject for event in events if isinstance(event, Started)]
    assert len(begun) < 29
    assert begun == list(dict.fromkeys(begun))


# Credentials


def test_credentials_stay_with_their_host(
    index: PackageIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are sent to the index, and not to the other host that it redirects to."""
    caplog.set_level(logging.DEBUG)
    index.login = ("user", "secret")
    with PackageIndex(tmp_path / "served") as other:
        other.documents["/big.whl"] = BODY
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        index.redirects["/big.whl"] = f"{elsewhere}/big.whl?signature=private"
        credentials = Credentials(urls=[index.simple_url.replace("://", "://user:secret@")])
        fetcher = Fetcher(user_agent="test", credentials=credentials)
        fetcher.download(job(index, tmp_path))
        assert (tmp_path / "final").read_bytes() == BODY
        assert "authorization" in index.received[0].headers
        assert "authorization" not in other.received[0].headers
        other.faults.append(Fault(status=404))
        with pytest.raises(HttpStatus) as caught:
            fetcher.download(job(index, tmp_path, destination=tmp_path / "two"))
    for text in (str(caught.value), str(caught.value.hint), caplog.text):
        assert "secret" not in text
    assert "private" not in str(caught.value)
    assert "localhost" in str(caught.value)


def test_credentials_of_a_redirect_are_not_used(index: PackageIndex, tmp_path: Path) -> None:
    there = index.url.replace("://", "://evil:login@")
    index.redirects["/big.whl"] = f"{there}/other.whl"
    index.documents["/other.whl"] = BODY
    Fetcher(user_agent="test").download(job(index, tmp_path))
    assert all("authorization" not in one.headers for one in index.received)
    assert len(index.received) == 2


def test_missing_credentials_are_explained(index: PackageIndex, fetcher: Fetcher) -> None:
    index.login = ("user", "secret")
    with pytest.raises(Unauthorized) as caught:
        fetcher.fetch_bytes(f"{index.url}/big.whl", limit_bytes=9)
    assert caught.value.hint is not None
    assert "machine 127.0.0.1 login" in caught.value.hint
    assert len(index.received) == 1


def test_redirects_that_never_end(index: PackageIndex, fetcher: Fetcher) -> None:
    index.redirects["/big.whl"] = "/big.whl"
    with pytest.raises(HttpStatus, match="redirected more than 10 times"):
        fetcher.fetch_bytes(f"{index.url}/big.whl", limit_bytes=9)
    index.redirects["/big.whl"] = "file:///etc/passwd"
    with pytest.raises(UnusableUrl):
        fetcher.fetch_bytes(f"{index.url}/big.whl", limit_bytes=9)


def test_proxy_is_used_unless_the_host_is_excepted(index: PackageIndex) -> None:
    proxied = Fetcher(user_agent="test", proxies={"http": index.url})
    index.documents["http://example.org/doc"] = b"through the proxy"
    assert proxied.fetch_bytes("http://example.org/doc", limit_bytes=99) == b"through the proxy"
    direct = Fetcher(
        user_agent="test", proxies={"http": "http://127.0.0.1:9", "no": ".example.org, 127.0.0.1"}
    )
    index.documents["/doc"] = b"direct"
    assert direct.fetch_bytes(f"{index.url}/doc", limit_bytes=99) == b"direct"
