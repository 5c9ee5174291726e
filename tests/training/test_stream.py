"""A corpus that is read as a stream: order, labels, samples."""

import random

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import registry

from scripts import train
from scripts.training import stream
from scripts.training.stream import evenly, labels_of, sampled_corpus, shuffled_corpus


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """Three shards of a hundred one-word texts, numbered; an empty text in each."""
    monkeypatch.setattr(stream, "BUFFER", 20)
    vocab = spacy.blank("fr").vocab
    folder = tmp_path / "train.spacy"
    folder.mkdir()
    for shard in range(3):
        docs = [Doc(vocab, words=[str(100 * shard + number)]) for number in range(100)]
        DocBin(docs=[*docs, Doc(vocab)]).to_disk(folder / f"train-{shard}.spacy")
    return folder


def numbers(reader) -> list[int]:
    return [int(example.reference.text) for example in reader(spacy.blank("fr"))]


def test_each_epoch_has_all_examples_in_another_order(shards):
    random.seed(0)
    reader = shuffled_corpus(shards)
    first, second = numbers(reader), numbers(reader)
    assert sorted(first) == sorted(second) == list(range(300))
    assert first != second and first != sorted(first)
    # Shards too come in a random order, and follow each other.
    orders = {tuple(dict.fromkeys(n // 100 for n in numbers(reader)[::40])) for _ in range(8)}
    assert len(orders) > 2


def test_a_sample_is_evenly_spaced_and_read_once(shards):
    reader = sampled_corpus(shards, limit=10)
    found = numbers(reader)
    assert len(found) == 10 and found[0] < 20 and found[-1] > 260
    assert all(15 < after - before < 50 for before, after in zip(found, found[1:]))
    for path in shards.iterdir():
        path.unlink()
    assert numbers(reader) == found
    assert numbers(sampled_corpus(shards, limit=10)) == []


@pytest.mark.parametrize("count", [0, 3, 10, 19, 20, 21, 1000])
def test_a_sample_has_the_wanted_number(count):
    found = evenly(range(count), 10)
    assert len(found) == min(count, 10) and found == sorted(set(found))
    assert not found or (found[0] == 0 and found[-1] >= 0.8 * (count - 1))


def test_labels_come_from_the_report():
    report = {"splits": {"train": {"entities": {"PER": 3, "LOC": 1}, "labels": {"b": 1, "a": 2}}}}
    found = labels_of({"transformer": "transformer", "ner": "ner", "cats": "textcat"}, report)
    assert set(found) == {"ner", "cats"} and found["cats"] == {"labels": ["a", "b"]}
    nlp = spacy.blank("fr")
    example = Example.from_dict(nlp.make_doc("Marie vit"), {"entities": [(0, 5, "PER")]})
    ner = nlp.add_pipe("ner")
    ner.initialize(lambda: [example], nlp=nlp, **registry.resolve(found["ner"]))
    assert ner.labels == ("LOC", "PER")


def test_a_large_corpus_is_streamed_and_a_sample_stands_for_it(
    command, distilbert, sample_corpora, tmp_path, monkeypatch
):
    """The sample corpora, as if they were large."""
    for name, value in {"STREAMED": 1000, "SAMPLE": 100, "BUFFER": 50, "DEV": 20}.items():
        monkeypatch.setattr(stream, name, value)
    for task, count in (("ner", 1259), ("textcat", 1822)):
        result = command(
            train, task, tmp_path / task, "--corpus", sample_corpora / task, "--lang", "fr",
            "--settings.encoder", distilbert, "--settings.max_steps", 3, "--settings.learn_rate", 1e-3,
            "--settings.eval_frequency", 3, "--settings.accumulate", 1,
        )  # fmt: skip
        assert result.code == 0, result.err
        said = " ".join(result.out.split())
        assert f"{count:,} examples are streamed in a random order; the first 100 are" in said
        assert "evaluations read 20 of the 10" in said
        assert f"train: {count:,} examples, " in said
        nlp = spacy.load(tmp_path / task / "model-best")
        labels = ("LOC", "MISC", "ORG", "PER") if task == "ner" else ("negative", "positive")
        assert nlp.get_pipe(task).labels == labels
        assert nlp.config["training"]["max_epochs"] == -1
    assert "streamed" not in command("config", "ner").out
