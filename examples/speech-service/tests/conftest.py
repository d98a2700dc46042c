from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from speech_service.app import create_app
from speech_service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpx2 import Response
    from numpy.typing import NDArray

    Post = Callable[..., Response]

SAMPLE = Path(__file__).parents[1] / "samples" / "two-sentences.wav"
SPEECH = [(3.00, 6.66), (8.66, 11.59)]  # where samples/README.md says it is


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(database_url=f"sqlite:///{tmp_path}/data/speech.db")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def post(client: TestClient) -> Post:
    def post(content: bytes, filename: str = "recording.wav", **params: object) -> Response:
        return client.post("/v1/segments", files={"file": (filename, content)}, params=params)

    return post


@pytest.fixture(scope="session")
def sample() -> NDArray[np.float32]:
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    assert rate == 16_000
    return samples


def encode(samples: NDArray[np.float32], rate: int, format: str = "WAV") -> bytes:  # noqa: A002
    file = BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype="PCM_16")
    return file.getvalue()


def stretch(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Resample from 16 kHz the plain way, so that the code under test is not its own judge."""
    times = np.arange(len(samples) * rate // 16_000) * 16_000 / rate
    return np.interp(times, np.arange(len(samples)), samples).astype(np.float32)


def assert_speech(body: dict[str, Any], expected: list[tuple[float, float]]) -> None:
    found = [(segment["start"], segment["end"]) for segment in body["segments"]]
    assert len(found) == len(expected), found
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.25)
