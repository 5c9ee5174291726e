"""Slow imports, done once in the process that others are forked from (see processes.py)."""

import spacy
from transformers import (  # noqa: F401 (lazy modules: imported on first access)
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertModel,
    DistilBertTokenizerFast,
    Trainer,
)

from scripts import convert, evaluate, export, fetch, package, report, train, wrap  # noqa: F401
from scripts.encoders import pretrain, train_tokenizer, trim  # noqa: F401

from .hostile import test_kills  # noqa: F401

nlp = spacy.blank("fr")
nlp.add_pipe("transformer")
nlp.add_pipe("textcat")
