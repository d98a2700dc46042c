from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fastapi.testclient import TestClient

from speech_service.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from speech_service.settings import Settings


def test_healthy(client: TestClient) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_not_healthy_before_the_model_is_loaded(settings: Settings) -> None:
    response = TestClient(create_app(settings)).get("/healthz")  # not entered: never started
    assert (response.status_code, response.json()) == (503, {"detail": "the model is not loaded"})


def test_not_healthy_without_its_database(client: TestClient, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"detail": "the database does not answer"}


def test_not_healthy_with_an_empty_database(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "data" / "speech.db").write_bytes(b"")
    assert client.get("/healthz").status_code == 503
