from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(prefix="/v1")


class Text(BaseModel):
    text: str


@router.post("/words")
def count(body: Text):
    return {"words": len(body.text.split())}
