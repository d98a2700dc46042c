from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import SAMPLE, encode
from fastapi.testclient import TestClient

from speech_service.app import create_app
from speech_service.settings import Settings

if TYPE_CHECKING:
    from conftest import Post

SILENCE = encode(np.zeros(1600, np.float32), 16_000)


def test_answer_is_stored(client: TestClient, post: Post) -> None:
    answer = post(SAMPLE.read_bytes()).json()
    assert client.get(f"/v1/recordings/{answer['id']}").json() == answer
    assert client.get("/v1/recordings").json() == {"total": 1, "recordings": [answer]}
    age = datetime.now(UTC) - datetime.fromisoformat(answer["created_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_newest_first_in_pages(client: TestClient, post: Post) -> None:
    for number in range(5):
        post(SILENCE, f"{number}.wav")

    def names(**params: int) -> list[str]:
        page = client.get("/v1/recordings", params=params).json()
        assert page["total"] == 5
        return [recording["filename"] for recording in page["recordings"]]

    assert names() == ["4.wav", "3.wav", "2.wav", "1.wav", "0.wav"]
    assert names(limit=2) == ["4.wav", "3.wav"]
    assert names(limit=2, offset=4) == ["0.wav"]
    assert names(offset=5) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", f"offset={2**64}"])
def test_page_out_of_bounds(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/recordings?{query}").status_code == 422


def test_unknown_recording(client: TestClient) -> None:
    response = client.get("/v1/recordings/7")
    assert response.status_code == 404
    assert response.json() == {"detail": "there is no recording 7"}
    assert client.get(f"/v1/recordings/{2**64}").status_code == 422


def test_long_file_name_is_cut(post: Post) -> None:
    response = post(SILENCE, "a" * 300 + ".wav")
    assert response.json()["filename"] == "a" * 255


def test_failed_upload_leaves_nothing(client: TestClient, post: Post) -> None:
    assert post(b"garbage").status_code == 415
    assert client.get("/v1/recordings").json() == {"total": 0, "recordings": []}


def test_file_database_survives_a_restart(settings: Settings) -> None:
    files = {"file": ("a.wav", SILENCE)}
    with TestClient(create_app(settings)) as first:
        answer = first.post("/v1/segments", files=files).json()
    with TestClient(create_app(settings)) as second:
        assert second.get(f"/v1/recordings/{answer['id']}").json() == answer


def test_memory_database_is_shared_by_all_threads() -> None:
    with TestClient(create_app(Settings(database_url="sqlite://"))) as client:
        client.post("/v1/segments", files={"file": ("a.wav", SILENCE)})
        assert client.get("/v1/recordings").json()["total"] == 1
