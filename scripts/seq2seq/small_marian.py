"""A minuscule Marian, trained in seconds on sentence pairs that it learns by heart.

It has the files and the shape of the Opus-MT checkpoints, so that what runs on it runs on those.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import sentencepiece
import torch
from transformers import (
    DataCollatorForSeq2Seq,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    set_seed,
)

from ..common.errors import UserError
from ..common.rawfile import RawFile

Pairs = list[tuple[str, str]]
END, UNKNOWN, PADDING = "</s>", "<unk>", "<pad>"
# Pieces longer than any of the pairs.
MAX_LENGTH = 64


def read_pairs(path: Path) -> Pairs:
    """Return the sentence pairs of a file: a sentence, a tab and its translation on each line.

    Raises UserError for a line that is none.
    """
    pairs = []
    file = RawFile(path)
    for number, line in file.lines():
        source, *targets = (part.strip() for part in line.split("\t"))
        if len(targets) != 1 or not (source and targets[0]):
            raise UserError(
                f"{file.location(number)}: expected a sentence, a tab and its translation."
            )
        pairs.append((source, targets[0]))
    return pairs


def train_pieces(sentences: list[str], size: int) -> bytes:
    """Return a SentencePiece unigram model of at most `size` pieces, serialised."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    return model.getvalue()


def write_tokenizer(pairs: Pairs, size: int, folder: Path, codes: tuple[str, ...] = ()) -> None:
    """Write a Marian tokenizer: SentencePiece models of both languages, and one vocabulary for both.

    size: pieces of each language at most. codes: tokens of the target languages, such as >>fra<<.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [END, UNKNOWN, *codes]
    for name, sentences in zip(("source.spm", "target.spm"), zip(*pairs)):
        (folder / name).write_bytes(train_pieces(list(sentences), size))
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
        vocabulary += map(pieces.id_to_piece, range(len(pieces)))
    # Padding is last, as in Opus-MT; pieces of both languages are there once.
    numbered = dict.fromkeys([*vocabulary, PADDING])
    ids = {piece: number for number, piece in enumerate(numbered)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf8")
    MarianTokenizer(
        str(folder / "source.spm"),
        str(folder / "target.spm"),
        str(folder / "vocab.json"),
        source_lang="fr",
        target_lang="en",
        model_max_length=MAX_LENGTH,
    ).save_pretrained(folder)


def new_marian(tokenizer: MarianTokenizer, width: int = 64, layers: int = 1) -> MarianMTModel:
    """Return an untrained Marian for a tokenizer, with `layers` in the encoder and in the decoder."""
    shape = {
        f"{part}_{name}": value
        for part in ("encoder", "decoder")
        for name, value in (("layers", layers), ("attention_heads", 4), ("ffn_dim", 2 * width))
    }
    pad = tokenizer.pad_token_id
    config = MarianConfig(
        **shape,
        vocab_size=len(tokenizer),
        d_model=width,
        max_position_embeddings=MAX_LENGTH,
        scale_embedding=True,
        # To be learnt by heart, without noise.
        dropout=0.0,
        attention_dropout=0.0,
        # The decoder starts with padding.
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=tokenizer.eos_token_id,
        forced_eos_token_id=tokenizer.eos_token_id,
    )
    model = MarianMTModel(config)
    model.generation_config.update(num_beams=4, max_length=MAX_LENGTH, bad_words_ids=[[pad]])
    return model


def batches_of(
    pairs: Pairs, tokenizer: MarianTokenizer, size: int, steps: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield `steps` batches of pairs, epoch after epoch in a new order.

    labels: (pairs, pieces), -100 where the loss is not to look.
    """
    encoded = [tokenizer(source, text_target=target) for source, target in pairs]
    collate, order = DataCollatorForSeq2Seq(tokenizer), []
    for _ in range(steps):
        if len(order) < size:
            order += torch.randperm(len(pairs)).tolist()
        chosen, order = [encoded[index] for index in order[:size]], order[size:]
        yield collate(chosen)


def train(
    model: MarianMTModel,
    tokenizer: MarianTokenizer,
    pairs: Pairs,
    steps: int = 300,
    size: int = 32,
    rate: float = 5e-3,
) -> list[float]:
    """Train a model on pairs; return the loss of each step.

    size: pairs of a batch. rate: the highest learning rate, reached after a tenth of the steps.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    losses = []
    model.train()
    for batch in batches_of(pairs, tokenizer, size, steps):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


def train_marian(pairs: Pairs, folder: Path, steps: int = 300, seed: int = 0) -> list[float]:
    """Write a checkpoint that translates `pairs`, as far as it has learnt them; return its losses."""
    set_seed(seed)
    write_tokenizer(pairs, 500, folder)
    tokenizer = MarianTokenizer.from_pretrained(folder)
    model = new_marian(tokenizer)
    losses = train(model, tokenizer, pairs, steps)
    model.save_pretrained(folder)
    return losses
