"""A canned provider that costs next to nothing: one answer, written as fast as the socket takes it.

Asked for a stream it says TOKENS tokens, one every PACE seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "canned",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "It is on its way and should arrive tomorrow. " * 6},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 60, "total_tokens": 120},
    }
).encode()
TOKENS, PACE = 500, 0.005
#: The stream's tokens in their order.
PIECES = [f" {word}" for word in ("it is on its way and should arrive tomorrow, we hope;" * 50).split()][:TOKENS]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event of the stream, as a chunk of the transfer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "canned", "choices": [choice]}
    return framed(f"data: {json.dumps(event)}\n\n".encode())


def framed(content: bytes) -> bytes:
    """Some bytes as a chunk of the transfer."""
    return b"%x\r\n%b\r\n" % (len(content), content)


class Canned(asyncio.Protocol):
    """Answers every request whose body has arrived."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport, self.received = transport, b""
        self.saying: asyncio.Task[None] | None = None

    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.received) < end + 4 + length:
                return
            body, self.received = self.received[end + 4 : end + 4 + length], self.received[end + 4 + length :]
            if b'"stream":true' in body.replace(b" ", b""):
                self.saying = asyncio.ensure_future(self.say())
            else:
                self.transport.write(HEAD + ANSWER)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.saying is not None:
            self.saying.cancel()

    async def say(self) -> None:
        """Send the stream, each token when its time has come: one that was late makes none after it late."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.transport.write(STREAM + chunk({"role": "assistant", "content": ""}))
        for number, piece in enumerate(PIECES):
            await asyncio.sleep(began + number * PACE - loop.time())
            self.transport.write(chunk({"content": piece}))
        self.transport.write(chunk({}, "stop") + framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
