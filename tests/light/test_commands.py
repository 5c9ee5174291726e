"""The command `to-onnx`, and wheels for ONNX Runtime."""

import re
import shutil
import zipfile

import pytest
import spacy
import srsly

from scripts import evaluate, package, report
from scripts.common.errors import UserError
from scripts.common.weights import weights_hash
from scripts.to_onnx import to_onnx
from scripts.wheel.bundle import ONNX, TORCH, bundle, in_order

from ..conftest import sample_words
from ..scale.reading import check_annotation
from ..small import small_pipeline


def test_its_costs_are_printed_and_it_has_scores_and_a_page(command, joint, few_corpora, tmp_path):
    corpora = ("--corpus", few_corpora / "ner", "--corpus", few_corpora / "textcat")
    output, metrics = tmp_path / "out", tmp_path / "m.json"
    result = command(
        "to-onnx", joint, output, *corpora, "--precision", "float32", "--max-loss", 0.01
    )
    assert result.code == 0, result.err
    rows = [line.split() for line in result.out.splitlines() if " test  " in line]
    assert [row[:3] for row in rows] == [["ner,", "test", "30"], ["textcat,", "test", "30"]]
    assert all("+0.0000" in row and "100.0%" in row for row in rows)
    assert spacy.load(output / "model-best").pipe_names == ["transformer", "ner", "textcat"]
    result = command(evaluate, output, few_corpora / "textcat", metrics)
    assert result.code == 0, result.err
    assert "threads, float32)" in " ".join(result.out.split())
    page = command(report, output, few_corpora / "textcat", metrics, tmp_path / "p.html")
    assert page.code == 0, page.err
    refused = command(evaluate, output, few_corpora / "ner", metrics, "--precision", "bfloat16")
    assert refused.code == 1 and "this pipeline was made in float32; `to-onnx`" in refused.line


@pytest.mark.parametrize("form", ["torch", "float32", "int8"])
def test_corpora_are_annotated_with_it(command, joint, light, tmp_path, form):
    pipeline = joint if form == "torch" else light / form
    options = ("--processes", 2) if form == "int8" else ()
    assert check_annotation(
        command, pipeline / "model-best", sample_words()[:50], tmp_path, *options
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (["--precision", "int4"], "--precision int4: expected one of int8, int8-fastest, float32."),
        (["--corpus", "nowhere"], "nowhere/dev.spacy"),
    ],
)
def test_it_refuses_in_one_line_and_writes_nothing(
    command,
    joint,
    few_corpora,
    tmp_path,
    options,
    message,
):
    corpora = [] if "--corpus" in options else ["--corpus", few_corpora / "ner"]
    result = command("to-onnx", joint, tmp_path / "out", *corpora, *options)
    assert result.code == 1 and message in result.line
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_too_high_is_refused(joint, few_corpora, tmp_path):
    with pytest.raises(UserError, match=r"on ner it may lose .* more than --max-loss -1; choose"):
        to_onnx(str(joint), tmp_path / "out", [few_corpora / "ner"], "int8-fastest", -1)
    assert not (tmp_path / "out").exists()


def test_a_pipeline_without_an_encoder_is_refused(command, sample_corpora, tmp_path):
    small_pipeline(sample_corpora, "ner", epochs=1, examples=50).to_disk(tmp_path / "small")
    corpus = ("--corpus", sample_corpora / "ner")
    result = command("to-onnx", tmp_path / "small", tmp_path / "out", *corpus)
    assert result.code == 1 and "no Hugging Face encoder among its components, ner" in result.line
    result = command("to-onnx", tmp_path / "out", tmp_path / "out", *corpus)
    assert result.code == 1 and "no trained pipeline found" in result.line


def test_a_wheel_without_torch(command, joint, few_corpora, tmp_path):
    """It is tried where only what it requires can be imported."""
    metrics = tmp_path / "fr_tiny_trf.json"
    assert command(evaluate, joint, few_corpora / "ner", metrics).code == 0
    result = command(
        package, joint, metrics, tmp_path / "packages", "--runtime", "onnx", "--max-loss", 1,
        "--corpus", few_corpora / "ner",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "with only the packages that it requires" in " ".join(result.out.split())
    wheel = tmp_path / "packages" / "fr_tiny_onnx-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        meta = srsly.json_loads(archive.read("fr_tiny_onnx/meta.json"))
        code = archive.read("fr_tiny_onnx/components.py").decode()
        modules = [name for name in archive.namelist() if name.endswith(".py")]
    assert [line.split(">")[0] for line in meta["requirements"]] == [
        "onnxruntime",
        "tokenizers",
        "spacy",
    ]
    imported = {line.split()[1] for line in code.splitlines() if re.match("(import|from) ", line)}
    assert not {"torch", "transformers", "spacy_transformers", "spacy_alignments"} & imported
    assert modules == ["fr_tiny_onnx/__init__.py", "fr_tiny_onnx/components.py"]
    assert "for ONNX Runtime in int8" in meta["description"]
    (cost,) = meta["onnx"]["cost"]
    assert meta["performance"]["ents_f"] == pytest.approx(cost["after"])


def test_a_pipeline_does_not_replace_the_one_it_is_made_from(command, joint, few_corpora, tmp_path):
    corpus = ("--corpus", few_corpora / "ner")
    before = weights_hash(spacy.load(joint / "model-best"))
    for pipeline in (joint, joint / "model-best"):
        result = command("to-onnx", pipeline, joint, *corpus)
        assert result.code == 1 and "itself; name another folder." in result.line
    text = tmp_path / "raw.txt"
    text.write_text("Lens bat Nice.\n", "utf8")
    result = command("distill", joint, text, joint, *corpus)
    assert result.code == 1 and "itself; name another folder." in result.line
    assert weights_hash(spacy.load(joint / "model-best")) == before


def test_a_damaged_model_is_reported(command, light, few_corpora, tmp_path):
    for number, keep in enumerate((0, 1000, 5000)):
        broken = tmp_path / f"broken{number}"
        shutil.copytree(light / "int8", broken)
        path = broken / "model-best" / "transformer" / "model.onnx"
        path.write_bytes(path.read_bytes()[:keep])
        result = command(evaluate, broken, few_corpora / "ner", tmp_path / "m.json")
        assert result.code == 1 and "the pipeline is damaged" in result.line
    assert not (tmp_path / "m.json").exists()


def test_metrics_that_do_not_fit_are_refused_before_anything_is_converted(
    command, joint, few_corpora, tmp_path
):
    metrics, output = tmp_path / "fr_tiny_trf.json", tmp_path / "out"
    corpus = few_corpora / "ner"
    assert command(evaluate, joint, corpus, metrics, "--map", "MISC=OTHER").code == 0
    onnx = (output, "--runtime", "onnx", "--corpus")
    result = command(package, joint, metrics, *onnx, corpus)
    assert result.code == 1 and "test split with renamed labels: `evaluate` it" in result.line
    assert command(evaluate, joint, corpus, metrics).code == 0
    result = command(package, joint, metrics, *onnx, few_corpora / "textcat")
    assert result.code == 1 and "--corpus: ner, which the metrics are of, is needed" in result.line
    assert not output.exists()


@pytest.mark.parametrize("name", [TORCH, ONNX])
def test_one_file_defines_each_name_once(name):
    namespace, names = {}, []
    for line in bundle(name).splitlines():
        if line.startswith(("def ", "class ")):
            names.append(line.replace("(", " ").replace(":", " ").split()[1])
        assert not line.startswith("from .")
    assert len(names) == len(set(names)) and in_order(name)[-1] == name
    exec(compile(bundle(name), name, "exec"), namespace)
    assert set(names) <= set(namespace)


def test_the_command_and_the_option_of_package_name_the_same_precisions(command):
    assert "int8-fastest" in command("to-onnx", "--help").out
    assert "--runtime" in command("package", "--help").out
