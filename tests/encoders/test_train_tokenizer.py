"""Tokenizers trained on raw text, loaded by transformers and spaCy."""

import gzip

import pytest
import spacy
from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

from scripts.common.raw_text import read_lines, split
from scripts.encoders import train_tokenizer

KINDS = ["wordpiece", "unigram"]
TEXTS = ["L'Express paraît à Paris, aujourd'hui.", "« Né en 1891 », dit-il ! Où ?"]
TRANSCRIPT = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE Trans SYSTEM "trans-14.dtd">
<Trans><Episode><Section><Turn speaker="spk1"><Sync time="0"/>
euh je suis née à Orléans<Event desc="rire"/> oui
<Sync time="2"/><Who nb="1"/>
qu- qu'est-ce que NPERS fait ?<Who nb="2"/>
rien</Turn></Section></Episode></Trans>
"""


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    folders = {}
    for kind in KINDS:
        folders[kind] = tmp_path_factory.mktemp("trained") / kind
        train_tokenizer.train_tokenizer(text, folders[kind], kind, 1000, None, "")
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_and_round_trip(trained, kind):
    tokenizer = AutoTokenizer.from_pretrained(trained[kind])
    assert len(tokenizer) == 1000 and tokenizer.model_max_length == 512
    assert tokenizer.mask_token_id is not None and tokenizer.pad_token_id is not None
    for text in TEXTS:
        encoding = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        pieces = list(zip(encoding.tokens(), encoding["offset_mapping"]))[1:-1]
        # A lone ▁ marks the start of a word, and has the offsets of its first letter.
        covered = [text[start:end] for piece, (start, end) in pieces if piece != "▁"]
        assert all(piece == piece.strip() != "" for piece in covered)
        assert "".join(covered) == text.replace(" ", "")
        decoded = tokenizer.decode(encoding["input_ids"], skip_special_tokens=True)
        assert decoded.replace(" ", "") == text.replace(" ", "")
        assert encoding["special_tokens_mask"][0] == encoding["special_tokens_mask"][-1] == 1
    assert "token_type_ids" not in tokenizer(text)


@pytest.mark.parametrize("kind", KINDS)
def test_spacy_trains_and_saves_a_transformer_with_it(trained, kind, tmp_path):
    encoder = tmp_path / "encoder"
    tokenizer = AutoTokenizer.from_pretrained(trained[kind])
    tokenizer.save_pretrained(encoder)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, hidden_dim=64, n_layers=1, n_heads=2,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    DistilBertModel(config).save_pretrained(encoder)
    nlp = spacy.blank("fr")
    model = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": str(encoder)}
    nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    nlp.to_disk(tmp_path / "pipeline")
    doc = spacy.load(tmp_path / "pipeline")(TEXTS[0])
    data = doc._.trf_data
    strings = data.wordpieces.strings[0]
    for token in doc:
        rows = data.align[token.i].data.flatten()
        joined = "".join(strings[row].removeprefix("##") for row in rows).replace("▁", "")
        assert joined == token.text


def test_figures_on_held_out_text_next_to_those_of_a_reference(command, text, distilbert, tmp_path):
    result = command(
        train_tokenizer, text, tmp_path / "out", "--size", 600, "--reference", distilbert
    )
    assert result.code == 0, result.err
    assert "pieces per word" in result.out and str(distilbert) in result.out
    held_out = list(split(read_lines(text), held_out=True))
    assert len(held_out) == sum(1 for _ in read_lines(text)) // 20
    found = train_tokenizer.measure(held_out, AutoTokenizer.from_pretrained(tmp_path / "out"))
    assert found["fertility"] > 1 and f"{found['fertility']:.3f}" in result.out
    training = set(split(read_lines(text), held_out=False))
    assert len(training) + len(held_out) <= sum(1 for _ in read_lines(text))


def test_transcripts_and_compressed_files_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.trs").write_bytes(TRANSCRIPT.encode("iso-8859-1"))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"Une  ligne.\n\n\tDeux.\n"))
    (tmp_path / "notes.md").write_text("not this")
    assert list(read_lines(tmp_path)) == [
        "euh je suis née à Orléans",
        "oui",
        "qu- qu'est-ce que NPERS fait ?",
        "rien",
        "Une ligne.",
        "Deux.",
    ]


@pytest.mark.parametrize(
    "name, content, options, message",
    [
        ("no.txt", None, (), "no such file or folder"),
        ("empty.txt", "", (), "0 lines of text, but at least 20 are needed"),
        ("one.txt", "Une seule ligne.", (), "1 lines of text"),
        ("few.txt", "Un mot.\n" * 40, ("--size", 900), "--size 900: the text yields only"),
        ("old.txt", "été\n".encode("iso-8859-1") * 40, (), "pass --encoding iso-8859-1"),
        (
            "some.txt",
            "Un mot.\n" * 40,
            ("--encoding", "klingon"),
            "--encoding klingon: unknown encoding",
        ),
        ("bad.trs", "<Trans><Turn>", (), "bad.trs:1: malformed XML"),
        ("bomb.trs", '<!DOCTYPE t [<!ENTITY a "b">]><t>&a;</t>', (), "declares XML entities"),
        ("some.txt", "Un mot.\n" * 40, ("--reference", "nowhere/x"), "encoder nowhere/x"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_mistakes(command, tmp_path, monkeypatch, kind, name, content, options, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    arguments = (tmp_path / name, tmp_path / "out", "--kind", kind, *options)
    result = command(train_tokenizer, *arguments)
    assert result.code == 1 and message in result.line
    assert "Traceback" not in result.out + result.err and not (tmp_path / "out").exists()
