"""Events: one for each decision, recorded off the hot path, kept in a database, read by everything that looks back."""

from guard.store.buffer import Buffer
from guard.store.event import Event
from guard.store.filter import Filter
from guard.store.ids import new_id, time_of
from guard.store.mask import Masker, TextMode
from guard.store.recording import record_to, recording
from guard.store.store import Arrived, Store, open_store, spool_folder
from guard.store.writer import Stats

__all__ = [
    "Arrived",
    "Buffer",
    "Event",
    "Filter",
    "Masker",
    "Stats",
    "Store",
    "TextMode",
    "new_id",
    "open_store",
    "record_to",
    "recording",
    "spool_folder",
    "time_of",
]
