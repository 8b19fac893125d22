"""Endpoints behind a policy, whole and streamed. Run it: uvicorn examples.fastapi_app:app"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

import guard

# Loaded once. A guard with a recorder, guard.Guard(policy, recorder=...), keeps the events too.
POLICY = guard.load_policy(Path(__file__).parent / "policies" / "support.yaml")

app = FastAPI()


class Question(BaseModel):
    question: str


class Answer(BaseModel):
    answer: str


async def model(prompt: str) -> AsyncIterator[str]:
    """Stands for a model that streams."""
    for word in f"You wrote: {prompt}".split():
        await asyncio.sleep(0)
        yield f"{word} "


@app.post("/chat")
@guard.protect(policy=POLICY, input="body.question", output="answer")
async def chat(body: Question) -> Answer:
    return Answer(answer="".join([word async for word in model(body.question)]).strip())


@guard.protect(policy=POLICY)
async def words(question: str) -> AsyncIterator[str]:
    async for word in model(question):
        yield word


@app.post("/stream")
async def stream(body: Question) -> StreamingResponse:
    return StreamingResponse(words(body.question), media_type="text/plain")


@app.post("/strict")
@guard.protect(policy=POLICY, input="body.question", output="answer", on_block="raise")
async def strict(body: Question) -> Answer:
    return Answer(answer=f"You wrote: {body.question}")


@app.exception_handler(guard.Blocked)
async def blocked(request: Request, error: guard.Blocked) -> JSONResponse:
    return JSONResponse({"detail": error.text}, status_code=400)
