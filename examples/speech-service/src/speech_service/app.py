"""The ASGI application: ``uvicorn speech_service.app:app``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from speech_service.routes import router
from speech_service.service import SpeechService
from speech_service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def create_app(settings: Settings) -> FastAPI:
    """Build the application; model and database are opened when it starts, not here."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = SpeechService(settings)
        app.state.service = service
        try:
            yield
        finally:
            app.state.service = None
            service.close()

    app = FastAPI(
        title="Speech service",
        version="0.1.0",
        lifespan=lifespan,
        max_body_size=settings.max_upload_bytes,
    )
    app.include_router(router)
    return app


app = create_app(Settings.from_environment())
