"""A context and a response as one window. Beside each token stands what the model cannot see as easily by itself: on
which side it is, its letter case, and whether the other side has it too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guard.metrics.encoder.case import CASES
from guard.metrics.encoder.tokenised import Tokenised

#: Token types are (side · 2 + shared) · CASES + case. A single text is side 0 and shares nothing.
TYPES = 4 * CASES
_SHARED, _RESPONSE = CASES, 2 * CASES


def paired(context: Tokenised, response: Tokenised, cls: int, sep: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and token types of `[CLS] context [SEP] response [SEP]`."""
    ids = np.concatenate([[cls], context.ids, [sep], response.ids, [sep]])
    first = context.cases + _SHARED * np.isin(context.ids, response.ids)
    second = response.cases + _SHARED * np.isin(response.ids, context.ids) + _RESPONSE
    return ids, np.concatenate([[0], first, [0], second, [_RESPONSE]])
