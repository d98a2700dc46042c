from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import SAMPLE, SPEECH, assert_speech, encode, stretch
from fastapi.testclient import TestClient

from speech_service.app import create_app
from speech_service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Post
    from numpy.typing import NDArray


def test_finds_both_sentences(post: Post) -> None:
    response = post(SAMPLE.read_bytes(), "two-sentences.wav")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"id", "filename", "duration", "created_at", "segments"}
    assert (body["filename"], body["duration"]) == ("two-sentences.wav", 14.09)
    assert set(body["segments"][0]) == {"start", "end"}
    assert_speech(body, SPEECH)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_any_sample_rate_gives_the_same_speech(
    post: Post, sample: NDArray[np.float32], rate: int
) -> None:
    assert_speech(post(encode(stretch(sample, rate), rate)).json(), SPEECH)


def test_stereo_is_mixed_whichever_side_speaks(post: Post, sample: NDArray[np.float32]) -> None:
    for sides in ((sample, np.zeros_like(sample)), (np.zeros_like(sample), sample)):
        both = np.stack([stretch(side, 48_000) for side in sides], axis=1)
        content = encode(both, 48_000)
        assert len(content) > 2**20  # above this, the upload waits in a file, not in memory
        assert_speech(post(content).json(), SPEECH)


def test_flac(post: Post, sample: NDArray[np.float32]) -> None:
    assert_speech(post(encode(sample, 16_000, "FLAC")).json(), SPEECH)


@pytest.mark.parametrize("seconds", [0, 1 / 16_000, 5])
def test_silence_holds_no_speech(post: Post, seconds: float) -> None:
    response = post(encode(np.zeros(round(seconds * 16_000), np.float32), 16_000))
    assert response.status_code == 200
    assert response.json()["segments"] == []
    assert response.json()["duration"] == round(seconds, 2)


def test_concurrent_uploads_do_not_mix(post: Post, sample: NDArray[np.float32]) -> None:
    later = np.concatenate([np.zeros(16_000, np.float32), sample])
    uploads = [encode(sample, 16_000), encode(later, 16_000)] * 2
    alone = [post(upload).json()["segments"] for upload in uploads]
    with ThreadPoolExecutor(len(uploads)) as threads:
        together = [response.json()["segments"] for response in threads.map(post, uploads)]
    assert together == alone
    assert alone[0] != alone[1]


@pytest.mark.parametrize(
    "content", [b"", b"no audio at all", b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00"]
)
def test_garbage_is_refused(post: Post, content: bytes) -> None:
    response = post(content)
    assert response.status_code == 415
    detail = response.json()["detail"]
    assert detail.startswith("not a readable audio file: ")
    assert "object at" not in detail


def test_implausible_sample_rate_is_refused(post: Post, sample: NDArray[np.float32]) -> None:
    response = post(encode(sample, 1_000_003))
    assert response.status_code == 415
    assert "1000003 Hz" in response.json()["detail"]


def test_missing_file_is_refused(client: TestClient) -> None:
    assert client.post("/v1/segments").status_code == 422


@pytest.fixture
def small_client(settings: Settings) -> Iterator[TestClient]:
    small = Settings(settings.database_url, max_upload_bytes=100_000, max_seconds=10)
    with TestClient(create_app(small)) as client:
        yield client


def test_large_upload_is_refused(small_client: TestClient) -> None:
    files = {"file": ("a.wav", SAMPLE.read_bytes())}
    assert small_client.post("/v1/segments", files=files).status_code == 413


def test_large_upload_of_unstated_size_is_refused(small_client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(20):
            yield bytes(10_000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = small_client.post("/v1/segments", content=body(), headers=headers)
    assert response.status_code == 413


def test_small_upload_of_long_audio_is_refused(small_client: TestClient) -> None:
    content = encode(np.zeros(11 * 16_000, np.float32), 16_000, "FLAC")
    assert len(content) < 10_000
    response = small_client.post("/v1/segments", files={"file": ("a.flac", content)})
    assert response.status_code == 413
    assert response.json()["detail"] == "recording is longer than 10 seconds"
