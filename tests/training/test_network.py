"""The network: a text's numbers are its own, whatever stands beside it in a batch."""

from __future__ import annotations

from types import SimpleNamespace as Made

import pytest
import torch
from torch import nn

from guard.metrics.encoder.case import CASES
from guard.metrics.encoder.pair import TYPES
from guard.training.network import Network, widen_types, widened
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()


@pytest.fixture(scope="module")
def network():
    return tiny.network(SPEC).eval()


def read(network, *texts):
    """Columns, tokens and embedding of windows of token ids, padded."""
    length = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (length - len(text))] for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (length - len(text)) for text in texts])
    with torch.inference_mode():
        return network(ids, torch.zeros_like(ids), mask)


def test_it_gives_a_number_for_each_column_and_for_each_token(network):
    columns, tokens, embedding = read(network, [2, 5, 6, 3], [2, 7, 3])
    assert columns.shape == (2, len(SPEC.columns))
    assert tokens.shape == (2, 4, tiny.encoder(SPEC).classes + 2)
    assert embedding.shape == (2, 32)


def test_what_a_text_is_padded_with_changes_none_of_its_numbers(network):
    alone, beside = read(network, [2, 7, 3]), read(network, [2, 7, 3], [2, 5, 6, 8, 9, 3])
    for one, other in zip(alone, beside, strict=True):
        length = (slice(0, 3),) if one.ndim == 3 else ()
        torch.testing.assert_close(one[0], other[0][length], rtol=1e-4, atol=1e-5)


def test_each_head_pools_by_its_own_query():
    network = tiny.network(SPEC).eval()
    before = read(network, [2, 5, 6, 3])[0]
    at = list(SPEC.heads).index("toxicity")
    with torch.no_grad():
        network.queries[at] += torch.randn(16)
    changed = (read(network, [2, 5, 6, 3])[0] - before).abs()[0] > 1e-6
    assert [name for name, moved in zip(SPEC.columns, changed, strict=True) if moved] == [
        "toxicity",
        "toxicity/insult",
        "toxicity/threat",
    ]


def test_letter_case_and_shared_words_start_without_a_meaning():
    model = tiny.bert()
    rows = model.embeddings.token_type_embeddings.weight.data.clone()
    widen_types(model)
    wide = model.embeddings.token_type_embeddings.weight.data
    assert len(wide) == TYPES
    assert model.config.type_vocab_size == TYPES
    assert all(torch.equal(wide[kind], rows[kind // (TYPES // 2)]) for kind in range(TYPES))


def test_a_table_that_knows_letter_cases_keeps_them():
    by_side_and_case = torch.randn(2 * CASES, 4)
    wide = widened(by_side_and_case).unflatten(0, (2, 2, CASES))
    for shared in (0, 1):
        assert torch.equal(wide[:, shared].flatten(0, 1), by_side_and_case)
    assert torch.equal(widened(wide.flatten(0, 2)), wide.flatten(0, 2))


class Layers(nn.Module):
    """Gives every token the same vector, another one in each layer."""

    config = Made(hidden_size=2)

    def forward(self, input_ids, **_):
        return Made(hidden_states=[torch.full((*input_ids.shape, 2), float(layer)) for layer in range(7)])


def test_the_embedding_is_the_mean_of_the_middle_layer_beside_that_of_the_last():
    network = Network(Layers(), [0], 1)
    assert read(network, [2, 7, 3], [2, 3])[2].tolist() == [[3, 3, 6, 6]] * 2
