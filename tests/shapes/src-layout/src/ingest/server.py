import os

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route


async def alive(request):
    return JSONResponse({"alive": True})


async def measure(request):
    return JSONResponse(await request.json())


app = Starlette(
    routes=[
        Route("/livez", alive),
        Mount("/v1", routes=[Route("/measurements", measure, methods=["POST"])]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
