"""Tiny checkpoints made on the spot: real architectures and tokenizers, random weights, a vocabulary of letters."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?<>/[]|_"
WORDS = ("hello", "world", "bomb", "sep", "pad", "cls")


def wordpiece() -> Tokenizer:
    """As BERT has it: lower case, words cut at punctuation, `[CLS] … [SEP]`."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordPiece(_numbered(pieces), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(pieces[:5])
    return tokenizer


def byte_bpe() -> Tokenizer:
    """As RoBERTa has it: bytes and merges, `<s> … </s>`; and GPT's end of text besides."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [
        *special,
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
        "he",
        "ll",
        "hell",
        "hello",
        "Ġhello",
        "<|endoftext|>",
    ]
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "hello")]
    tokenizer = Tokenizer(models.BPE(_numbered(pieces), merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens([*special, "<|endoftext|>"])
    return tokenizer


def unigram() -> Tokenizer:
    """As XLM-R has it: pieces with scores, the control tokens among them with the best score of all."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [*((name, 0.0) for name in special), ("▁", -3.0), *((letter, -5.0) for letter in LETTERS)]
    pieces += [(f"▁{word}", -4.0) for word in WORDS] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([*special, "<mask>"])
    return tokenizer


TOKENIZERS = {"wordpiece": wordpiece, "byte_bpe": byte_bpe, "unigram": unigram}
#: Architecture and tokenizer class of each, in transformers' words.
ARCHITECTURES = {
    "wordpiece": ("Bert", {"pad_token_id": 0, "type_vocab_size": 2}),
    "byte_bpe": ("Roberta", {"pad_token_id": 1, "type_vocab_size": 1}),
    "unigram": ("XLMRoberta", {"pad_token_id": 1, "type_vocab_size": 1}),
}


def save(
    folder: Path,
    kind: str = "wordpiece",
    labels: tuple[str, ...] = ("safe", "attack"),
    task: str = "SequenceClassification",
    **config: Any,
) -> Path:
    """A checkpoint of transformers' own in `folder`: reads 32 tokens, random weights of seed 0."""
    import torch
    import transformers

    tokenizer = TOKENIZERS[kind]()
    architecture, own = ARCHITECTURES[kind]
    places = 32 + (own["pad_token_id"] + 1 if own["pad_token_id"] else 0)
    settings = getattr(transformers, f"{architecture}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=places,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        **own,
        **config,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{architecture}For{task}")(settings)
    model.save_pretrained(folder)
    names = ("pad", "unk", "cls", "sep") if kind == "wordpiece" else ("bos", "pad", "eos", "unk")
    special = {f"{name}_token": tokenizer.id_to_token(number) for number, name in enumerate(names)}
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **special)
    wrapped.save_pretrained(folder)
    return folder


def export(folder: Path) -> Path:
    """The checkpoint in `folder`, with its ONNX graph beside it."""
    import torch

    model = _architecture(folder).from_pretrained(folder).eval()
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if model.config.type_vocab_size > 1 else [])
    example = torch.ones((1, 8), dtype=torch.long)
    with warnings.catch_warnings(action="ignore"):  # the exporter that needs no onnxscript is the older one
        torch.onnx.export(
            _Logits(model, names),
            tuple(example for _ in names),
            folder / "model.onnx",
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            dynamo=False,
        )
    return folder


def teach(folder: Path, tags: dict[str, str]) -> Path:
    """The token classifier in `folder`, made to tag these pieces so wherever they stand, and all others `O`."""
    import torch
    import transformers

    model = _architecture(folder).from_pretrained(folder)
    pieces = transformers.AutoTokenizer.from_pretrained(folder).get_vocab()
    rows = torch.zeros(len(pieces), dtype=torch.long).fill_(model.config.label2id["O"])
    for piece, tag in tags.items():
        rows[pieces[piece]] = model.config.label2id[tag]
    taught = torch.tensor([pieces[piece] for piece in tags])
    optimiser = torch.optim.Adam(model.parameters(), 0.003)
    torch.set_num_threads(1)  # more would only wait for each other
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(500):
            # Among others at random, so that only the piece itself can tell its tag.
            ids = torch.randint(len(pieces), (16, 24))
            ids = torch.where(torch.rand(ids.shape) < 0.15, taught[torch.randint(len(taught), ids.shape)], ids)
            loss = model.eval()(ids, labels=rows[ids]).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.save_pretrained(folder)
    return folder


def _architecture(folder: Path) -> Any:
    import transformers

    return getattr(transformers, json.loads((folder / "config.json").read_text())["architectures"][0])


def _Logits(model: Any, names: list[str]) -> Any:  # noqa: N802 - a module made late, so that torch is imported late
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return self.model(**dict(zip(names, inputs, strict=True))).logits

    return Logits()


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(pieces)}
