"""One tokenizer per language in conversion, training and pipeline; right-to-left text."""

import pytest
import spacy
import srsly
from spacy.lang.zh import ChineseTokenizer
from spacy.tokens import Doc, DocBin
from tokenizers import BertWordPieceTokenizer
from transformers import DistilBertConfig, DistilBertModel, DistilBertTokenizerFast

from scripts import convert, train
from scripts.corpora.detokenize import infer_spaces
from scripts.encoders import inspect

from .conftest import ROOT

ZH = "王 B-PER\n小明 I-PER\n住 O\n在 O\n北京 B-LOC\n。 O\n\n他 O\n用 O\nGoogle B-ORG\nMaps I-ORG\n。 O\n\n"


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    """A DistilBERT of width 16 with the vocabulary of the sentences above."""
    folder = tmp_path_factory.mktemp("chinese")
    words = [line.split()[0] for line in ZH.splitlines() if line]
    tokenizer = BertWordPieceTokenizer(lowercase=False)
    tokenizer.train_from_iterator(words * 5, vocab_size=200, min_frequency=1, show_progress=False)
    tokenizer.save_model(str(folder))
    fast = DistilBertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=512)
    fast.save_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=fast.vocab_size, dim=16, hidden_dim=16, n_layers=1, n_heads=2
    )
    DistilBertModel(config).save_pretrained(folder)
    return folder


def test_chinese_is_tokenized_the_same_all_the_way(command, chinese, tmp_path):
    for split in ("train", "dev"):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / f"{split}.conll").write_text(ZH * 10, "utf8")
    corpus, out = tmp_path / "corpus", tmp_path / "trained"
    assert command(convert, "iob", tmp_path / "raw", corpus, "--lang", "zh").code == 0
    doc, other = list(DocBin().from_disk(corpus / "train.spacy").get_docs(spacy.vocab.Vocab()))[:2]
    assert doc.text == "王小明住在北京。" and other.text == "他用Google Maps。"
    assert srsly.read_json(corpus / "report.json")["splits"]["train"]["unaligned"]["count"] == 0
    result = command(
        train, ROOT / "configs" / "ner.cfg", out, "--corpus", corpus, "--lang", "zh",
        "--settings.encoder", chinese, "--settings.max_steps", 2, "--settings.eval_frequency", 2,
    )  # fmt: skip
    assert result.code == 0, result.err
    nlp = spacy.load(out / "model-best")
    assert isinstance(nlp.tokenizer, ChineseTokenizer)
    assert [token.text for token in nlp(doc.text)] == list(doc.text)


def test_an_entity_inside_a_chinese_token_is_counted(command, tmp_path, monkeypatch):
    """A tokenizer other than spaCy's own is run on the whole text."""
    words = ["北京", "大", "学", "生"]

    def two_by_two(tokenizer, text):
        words = [text[at : at + 2] for at in range(0, len(text), 2)]
        return Doc(tokenizer.vocab, words=words, spaces=[False] * len(words))

    monkeypatch.setattr(ChineseTokenizer, "__call__", two_by_two)
    assert [token.text for token in spacy.blank("zh")("".join(words))] == ["北京", "大学", "生"]
    tags = ["B-LOC", "B-MISC", "O", "O"]
    (tmp_path / "a.conll").write_text("".join(f"{w}\t{t}\n" for w, t in zip(words, tags)), "utf8")
    result = command(convert, "iob", tmp_path / "a.conll", tmp_path / "out", "--lang", "zh")
    assert result.code == 0
    unaligned = srsly.read_json(tmp_path / "out" / "report.json")["splits"]["train"]["unaligned"]
    assert unaligned["count"] == 1 and unaligned["first"][0].endswith(": 大")


@pytest.mark.parametrize(
    "language, words, text",
    [
        ("zh", "我 用 Google Maps 2024 年 版", "我用Google Maps 2024年版"),
        ("ja", "東京 へ 行く", "東京へ行く"),
        ("th", "ฉัน รัก iOS 17", "ฉันรักiOS 17"),
        ("ko", "나는 서울에 산다 .", "나는 서울에 산다."),
    ],
)
def test_spaces_follow_the_language(language, words, text):
    words = words.split()
    pairs = zip(words, infer_spaces(words, language))
    assert "".join(word + " " * followed for word, followed in pairs) == text


@pytest.mark.parametrize(
    "language, message",
    [
        ("ja", "Install with `pip install sudachipy"),
        ("zz", "spaCy has no language 'zz'; use a code"),
    ],
)
def test_all_commands_report_a_language_in_the_same_way(
    command, sample_corpora, distilbert, tmp_path, language, message
):
    (tmp_path / "a.conll").write_text("Lens B-LOC\n")
    for module, *arguments in (
        (convert, "iob", tmp_path / "a.conll", tmp_path / "out"),
        (train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", sample_corpora / "ner",
         "--settings.encoder", distilbert),
        (inspect, distilbert, "Lens"),
    ):  # fmt: skip
        result = command(module, *arguments, "--lang", language)
        assert result.code == 1 and f"--lang {language!r}: " in result.line
        assert message in result.line
    assert not (tmp_path / "out").exists()
