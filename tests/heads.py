"""Minuscule checkpoints with token and text classification heads, made in seconds."""

from pathlib import Path

import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    set_seed,
)

from scripts.corpora.docbins import read_docs

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC"]


def tags_by_character(doc: Doc) -> list[str]:
    """Return the tag of each character's token; of white space, the next token's."""
    tags: list[str] = []
    for token in doc:
        tag = f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"
        tags += [tag] * (token.idx + len(token) - len(tags))
    return tags


def tag_checkpoint(encoder: Path, corpus: Path, output: Path, steps: int = 100) -> None:
    """Train a token classifier like those on the hub: one tag per piece."""
    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModelForTokenClassification.from_pretrained(
        encoder, id2label=dict(enumerate(TAGS)), label2id={tag: i for i, tag in enumerate(TAGS)}
    )
    docs = list(read_docs(corpus / "train.spacy", Vocab()))
    # Without dropout and with a low weight for O it learns entities in few steps.
    model.eval()
    weight = torch.tensor([0.2] + [1.0] * (len(TAGS) - 1))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for step in range(steps):
        examples = docs[step * 16 % len(docs) :][:16]
        batch = tokenizer(
            [doc.text for doc in examples],
            padding=True,
            return_tensors="pt",
            return_offsets_mapping=True,
        )
        labels = torch.full(batch["input_ids"].shape, -100)
        for row, (doc, offsets) in enumerate(zip(examples, batch.pop("offset_mapping").tolist())):
            text, tags = doc.text, tags_by_character(doc)
            for column, (start, end) in enumerate(offsets):
                if start < end:
                    labels[row, column] = TAGS.index(tags[start + (text[start] == " ")])
        logits = model(**batch).logits
        torch.nn.functional.cross_entropy(
            logits.view(-1, len(TAGS)), labels.view(-1), weight
        ).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def text_checkpoint(encoder: Path, labels: list[str], output: Path) -> None:
    """Write a text classifier with random weights."""
    set_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder, id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)}
    )
    # Far apart, so that the order of the labels shows.
    model.classifier.bias.data = torch.arange(len(labels)).float()
    model.save_pretrained(output)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(output)
