"""Providers of the smaller protocols, which keep what they were asked: path and body."""

from collections.abc import AsyncGenerator
from typing import Any


class _Upstream:
    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.closed = False

    async def get(self, path, headers):
        raise AssertionError(path)

    async def stream(self, path, body, headers) -> AsyncGenerator[dict[str, Any]]:
        raise AssertionError(path)
        yield {}

    async def aclose(self):
        pass


class Texts(_Upstream):
    """Completes with these texts, one a choice; streams them `piece` characters a chunk, the choices by turns.

    `beside` stands beside each text; `answer` is given instead of all that.
    """

    def __init__(self, *texts: str, piece: int = 5, beside: Any = None, answer: Any = None) -> None:
        super().__init__()
        self.texts, self.piece, self.beside, self.answer = texts, piece, beside or {}, answer

    async def complete(self, path, body, headers):
        self.asked.append((path, body))
        if self.answer is not None:
            return self.answer
        choices = [self._choice(index, text, "stop") for index, text in enumerate(self.texts)]
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "m",
            "choices": choices,
            "usage": {},
        }

    async def stream(self, path, body, headers) -> AsyncGenerator[dict[str, Any]]:
        self.asked.append((path, body))
        if self.answer is not None:
            yield self.answer
            return
        self.closed = True
        longest = max(map(len, self.texts))
        for start in range(0, longest, self.piece):
            for index, text in enumerate(self.texts):
                if text[start : start + self.piece]:
                    yield self._chunk(self._choice(index, text[start : start + self.piece], None))
        for index in range(len(self.texts)):
            yield self._chunk(self._choice(index, "", "stop"))
        self.closed = False

    def _choice(self, index, text, finish):
        spelt = {"tokens": list(text)}
        return {"index": index, "text": text, "logprobs": spelt, "finish_reason": finish, **self.beside}

    def _chunk(self, choice):
        return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


class Vectors(_Upstream):
    """Gives a vector for each text; `answer` is given instead."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__()
        self.answer = answer

    async def complete(self, path, body, headers):
        self.asked.append((path, body))
        if self.answer is not None:
            return self.answer
        given = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [{"object": "embedding", "index": n, "embedding": [float(len(text))]} for n, text in enumerate(given)]
        return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
