"""`python -m benchmarks.idle_streams [N] [WORKERS]`: N streams that wait for their provider, through `guard serve`.

Tells what each costs in memory, what all cost in CPU while nothing happens, and whether each comes to its end once the
provider goes on. Guard, the provider and the clients are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from benchmarks.load import cpu_seconds
from benchmarks.row import Row
from benchmarks.servers import HERE, free_port, process
from guard.proxy.files import OTHERS, allow_files

STREAMS, IDLE = 10_000, 10.0
#: Each stream takes two of the files that a worker may have open, and many systems allow 20,000 or so.
WORKERS = 2
#: Streams that are being opened at once.
OPENING = 50
BODY = json.dumps({"model": "canned", "stream": True, "messages": [{"role": "user", "content": "Wait."}]}).encode()
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: guard\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n" % len(BODY)
) + BODY

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def chunk(text: str, finish: str | None = None) -> bytes:
    """An event of a streamed answer, as HTTP sends it."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "canned"}
    return piece(f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode())


def piece(data: bytes) -> bytes:
    """A piece of a body whose length is not known."""
    return b"%x\r\n%s\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
REST = chunk("", "stop") + piece(b"data: [DONE]\n\n") + piece(b"")


class Waiting(asyncio.Protocol):
    """A provider that says a sentence and then nothing, until somebody asks it for `/go`."""

    streams: ClassVar[set[asyncio.WriteTransport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data):
        if data.startswith(b"POST"):
            self.transport.write(HEAD + chunk("") + chunk("One moment, please. "))
            self.streams.add(self.transport)
        elif data.startswith(b"GET /go"):
            for stream in self.streams:
                stream.write(REST)
            self.streams.clear()
        if data.startswith(b"GET"):
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def connection_lost(self, exc):
        self.streams.discard(self.transport)


async def provide(port: int) -> None:
    allow_files(1_000_000)
    server = await asyncio.get_running_loop().create_server(Waiting, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def opened(port: int, number: int, opening: asyncio.Semaphore) -> Stream:
    """A stream whose first text has come. Many clients: each thousand has an address of its own."""
    async with opening:
        source = (f"127.0.0.{2 + number // 1000}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source, limit=2**16)
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        await reader.readuntil(b"\n\n")
        return reader, writer


async def ended(stream: Stream) -> bool:
    """Whether a stream comes to a good end."""
    reader, writer = stream
    rest = await reader.read()
    writer.close()
    return b"data: [DONE]" in rest and b'"finish_reason":"stop"' in rest


async def go_on(provider: str) -> None:
    """Let every stream come to its end."""
    await asyncio.to_thread(lambda: urllib.request.urlopen(f"{provider}/go").close())


def memory(pids: list[int]) -> float:
    """Megabytes that processes hold, each page counted once (PSS)."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


@dataclass(frozen=True, slots=True)
class Idle:
    """What streams cost that wait: kilobytes each, the share of a core while they do; and how many ended well."""

    streams: int
    kilobytes: float
    core: float
    good: int
    seconds: float


async def idle(streams: int, guard: str, pid: int, provider: str, seconds: float) -> Idle:
    """Open the streams, let them wait for some seconds, and let them come to their end."""
    port = int(guard.rpartition(":")[2])
    pids, opening = family(pid), asyncio.Semaphore(OPENING)
    for stream in [await opened(port, number, opening) for number in range(20)]:
        await go_on(provider)
        assert await ended(stream)
    empty = memory(pids)
    opened_all = await asyncio.gather(*(opened(port, number, opening) for number in range(streams)))
    kilobytes, spent = (memory(pids) - empty) / streams * 1024, cpu_seconds(pid)
    await asyncio.sleep(seconds)
    core, started = (cpu_seconds(pid) - spent) / seconds, time.perf_counter()
    await go_on(provider)
    good = sum(await asyncio.gather(*map(ended, opened_all)))
    return Idle(streams, kilobytes, core, good, time.perf_counter() - started)


def measured(streams: int, workers: int = WORKERS, seconds: float = IDLE) -> Idle:
    """What so many cost, through `guard serve`. Raises RuntimeError where this process may not have so many files."""
    allowed = allow_files(streams + OTHERS)
    if allowed < streams + OTHERS:
        raise RuntimeError(f"this process may have {allowed:,} files open; raise the limit: ulimit -Hn")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = free_port()
        provider, _ = stack.enter_context(
            process("-m", "benchmarks.idle_streams", "provide", str(port), port=port, path="/")
        )
        port = free_port()
        options = ["--policy", str(HERE / "policy.yaml"), "--upstream", f"{provider}/v1", "--port", str(port)]
        guard, pid = stack.enter_context(
            process(
                *("-m", "guard", "serve", *options, "--store", "none", "--workers", str(workers)),
                port=port,
                path="/healthz",
                quiet=True,
                GUARD_LOG_LEVEL="warning",
                GUARD_SPOOL=folder,
                GUARD_MAX_STREAMS=str(streams),
                GUARD_READ_TIMEOUT="600",
            )
        )
        return asyncio.run(idle(streams, guard, pid, provider, seconds))


def rows() -> list[Row]:
    """The table's lines about streams that wait."""
    found = measured(STREAMS)
    detail = f"{found.kilobytes:.0f} kB each, {found.core:.1%} of a core while they wait; {WORKERS} workers"
    return [Row(f"of {STREAMS:,} streams that waited, come to a good end", found.good, STREAMS, "", detail, least=True)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["provide"]:
        asyncio.run(provide(int(sys.argv[2])))
    else:
        print(measured(*map(int, sys.argv[1:])))
