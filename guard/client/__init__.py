"""The Python SDK: a client of `guard central` and of proxies, sync and async."""

from guard.client.client import AsyncClient, Client
from guard.client.frames import frame
from guard.client.records import Page, Record

__all__ = ["AsyncClient", "Client", "Page", "Record", "frame"]
