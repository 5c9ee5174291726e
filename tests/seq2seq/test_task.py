"""What models of each family have to be told, and what they refuse."""

import json
import shutil

import pytest
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.models.m2m_100.modeling_m2m_100 import shift_tokens_right as m2m100_shift
from transformers.models.mbart.modeling_mbart import shift_tokens_right as mbart_shift

from scripts.seq2seq.task import language_ids, open_translator, task_of
from scripts.seq2seq.translator import Translator

from .families import LONGEST, TASKS

TEXT = "Le chat dort"
# Family, what is given for the languages, the model's own codes, and how it is told the target.
LANGUAGES = [
    ("mbart", "fr", "en", "fr_XX", "en_XX", "decoder_start_token_id"),
    ("mbart", "fr_XX", "de", "fr_XX", "de_DE", "decoder_start_token_id"),
    ("mbart50", "fr", "en", "fr_XX", "en_XX", "forced_bos_token_id"),
    ("m2m100", "fr", "en", "fr", "en", "forced_bos_token_id"),
    ("nllb", "fra", "deu_Latn", "fra_Latn", "deu_Latn", "forced_bos_token_id"),
]


@pytest.mark.parametrize("family, source, target, source_code, target_code, setting", LANGUAGES)
def test_languages_are_those_of_the_documentation(
    command, translators, family, source, target, source_code, target_code, setting
):
    folder = translators[family]
    result = command("translate", folder, TEXT, "--from", source, "--to", target, "--json")
    assert result.code == 0, result.err
    (found,) = json.loads(result.out)["sentences"]
    tokenizer = AutoTokenizer.from_pretrained(folder, src_lang=source_code, tgt_lang=target_code)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    code = getattr(tokenizer, "get_lang_id", tokenizer.convert_tokens_to_ids)(target_code)
    assert code == language_ids(tokenizer)[target_code] != tokenizer.unk_token_id
    (wanted,) = model.generate(**tokenizer(TEXT, return_tensors="pt"), **{setting: code})
    assert found["translation"] == tokenizer.decode(wanted, skip_special_tokens=True).strip()
    opened = open_translator(str(folder))
    translator = Translator(*opened, task_of(*opened, source, target))
    (written,) = translator.generate([translator.encode(TEXT)])
    # The code of the target language is one of these.
    assert written.ids == wanted.tolist() and code in written.ids[:2]
    assert len(written.ids) - 1 == found["pieces"] <= LONGEST - 1


def test_what_a_target_begins_with_is_what_the_model_was_trained_on(translators):
    """The labels of transformers, shifted, begin as `generate` is told to."""
    for family, source, target, *_ in LANGUAGES:
        tokenizer, model = open_translator(str(translators[family]))
        task = task_of(tokenizer, model, source, target)
        labels = tokenizer(text_target="chat", return_tensors="pt")["input_ids"]
        start = model.config.decoder_start_token_id
        if model.config.model_type == "mbart":
            inputs = mbart_shift(labels, model.config.pad_token_id)[0].tolist()
        else:
            inputs = m2m100_shift(labels, model.config.pad_token_id, start)[0].tolist()
        settings = {"decoder_start_token_id": start, **task.settings}
        assert inputs[0] == settings["decoder_start_token_id"]
        if "forced_bos_token_id" in settings:
            assert inputs[1] == settings["forced_bos_token_id"]


def test_a_marian_of_several_target_languages(command, translators):
    folder = translators["several"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    for given in ("eng", ">>eng<<", "deu"):
        code = f">>{given.strip('<>')}<<"
        encoded = tokenizer(f"{code} {TEXT}", return_tensors="pt")
        assert tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])[0] == code
        (wanted,) = model.generate(**encoded)
        result = command("translate", folder, TEXT, "--to", given)
        assert result.out.strip() == tokenizer.decode(wanted, skip_special_tokens=True).strip()
        opened = open_translator(str(folder))
        translator = Translator(*opened, task_of(*opened, "", given))
        assert translator.encode(TEXT) == encoded["input_ids"][0].tolist()


@pytest.mark.parametrize(
    "options, task, said",
    [
        (("--from", "en", "--to", "fr"), "translation_en_to_fr", True),
        (("--from", "en", "--to", "de"), "translation_en_to_de", True),
        (("--prefix", "summarize: "), "summarization", False),
        (("--prefix", ""), None, False),
    ],
)
def test_a_t5_is_told_its_task_by_a_prefix(command, translators, options, task, said):
    """With the settings of that task."""
    folder = translators["t5"]
    result = command("translate", folder, TEXT, *options)
    assert result.code == 0, result.err
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    settings = {**TASKS[task]} if task else {}
    prefix = settings.pop("prefix", "")
    (wanted,) = model.generate(**tokenizer(prefix + TEXT, return_tensors="pt"), **settings)
    assert result.out.strip() == tokenizer.decode(wanted, skip_special_tokens=True).strip()
    assert (f"prefix {prefix!r}" in result.err) == said


def test_the_only_task_of_a_t5_is_chosen_and_named(command, translators, tmp_path):
    folder = tmp_path / "t5"
    shutil.copytree(translators["t5"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["task_specific_params"].pop("translation_en_to_de")
    (folder / "config.json").write_text(json.dumps(config))
    result = command("translate", folder, TEXT)
    assert result.code == 0 and "⚠ prefix 'translate English to French: '" in result.err
    wanted = command("translate", folder, TEXT, "--prefix", "translate English to French: ")
    assert result.out == wanted.out


def test_an_encoder_decoder_needs_to_be_told_nothing(command, translators):
    folder = translators["bert2bert"]
    result = command("translate", folder, TEXT, "--json")
    assert result.code == 0, result.err
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    (wanted,) = model.generate(**tokenizer(TEXT, return_tensors="pt"))
    assert json.loads(result.out)["translation"] == tokenizer.decode(
        wanted, skip_special_tokens=True
    )


def test_a_model_takes_and_writes_as_much_as_its_checkpoint_says(translators):
    for family, languages in (("t5", ("en", "de")), ("m2m100", ("fr", "en")), ("bert2bert", ())):
        opened = open_translator(str(translators[family]))
        translator = Translator(*opened, task_of(*opened, *languages))
        assert translator.limit == 40
        assert translator.new == (10 if family == "t5" else LONGEST) - 1


@pytest.mark.parametrize(
    "family, options, message",
    [
        ("m2m100", (), "--from which language?; it has 100, such as de, en, es, fr, it"),
        ("m2m100", ("--from", "fr"), "--to which language?"),
        ("mbart", ("--from", "fr", "--to", "fra"), "--to fra: no such language in this model"),
        ("nllb", ("--from", "fr", "--to", "eng"), "--from fr: no such language in this model"),
        ("m2m100", ("--from", "fr", "--to", "en", "--prefix", "x"), "only a T5"),
        ("marian", ("--from", "fr"), "--from fr: this Marian's source language is fixed"),
        ("marian", ("--to", "en"), "--to en: this Marian has one target language; leave it out"),
        ("marian", ("--prefix", "x"), "only a T5 is told its task"),
        ("several", (), "--to which language?; it has 2, such as eng"),
        ("several", ("--to", "xyz"), "--to xyz: no such language in this model"),
        ("t5", (), "told its task by a prefix, and its config.json lists 'summarize: '"),
        ("t5", ("--from", "fr", "--to", "en"), "'translate English to German: '"),
        ("t5", ("--prefix", "mot " * 60), "--prefix: it is longer than the 40 pieces"),
        ("t5", ("--prefix", "x", "--to", "fr"), "--to fr: the prefix says the languages"),
        ("bert2bert", ("--to", "fr"), "this encoder-decoder model has no codes of languages"),
        ("bart-classifier", (), "BartForSequenceClassification is no sequence-to-sequence model"),
        ("distilbert", (), "distilbert is no sequence-to-sequence model; choose one that is"),
    ],
)
def test_mistakes(command, translators, marian, distilbert, family, options, message):
    folder = {**translators, "marian": marian, "distilbert": distilbert}[family]
    result = command("translate", folder, TEXT, *options)
    assert result.code == 1 and message in result.line and not result.out
    assert "Traceback" not in result.err


def test_a_decoder_that_starts_with_nothing_is_refused(command, translators, tmp_path):
    folder = tmp_path / "bert2bert"
    shutil.copytree(translators["bert2bert"], folder)
    for name in ("config.json", "generation_config.json"):
        values = json.loads((folder / name).read_text())
        for key in ("decoder_start_token_id", "bos_token_id"):
            values.pop(key, None)
        (folder / name).write_text(json.dumps(values))
    result = command("translate", folder, TEXT)
    assert result.code == 1 and "config.json has no decoder_start_token_id" in result.line
