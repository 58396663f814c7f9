"""The demo's own addresses: let something happen in the simulated town, and see how Borough does. Nowhere else."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web.answers import Answer
from web.parts import DemoDesk


class EventBody(BaseModel):
    """``kind`` as in scenarios; without ``target`` a place is chosen."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=60)
    target: str | None = Field(None, max_length=120)


def demo_router(desk: DemoDesk) -> APIRouter:
    router = APIRouter(prefix="/v1/demo", tags=["demo"])

    @router.post("/events", status_code=201, summary="Break something: it begins now, in simulated time")
    async def begin(body: EventBody) -> Response:
        answer = Answer(await desk.begin(body.kind, body.target), {}, {"score": "/v1/demo/score"})
        answer.status_code = 201
        return answer

    @router.get("/score", summary="What really happened, what Borough said, and when")
    async def score() -> Response:
        told = await desk.score()
        return Answer(told["events"], {"figures": told["figures"], "now": told["now"]}, {"self": "/v1/demo/score"})

    return router
