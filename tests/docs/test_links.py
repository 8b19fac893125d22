from __future__ import annotations

import pytest

from tests.docs.pages import DOCS, ROOT, heading_ids, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page):
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in heading_ids(file)):
            broken.append(target)
    assert not broken


def test_every_page_is_in_an_index():
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for index in DOCS.rglob("README.md")
        for target in links(index)
        if "://" not in target
    }
    # A folder that is linked speaks for itself by its file names.
    pages = [page for page in DOCS.rglob("*.md") if page != DOCS / "README.md"]
    missing = [page for page in pages if not {page.resolve(), page.parent.resolve()} & linked]
    assert [str(page.relative_to(ROOT)) for page in missing] == []
