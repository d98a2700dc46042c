from fastapi import FastAPI

from app.routers import health, words

app = FastAPI(title="Word counts")
app.include_router(health.router, prefix="/api")
app.include_router(words.router)
