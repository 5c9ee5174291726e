"""The page that shows the attention of an encoder-decoder."""

import json
import re

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer


def views_of(html: str) -> dict[str, dict]:
    data = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1]
    return {view["name"]: view for view in json.loads(data)}


def test_the_page_has_the_three_attentions(command, marian, pairs, tmp_path):
    path = tmp_path / "attention.html"
    source, target = pairs[10]
    result = command("translate", marian, source, "--attention", path)
    assert result.code == 0 and result.out == f"{target}\n"
    views = views_of(path.read_text("utf8"))
    assert list(views) == ["encoder and decoder", "encoder", "decoder"]
    tokenizer = AutoTokenizer.from_pretrained(marian)
    model = AutoModelForSeq2SeqLM.from_pretrained(marian, attn_implementation="eager")
    read = tokenizer(source)["input_ids"]
    written = tokenizer(text_target=target)["input_ids"]
    start = model.config.decoder_start_token_id
    output = model(
        input_ids=torch.tensor([read]),
        decoder_input_ids=torch.tensor([[start, *written[:-1]]]),
        output_attentions=True,
    )
    wanted = {
        "encoder and decoder": (written, read, output.cross_attentions),
        "encoder": (read, read, output.encoder_attentions),
        "decoder": (written, [start, *written[:-1]], output.decoder_attentions),
    }
    for name, (rows, columns, attentions) in wanted.items():
        view = views[name]
        assert view["rows"] == tokenizer.convert_ids_to_tokens(rows)
        assert view["columns"] == tokenizer.convert_ids_to_tokens(columns)
        weights = torch.tensor(view["weights"]) / 1000
        assert weights.shape == (1, 4, len(rows), len(columns))
        assert torch.allclose(weights, torch.stack(attentions)[:, 0], atol=0.002)
        assert view["causal"] == (name == "decoder")
    masked = torch.tensor(views["decoder"]["weights"]).triu(1)
    assert not masked.any()


def test_other_families_have_a_page_too(command, translators, tmp_path):
    languages = ("--from", "fr", "--to", "en")
    families = {"m2m100": languages, "t5": ("--prefix", ""), "bert2bert": ()}
    for family, options in families.items():
        path = tmp_path / f"{family}.html"
        result = command("translate", translators[family], "Le chat", *options, "--attention", path)
        assert result.code == 0, result.err
        for view in views_of(path.read_text("utf8")).values():
            weights = torch.tensor(view["weights"][0])
            assert weights.shape[1:] == (len(view["rows"]), len(view["columns"]))
            assert (weights.sum(-1) - 1000).abs().max() <= len(view["columns"])


def test_the_page_is_bounded(command, marian, tmp_path):
    path = tmp_path / "attention.html"
    result = command("translate", marian, "mot " * 80, "--attention", path)
    assert result.code == 1 and "--attention: the text has" in result.line
    assert not path.exists()


def test_a_reader_chooses_what_to_see(page, command, marian, pairs, tmp_path):
    path = tmp_path / "attention.html"
    source, target = pairs[10]
    assert command("translate", marian, source, "--attention", path).code == 0
    page.goto(path.as_uri())
    assert page.get_by_text(source, exact=True).is_visible()
    assert page.get_by_text(target, exact=True).is_visible()
    views = json.loads(page.locator("#data").text_content())
    for place, view in enumerate(views):
        page.select_option("#view", index=place)
        rows, columns = len(view["rows"]), len(view["columns"])
        assert page.locator("#map td").count() == 1 + rows * columns
        assert page.get_by_text(view["about"], exact=True).is_visible()
        masked = rows * (rows - 1) // 2 if view["causal"] else 0
        assert page.locator(".masked").count() == masked
    page.locator("#map td").nth(2).hover()
    wanted = f"{views[2]['rows'][0]} → {views[2]['columns'][1]}: masked"
    assert page.get_by_text(wanted, exact=True).is_visible()
