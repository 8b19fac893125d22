"""Recording to a store by its URL: for servers with a loop of their own, and for code that cannot await."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from guard.loop import run
from guard.store.buffer import Buffer
from guard.store.mask import Masker, TextMode
from guard.store.store import open_store, spool_folder

_OPEN: list[AsyncExitStack] = []


@asynccontextmanager
async def recording(
    url: str, *, spool: Path | None = None, text: TextMode = "masked", keep_days: float = 30.0
) -> AsyncIterator[Buffer]:
    """A recorder to the store at `url`, both closed at the end. `spool` is the folder for events on their way there.

    Raises StoreError where the store or the folder cannot be used.
    """
    store = await open_store(url)
    try:
        async with Buffer(store, spool or spool_folder(url), masker=Masker(mode=text), keep_days=keep_days) as buffer:
            yield buffer
    finally:
        await store.close()


def record_to(url: str, *, text: TextMode = "masked", keep_days: float = 30.0) -> Buffer:
    """A recorder to the store at `url` for as long as the process runs, for scripts and servers without a loop.

    What still waits when the process ends goes to the spool, which `guard events` and the next start take up. Raises
    StoreError where the store cannot be used.
    """
    stack = AsyncExitStack()
    # Held for good: a recording that nobody refers to any more would be closed by the garbage collector.
    _OPEN.append(stack)
    return run(stack.enter_async_context(recording(url, text=text, keep_days=keep_days)))
