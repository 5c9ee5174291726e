"""The commands inspect and fill-mask on tiny checkpoints."""

import json
import re
import shutil

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    pipeline,
)

from scripts.encoders import fill_mask, inspect

TEXT = "L'Express paraît à Paris."
ENCODERS = ["distilbert", "camembert"]


def report(command, *arguments) -> dict:
    result = command(inspect, *arguments, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize("name", ENCODERS)
def test_pieces_are_aligned_with_tokens(command, request, name):
    folder = request.getfixturevalue(name)
    found = report(command, folder, TEXT)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert [piece["id"] for piece in found["pieces"]] == tokenizer(TEXT)["input_ids"]
    inner = [piece for piece in found["pieces"] if not piece["special"]]
    assert [piece["special"] for piece in found["pieces"]].count(True) == 2
    assert all(TEXT[piece["start"] : piece["end"]] == piece["text"] for piece in inner)
    # The pieces cover all of the text but its spaces.
    assert "".join(piece["text"] for piece in inner).replace(" ", "") == TEXT.replace(" ", "")
    for piece in inner:
        assert piece["misaligned"] or len(piece["tokens"]) == 1


def test_a_piece_that_includes_the_space_before_it_is_marked(command, camembert):
    """As with CamemBERT's own pre-tokenizer: spaCy aligns such a piece with two tokens."""
    found = report(command, camembert, TEXT)
    assert found["misaligned"] == sum(piece["text"].startswith(" ") for piece in found["pieces"])
    result = command(inspect, camembert, TEXT)
    assert result.out.count("✘ misaligned") == found["misaligned"]


@pytest.mark.parametrize("name", ENCODERS)
def test_shapes_and_parameters(command, request, name):
    folder = request.getfixturevalue(name)
    found = report(command, folder, TEXT)
    n = len(found["pieces"])
    assert found["last_hidden_state"] == [1, n, 32]
    assert found["hidden_states"] == [3, 1, n, 32]
    assert found["attentions"] == [2, 1, 2, n, n]
    model = AutoModel.from_pretrained(folder)
    assert sum(found["parameters"].values()) == model.num_parameters()
    assert found["parameters"]["layer 1"] == found["parameters"]["layer 2"]
    assert found["parameters"]["embeddings"] == sum(
        p.numel() for name, p in model.named_parameters() if name.startswith("embeddings.")
    )


def test_similarity_by_layer(command, distilbert):
    found = report(command, distilbert, TEXT, "--compare", TEXT)
    assert found["similarity"] == pytest.approx([1.0] * 3, abs=1e-5)
    # Padding is ignored: the mean of the shorter sentence is the same as on its own.
    other = "Lens."
    found = report(command, distilbert, TEXT, "--compare", other)
    tokenizer, model = (
        AutoTokenizer.from_pretrained(distilbert),
        AutoModel.from_pretrained(distilbert),
    )
    with torch.no_grad():
        states = [
            model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
            for text in (TEXT, other)
        ]
    wanted = [torch.cosine_similarity(a.mean(1), b.mean(1)).item() for a, b in zip(*states)]
    assert found["similarity"] == pytest.approx(wanted, abs=1e-4)
    out = command(inspect, distilbert, TEXT, "--compare", other).out
    assert "layer 2" in out and f"{wanted[2]:.3f}" in out


def test_attention_page(command, distilbert, tmp_path):
    text = "</script><b>Paris</b>"
    page = tmp_path / "attention.html"
    assert command(inspect, distilbert, text, "--attention", page).code == 0
    html = page.read_text(encoding="utf8")
    assert html.count("</script>") == 2 and "http" not in html.replace("https://", "")
    (view,) = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    weights = torch.tensor(view["weights"]) / 1000
    n = len(view["rows"])
    assert view["rows"] == view["columns"]
    assert weights.shape == (2, 2, n, n)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 2, n), atol=n * 0.0006)


def test_attention_page_in_a_browser(page, command, distilbert, tmp_path):
    """Choose a layer and a head, and hover over a cell, as a reader would."""
    path = tmp_path / "attention.html"
    assert command(inspect, distilbert, TEXT, "--attention", path).code == 0
    page.goto(path.as_uri())
    # By position: playwright takes a text for a value or a label, and both are numbers here.
    page.select_option("#layer", index=2)
    page.select_option("#head", index=1)
    (view,) = json.loads(page.locator("#data").text_content())
    pieces, n = view["rows"], len(view["rows"])
    # The corner cell, and one for each pair of pieces.
    cells = page.locator("#map td")
    assert cells.count() == 1 + n * n
    cells.nth(5).hover()
    value = view["weights"][1][0][4 // n][4 % n] / 1000
    wanted = f"{pieces[0]} → {pieces[4]}: {value:.3f}"
    assert page.get_by_text(wanted, exact=True).is_visible()
    assert page.locator(".lit").count() == 2
    # One kind of attention is nothing to choose from.
    assert not page.locator("#view").is_visible()
    assert page.locator("#layer option").count() == page.locator("#head option").count() == 3


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("gap", fill_mask.GAPS)
def test_gaps_are_filled_as_by_transformers(command, masked, name, gap):
    text = f"Paris est {gap} de la France."
    result = command(fill_mask, masked[name], text, "--top", 4, "--json")
    assert result.code == 0, result.err
    (found,) = json.loads(result.out)["gaps"]
    reference = pipeline("fill-mask", str(masked[name]), top_k=4)
    wanted = reference(text.replace(gap, reference.tokenizer.mask_token))
    assert [item["id"] for item in found] == [item["token"] for item in wanted]
    scores = [item["score"] for item in wanted]
    assert [item["probability"] for item in found] == pytest.approx(scores, rel=1e-4)


def test_several_gaps_in_a_table(command, masked):
    result = command(fill_mask, masked["distilbert"], "[MASK] est à [MASK].", "--top", 2)
    assert result.code == 0 and "gap 1" in result.out and "gap 2" in result.out
    assert len(re.findall(r"0\.\d{4}", result.out)) == 4


@pytest.mark.parametrize(
    "module, text, options, message",
    [
        (inspect, "  ", (), "the text is empty"),
        (inspect, "mot " * 600, (), "pieces, but the encoder accepts 512"),
        (inspect, "mot", ("--lang", "zz"), "--lang 'zz'"),
        (inspect, "mot " * 80, ("--attention", "out/a.html"), "the page is readable only up to 64"),
        (fill_mask, "Paris.", (), "no gap in 'Paris.': write [MASK]"),
        (fill_mask, "Paris [MASK].", (), "it was saved without them"),
    ],
)
def test_mistakes(
    command, distilbert, masked, tmp_path, monkeypatch, module, text, options, message
):
    monkeypatch.chdir(tmp_path)
    folder = masked["distilbert"] if message.startswith("no gap") else distilbert
    result = command(module, folder, text, *options)
    assert result.code == 1 and message in result.line
    assert "Traceback" not in result.out + result.err
    assert not list(tmp_path.iterdir())


def test_code_in_a_checkpoint_is_never_run(command, distilbert, tmp_path):
    folder = tmp_path / "encoder"
    shutil.copytree(distilbert, folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "custom"
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    proof = tmp_path / "proof"
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w')\n")
    result = command(inspect, folder, "mot")
    assert result.code == 1 and "not a complete checkpoint" in result.line
    assert not proof.exists()
