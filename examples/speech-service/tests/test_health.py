from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from speech_service.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from speech_service.settings import Settings
    from speech_service.vad.detector import Backend


@pytest.mark.parametrize(
    ("backend", "used", "device"),
    [
        ("auto", "torch", "cpu"),
        ("torch", "torch", "cpu"),
        ("onnx", "onnx", "CPUExecutionProvider"),
    ],
)
def test_healthy_and_on_what(settings: Settings, backend: Backend, used: str, device: str) -> None:
    with TestClient(create_app(replace(settings, backend=backend))) as client:
        response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "backend": used, "device": device}


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
