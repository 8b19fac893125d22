"""A tiny model in the encoder's own format, made on the spot, of which tests know what each word adds.

A column's logit is BIAS (a tone's 0) and what each token of the window `adds` to it. A token's own logits are what its
word `marks`, else NO_MARK, but 0 for "pii/O". Each word of a response that its context lacks adds LACKING to
`context_adherence` and is marked there. The embedding is the mean over the tokens of (1, token type).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from guard.metrics.encoder.pair import TYPES
from tests.metrics.checkpoints import LETTERS

BIAS = -5.0
LACKING = 10.0
NO_MARK = -8.0
TONES = ("anger", "annoyance", "confusion", "fear", "joy", "love", "neutral", "sadness", "surprise")
KNOWN = (
    "attack insult sexist harm happy angry help hurt maria smith paris the cat sat on mat dog ran far away and then it "
    "slept for hours in warm sun committee met tuesday budget playground near river"
)
WORDS = KNOWN.split()
LABELS = {
    "prompt_injection": ("impersonation", "obfuscation", "simple_instruction", "few_shot", "new_context"),
    "toxicity": ("insult", "threat", "self_harm"),
    "sexism": (),
    "harmful_request": (),
}
COLUMNS = (
    *(column for head, labels in LABELS.items() for column in (head, *(f"{head}/{label}" for label in labels))),
    *(f"tone/{tone}" for tone in TONES),
    "context_adherence",
)
TOKEN_COLUMNS = (
    "pii/O",
    "pii/B-PERSON",
    "pii/I-PERSON",
    "pii/B-PLACE",
    "pii/I-PLACE",
    "prompt_injection",
    "context_adherence",
)
ADDS = {
    "attack": {"prompt_injection": 10.0, "prompt_injection/simple_instruction": 10.0},
    "insult": {"toxicity": 10.0, "toxicity/insult": 10.0},
    "sexist": {"sexism": 10.0},
    "harm": {"harmful_request": 10.0},
    "hurt": {"toxicity/self_harm": 10.0},
    "happy": {"tone/joy": 8.0},
    "angry": {"tone/anger": 8.0},
}
MARKS = {
    "attack": {"prompt_injection": 8.0},
    "maria": {"pii/B-PERSON": 8.0},
    "smith": {"pii/I-PERSON": 8.0},
    "paris": {"pii/B-PLACE": 8.0},
}
_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
tiny (int64[batch, length] input_ids, int64[batch, length] token_type_ids, int64[batch, length] attention_mask)
    => (float[batch, width] columns, float[batch, length, marks] tokens, float[batch, two] embedding)
{
    added = Gather (adds, input_ids)
    summed = ReduceSum <keepdims = 0> (added, one)
    marked = Gather (marks_of, input_ids)
    segment = Div (token_type_ids, types_a_side)
    answer = Cast <to = 9> (segment)
    question = Not (answer)
    is_word = Gather (words, input_ids)
    asked = And (answer, is_word)
    left = Unsqueeze (input_ids, two)
    right = Unsqueeze (input_ids, one)
    same = Equal (left, right)
    grounds = Unsqueeze (question, one)
    found = And (same, grounds)
    found_number = Cast <to = 1> (found)
    any_found = ReduceMax <axes = [2], keepdims = 0> (found_number)
    lacks = Less (any_found, half)
    unsupported = And (asked, lacks)
    lacking = Cast <to = 1> (unsupported)
    total = ReduceSum <keepdims = 1> (lacking, one)
    weighed = Mul (total, of_lacking)
    with_lacking = Add (summed, weighed)
    columns = Add (with_lacking, bias)
    each = Unsqueeze (lacking, two)
    each_mark = Mul (each, mark_of_lacking)
    tokens = Add (marked, each_mark)
    type_number = Cast <to = 1> (token_type_ids)
    type_column = Unsqueeze (type_number, two)
    ones = Add (type_column, plus_one)
    unit = Sub (ones, type_column)
    pairs = Concat <axis = 2> (unit, type_column)
    embedding = ReduceMean <axes = [1], keepdims = 0> (pairs)
}
"""


def write(
    folder: Path,
    adds: Mapping[str, Mapping[str, float]] = ADDS,
    marks: Mapping[str, Mapping[str, float]] = MARKS,
    **facts: Any,
) -> Path:
    """A model in `folder`; `facts` replace what its `model.json` says."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    onnx.save(_graph(tokenizer, adds, marks), str(folder / "model.onnx"))
    said = {
        "name": "tiny",
        "version": "1",
        "sha256": {name: _sha256(folder / name) for name in ("model.onnx", "tokenizer.json")},
        "window": {"tokens": 32, "overlap": 8},
        "pair": {"tokens": 48, "response": 16, "overlap": 4},
        "columns": COLUMNS,
        "token_columns": TOKEN_COLUMNS,
        "heads": heads(),
    }
    (folder / "model.json").write_text(json.dumps(said | facts))
    return folder


def heads() -> dict[str, Any]:
    """The heads as `model.json` writes them."""
    found: dict[str, Any] = {
        name: {"kind": "number", "scale": 1.0, "bias": 0.0, "labels": {label: {} for label in labels}}
        for name, labels in LABELS.items()
    }
    found["prompt_injection"]["names_one"] = True
    found["toxicity"]["labels"]["self_harm"] = {"threshold": 0.6, "floor": 0.0}
    found["tone"] = {"kind": "label"}
    found["pii"] = {"kind": "spans", "thresholds": {"PERSON": 0.5}}
    found["context_adherence"] = {"kind": "pair"}
    return found


def _tokenizer() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = list(dict.fromkeys([*special, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]))
    tokenizer = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(special)
    return tokenizer


def _graph(
    tokenizer: Tokenizer, adds: Mapping[str, Mapping[str, float]], marks: Mapping[str, Mapping[str, float]]
) -> onnx.ModelProto:
    size = tokenizer.get_vocab_size()
    vocabulary = tokenizer.get_vocab()
    of_words = np.zeros((size, len(COLUMNS)), np.float32)
    marks_of = np.full((size, len(TOKEN_COLUMNS)), NO_MARK, np.float32)
    marks_of[:, TOKEN_COLUMNS.index("pii/O")] = 0
    for table, given, names in ((of_words, adds, COLUMNS), (marks_of, marks, TOKEN_COLUMNS)):
        for word, values in given.items():
            for name, value in values.items():
                table[vocabulary[word], names.index(name)] = value
    constants = {
        "adds": of_words,
        "marks_of": marks_of,
        "words": np.array([number > 4 for number in range(size)]),
        "bias": np.array([0.0 if column.startswith("tone/") else BIAS for column in COLUMNS], np.float32),
        "of_lacking": np.array([LACKING * (column == "context_adherence") for column in COLUMNS], np.float32),
        "mark_of_lacking": np.array(
            [-2 * NO_MARK * (column == "context_adherence") for column in TOKEN_COLUMNS], np.float32
        ),
        "one": np.array([1]),
        "two": np.array([2]),
        "types_a_side": np.array(TYPES // 2),
        "half": np.array(0.5, np.float32),
        "plus_one": np.array(1.0, np.float32),
    }
    graph = parser.parse_model(_GRAPH)
    graph.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.checker.check_model(graph)
    return graph


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
