"""spaCy pipelines without a transformer, trained on the sample corpora in seconds."""

from pathlib import Path

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

from scripts.corpora.docbins import read_docs

TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 32, "depth": 2,
    "embed_size": 500, "window_size": 1, "maxout_pieces": 2, "subword_features": True,
}  # fmt: skip
BOW = {
    "@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1,
    "no_output_layer": False, "length": 4096,
}  # fmt: skip
CONFIGS = {
    "ner": {
        "model": {
            "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner",
            "extra_state_tokens": False, "hidden_width": 32, "maxout_pieces": 2, "use_upper": True,
            "tok2vec": TOK2VEC,
        }
    },
    "textcat": {"model": BOW},
    "textcat_multilabel": {"model": {**BOW, "exclusive_classes": False}},
}  # fmt: skip


def small_pipeline(corpora: Path, *tasks: str, epochs: int = 6, examples: int = 400) -> Language:
    """Train a pipeline: hash embeddings and convolutions for entities, bags of words for texts."""
    fix_random_seed(0)
    nlp = spacy.blank("fr")
    docs = []
    for task in tasks:
        nlp.add_pipe(task, config=CONFIGS[task])
        folder = corpora / ("ner" if task == "ner" else "textcat")
        docs += list(read_docs(folder / "train.spacy", nlp.vocab))[:examples]
    data = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: data)
    for _ in range(epochs):
        for batch in minibatch(data, 16):
            nlp.update(batch, sgd=optimizer)
    return nlp
