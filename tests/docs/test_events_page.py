"""The page on events names whatever an event, a filter and the counts hold."""

from __future__ import annotations

from dataclasses import fields

import pytest

from guard.store import Event, Filter, Stats
from guard.store.recorded import Measured
from guard.store.tables import events
from tests.docs.pages import DOCS


@pytest.mark.parametrize(
    "names",
    [
        [one.name for one in fields(Event)],
        [one.name for one in fields(Filter)],
        [one.name for one in fields(Stats)],
        list(Measured.__annotations__),
        [column.name for column in events.columns],
    ],
    ids=["event", "filter", "counts", "measurement", "columns"],
)
def test_everything_that_can_be_read_is_on_the_page(names):
    text = (DOCS / "events.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []
