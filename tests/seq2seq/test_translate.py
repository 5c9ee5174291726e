"""The command translate on a minuscule Marian that has learnt its sentences by heart."""

import gzip
import io
import json
import os
import sys

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from scripts.common.errors import UserError
from scripts.seq2seq import translator as module
from scripts.seq2seq.small_marian import read_pairs
from scripts.seq2seq.task import open_translator, task_of
from scripts.seq2seq.texts import writer
from scripts.seq2seq.translator import Translator

from ..hub import pointed_at


@pytest.fixture(scope="module")
def opened(marian):
    return open_translator(str(marian))


def new(opened, **settings) -> Translator:
    return Translator(*opened, task_of(*opened), **settings)


def objects(result) -> list[dict]:
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_sentences_it_has_learnt_come_out_right(command, marian, pairs, tmp_path):
    """All of them, from a file, in order."""
    path = tmp_path / "phrases.txt"
    path.write_text("".join(f"{source}\n" for source, _ in pairs), "utf8")
    result = command("translate", marian, path)
    assert result.code == 0, result.err
    assert result.out.splitlines() == [target for _, target in pairs]
    assert "40/40" in result.err and "texts/s" in result.err and "⚠" not in result.err


def test_a_text_is_translated_sentence_by_sentence(command, marian, pairs):
    """What is between the sentences stays as it is, and a line break ends one."""
    (one, two, three), targets = zip(*pairs[:3])
    text = f"  {one}  {two}\n\n\t{three.removesuffix('.')}"
    result = command("translate", marian, text)
    assert result.code == 0, result.err
    written = result.out.removesuffix("\n")
    assert written.startswith(f"  {targets[0]}  {targets[1]}\n\n\t")
    result = command("translate", marian, text, "--json")
    found = json.loads(result.out)
    assert found["source"] == text and found["translation"] == written
    assert [sentence["source"] for sentence in found["sentences"]] == [one, two, three[:-1]]
    assert all(sentence["complete"] for sentence in found["sentences"])


def test_a_file_gives_a_line_for_each_line(command, marian, pairs, tmp_path):
    (one, two), targets = zip(*pairs[4:6])
    lines = ["", one, "   ", f"{two} {one}", "", one]
    wanted = ["", targets[0], "   ", f"{targets[1]} {targets[0]}", "", targets[0]]
    path, output = tmp_path / "phrases.txt.gz", tmp_path / "out" / "phrases.en"
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    assert command("translate", marian, path).out.split("\n") == [*wanted, ""]
    result = command("translate", marian, path, "--output", output)
    assert result.code == 0 and result.out == ""
    assert output.read_text("utf8").split("\n") == [*wanted, ""]
    found = objects(command("translate", marian, path, "--json"))
    assert [one["translation"] for one in found] == wanted
    assert [len(one["sentences"]) for one in found] == [0, 1, 0, 2, 0, 1]
    assert found[0]["score"] is None
    assert found[1]["score"] == found[5]["score"] == found[1]["sentences"][0]["score"]


def test_the_input_is_translated_line_by_line(command, marian, pairs, monkeypatch):
    (one, two), targets = zip(*pairs[:2])
    for text in (f"{one}\n{two}\n", f"{one}\n{two}"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert command("translate", marian, "-").out.splitlines() == list(targets)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("été".encode("latin-1"))))
    result = command("translate", marian, "-")
    assert result.code == 1 and "input: not valid utf-8" in result.line


def test_batches_change_nothing(opened, pairs, monkeypatch):
    """Nor windows: the same as a sentence at a time, and transformers' own result for each."""
    sources = [source for source, _ in pairs[:16]]
    tokenizer, model = opened
    wanted = [
        tokenizer.decode(
            model.generate(**tokenizer(source, return_tensors="pt"))[0], skip_special_tokens=True
        )
        for source in sources
    ]
    texts = [f"{one} {two}" for one, two in zip(sources[::2], sources[1::2])]
    for pieces, window in ((2048, 1000), (60, 6), (1, 1)):
        monkeypatch.setattr(module, "BATCH_PIECES", pieces)
        monkeypatch.setattr(module, "WINDOW", window)
        found = list(new(opened).translate(iter(texts)))
        assert [s.translation for text in found for s in text.sentences] == wanted


def test_batches_are_bounded(opened, pairs, monkeypatch):
    seen = []

    def generate(self, ids):
        seen.append(ids)
        return [module.Generated([0, 0], True)] * len(ids)

    monkeypatch.setattr(module, "BATCH_PIECES", 100)
    monkeypatch.setattr(Translator, "generate", generate)
    texts = [source for source, _ in pairs] * 2
    assert len(list(new(opened).translate(texts))) == 80
    # Each different sentence once, and those of a length together.
    assert sum(map(len, seen)) == 40 and 1 < len(seen) < 40
    assert all(len(ids) * max(map(len, ids)) <= 100 for ids in seen)
    lengths = [len(one) for ids in seen for one in ids]
    assert lengths == sorted(lengths)


def test_one_beam_is_greedy_and_its_score_that_of_its_pieces(opened, pairs):
    """By hand: the most probable piece at each step."""
    tokenizer, model = opened
    # One that it has not learnt, so that its probabilities are not all 1.
    for text in (pairs[7][0], "Le frère de la boulangerie dort."):
        (found,) = new(opened, beams=1).translate([text], scored=True)
        inputs = tokenizer(text, return_tensors="pt")
        written, total = [model.config.decoder_start_token_id], 0.0
        while len(written) < 64 and written[-1] != tokenizer.eos_token_id:
            with torch.no_grad():
                logits = model(**inputs, decoder_input_ids=torch.tensor([written])).logits[0, -1]
            scores = logits.log_softmax(-1)
            # Marian never predicts padding.
            scores[tokenizer.pad_token_id] = -torch.inf
            written.append(int(scores.argmax()))
            total += scores.max().item()
        assert found.translation == tokenizer.decode(written, skip_special_tokens=True)
        assert found.score == pytest.approx(total / (len(written) - 1), abs=1e-4)


def test_beams_are_those_of_the_checkpoint_unless_given(opened, pairs, monkeypatch):
    tokenizer, model = opened
    beams = []
    generate = type(model).generate

    def recorded(self, **settings):
        beams.append(settings.get("num_beams", self.generation_config.num_beams))
        return generate(self, **settings)

    monkeypatch.setattr(type(model), "generate", recorded)
    for given in (0, 1, 3):
        (found,) = new(opened, beams=given).translate([pairs[0][0]])
        assert found.translation == pairs[0][1]
    assert beams == [4, 1, 3]


def test_a_sentence_that_is_too_long_is_cut_and_counted(command, marian):
    """At white space near its middle; where there is none, in the middle of a word."""
    for long in (" ".join(["le chat"] * 40), "a" * 200):
        result = command("translate", marian, f"{long}. Merci.", "--lang", "fr", "--json")
        assert result.code == 0
        assert "sentences longer than the 64 pieces that the model takes: 1; cut" in result.err
        found = json.loads(result.out)["sentences"]
        assert [one["cut"] for one in found] == [True] * (len(found) - 1) + [False]
        joined = (" " if " " in long else "").join(one["source"] for one in found[:-1])
        assert joined == f"{long}." and found[-1]["source"] == "Merci."


def test_a_translation_without_an_end_is_counted(command, marian, pairs, tmp_path):
    """The end that a checkpoint forces at its length limit is none."""
    copy = tmp_path / "marian"
    copy.mkdir()
    for file in marian.iterdir():
        (copy / file.name).symlink_to(file)
    for forced in (0, None):
        config = GenerationConfig.from_pretrained(marian)
        config.update(max_length=6, forced_eos_token_id=forced)
        (copy / "generation_config.json").unlink()
        config.save_pretrained(copy)
        result = command("translate", copy, f"{pairs[0][0]} {pairs[1][0]}", "--json")
        assert "reached 5 pieces without an end, and are probably incomplete: 2" in result.err
        found = json.loads(result.out)["sentences"]
        assert [one["complete"] for one in found] == [False, False]
        assert all(one["pieces"] == 5 for one in found)


def test_a_checkpoint_of_the_hub(command, marian, pairs, tmp_path):
    """How it generates is read too: its beams are in a file of their own."""
    root = tmp_path / "hub"
    (root / "models" / "me").mkdir(parents=True)
    (root / "models" / "me" / "marian").symlink_to(marian)
    with pointed_at(root, tmp_path / "cache") as requests:
        result = command("translate", "me/marian", pairs[0][0])
        assert result.code == 0, result.err
        assert result.out == f"{pairs[0][1]}\n"
        assert any("generation_config.json" in request for request in requests)


def test_weights_of_torch_are_opened_without_running_them(command, marian, pairs, tmp_path):
    """As most of Opus-MT's are published."""
    AutoTokenizer.from_pretrained(marian).save_pretrained(tmp_path / "marian")
    model = AutoModelForSeq2SeqLM.from_pretrained(marian)
    model.save_pretrained(tmp_path / "marian", safe_serialization=False)
    assert command("translate", tmp_path / "marian", pairs[3][0]).out == f"{pairs[3][1]}\n"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "proof"),)

    torch.save({"weights": Evil()}, tmp_path / "marian" / "pytorch_model.bin")
    result = command("translate", tmp_path / "marian", "Merci.")
    assert result.code == 1 and "not a complete checkpoint" in result.line
    assert not (tmp_path / "proof").exists()


def test_a_reader_that_has_read_enough_is_no_error(monkeypatch):
    """`translate … | head` ends."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with writer(None) as out:
            out.write("x" * 100_000)


def test_a_line_that_is_no_pair_is_refused(tmp_path):
    path = tmp_path / "pairs.tsv"
    for line in ("Merci.", "Merci.\t", "a\tb\tc"):
        path.write_text(f"Oui.\tYes.\n{line}\n", "utf8")
        with pytest.raises(UserError, match=r"pairs.tsv:2: expected a sentence, a tab"):
            read_pairs(path)


@pytest.mark.parametrize(
    "text, options, message",
    [
        (
            "notes.txt",
            (),
            "notes.txt: no such file; to translate it as a text, end it with a space",
        ),
        ("mes notes.txt.gz", (), "mes notes.txt.gz: no such file"),
        ("textes/nouvelles", (), "textes/nouvelles: no such file"),
        (".", (), ".: is a folder"),
        (" ", (), "the text is empty"),
        ("phrases.csv", (), "is a table"),
        ("latin.txt", (), "latin.txt:2: not valid UTF-8"),
        ("phrases.txt", ("--output", "phrases.txt"), "is the file to read"),
        ("phrases.txt", ("--attention", "a.html"), "--attention draws a single sentence"),
        ("Oui.", ("--output", "o", "--attention", "o"), "are both o"),
        ("Oui. Non.", ("--attention", "a.html"), "the text has 2 sentences"),
        ("Oui.", ("--lang", "zz"), "--lang 'zz'"),
        ("Oui.", ("--output", "phrases.txt/o"), "already exists as a file"),
    ],
)
def test_mistakes(command, marian, tmp_path, monkeypatch, text, options, message):
    monkeypatch.chdir(tmp_path)
    files = {"phrases.txt": b"Oui.\n", "phrases.csv": b"text\nOui.\n", "latin.txt": b"Oui.\n\xe9\n"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    result = command("translate", marian, text, *options)
    assert result.code == 1 and message in result.line
    assert "Traceback" not in result.out + result.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
