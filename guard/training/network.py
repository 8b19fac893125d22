"""The network: one encoder, one attention pooling a head, and all heads' columns in one small product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import BertModel

from guard.metrics.encoder.case import CASES
from guard.metrics.encoder.pair import TYPES

_WIDTH = 128
_MIDDLE = 3


class Network(nn.Module):
    """`heads` says to which head each column belongs; `token_columns` how many numbers each token gets.

    The embedding, for heads of users' own and for ours beside what their attention picks, is the mean of the middle
    layer beside the mean of the last: the last one has specialised in the heads at hand, the middle one still knows
    what texts are about.
    """

    heads: Tensor

    def __init__(self, encoder: BertModel, heads: Sequence[int], token_columns: int) -> None:
        super().__init__()
        size, number = encoder.config.hidden_size, max(heads) + 1
        self.encoder = encoder
        self.queries = nn.Parameter(torch.randn(number, size) * 0.02)
        self.first = nn.Parameter(torch.randn(number, 3 * size, _WIDTH) * 0.03)
        self.first_bias = nn.Parameter(torch.zeros(number, 1, _WIDTH))
        self.second = nn.Parameter(torch.randn(len(heads), _WIDTH) * 0.05)
        self.second_bias = nn.Parameter(torch.zeros(len(heads)))
        self.tokens = nn.Linear(size, token_columns)
        self.register_buffer("heads", torch.tensor(heads), persistent=False)

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Columns (batch by columns), tokens (batch by length by token columns), embedding (batch by 2 sizes)."""
        layers = self.encoder(
            input_ids=input_ids,
            token_type_ids=token_type_ids,
            attention_mask=attention_mask,
            output_hidden_states=True,
        ).hidden_states
        last, middle = layers[-1].float(), layers[_MIDDLE].float()
        seen = attention_mask.to(last.dtype).unsqueeze(-1)
        count = seen.sum(1)
        mean = (last * seen).sum(1) / count
        attention = (last @ self.queries.T).masked_fill(seen == 0, -1e9).softmax(1)
        pooled = attention.transpose(1, 2) @ last
        embedding = torch.cat([(middle * seen).sum(1) / count, mean], -1)
        read = torch.cat([pooled, embedding.unsqueeze(1).expand(-1, pooled.shape[1], -1)], -1)
        features = nn.functional.gelu(read.transpose(0, 1) @ self.first + self.first_bias).transpose(0, 1)
        columns = (features[:, self.heads] * self.second).sum(-1) + self.second_bias
        return columns, self.tokens(last), embedding


def widen_types(encoder: BertModel) -> None:
    """Room for letter case and shared words in the token types: the rows known so far, once for each new one."""
    wide = nn.Embedding(TYPES, encoder.config.hidden_size)
    wide.weight.data = widened(encoder.embeddings.token_type_embeddings.weight.data)
    encoder.embeddings.token_type_embeddings = wide
    encoder.config.type_vocab_size = TYPES


def widened(rows: Tensor) -> Tensor:
    """A table of token types for all of TYPES, from one of sides only, or of sides and letter cases."""
    if len(rows) == TYPES:
        return rows
    by_case = rows.repeat_interleave(CASES, 0) if len(rows) < 2 * CASES else rows
    return by_case.unflatten(0, (2, 1, CASES)).repeat(1, 2, 1, 1).flatten(0, 2)
