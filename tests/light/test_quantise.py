"""What is quantised, and by how much it changes the output."""

import numpy
import onnx
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from scripts.common.errors import UserError
from scripts.light.onnx_model import to_onnx
from scripts.light.quantise import (
    PAIR_STEPS,
    Plan,
    Quantiser,
    products,
    quantise_columns,
    quantised,
    smoothing,
)

from ..families import new_encoder

TEXTS = ["Marie Curie vit à Paris.", "Lens bat Nice.", "Un long texte. " * 30, "x"]


@pytest.fixture(scope="module")
def quantiser(distilbert) -> Quantiser:
    model = AutoModel.from_pretrained(distilbert)
    # A channel that is far larger than the others, as in trained encoders.
    model.transformer.layer[0].output_layer_norm.weight.data[3] *= 30
    return Quantiser(to_onnx(model, AutoTokenizer.from_pretrained(distilbert), "tiny"), TEXTS)


def test_no_processor_saturates():
    """vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits."""
    random = numpy.random.default_rng(0)
    matrix = random.standard_normal((65, 40)) * random.exponential(size=40)
    matrix[10:12, 0] = 9
    weights, scale = quantise_columns(matrix)
    assert weights.dtype == numpy.int8
    size = numpy.abs(numpy.vstack([weights, weights[:1] * 0]).astype(int))
    assert (size[::2] + size[1::2]).max() <= PAIR_STEPS
    assert 255 * PAIR_STEPS <= 2**15
    # Half a step is all that rounding changes.
    assert (numpy.abs(weights * scale - matrix) <= scale / 2 + 1e-6).all()
    zero, _ = quantise_columns(numpy.zeros((4, 3)))
    assert not zero.any()


def test_smoothing_leaves_the_product_as_it_is():
    random = numpy.random.default_rng(0)
    values, matrix = random.standard_normal((50, 8)), random.standard_normal((8, 5))
    values[:, 2] *= 40
    scale = smoothing(numpy.abs(values).max(axis=0), [matrix], 0.7)
    assert numpy.allclose(values / scale @ (matrix * scale[:, None]), values @ matrix, atol=1e-4)
    assert scale.argmax() == 2


def test_the_largest_channels_cost_less_when_smoothed(quantiser):
    ones = {name: numpy.ones_like(size) for name, size in quantiser.magnitudes.items()}
    best = quantiser.best_plan(rows=True)
    assert quantiser.error(best) < 0.5 * quantiser.error(Plan(ones, 0.0, rows=False))
    assert quantiser.error(best) <= quantiser.error(best._replace(alpha=0.5))


def test_what_costs_most_stays_in_float32_first(quantiser):
    plan = quantiser.best_plan(rows=True)
    worst = quantiser.worst_first(plan)
    assert len(worst) == 8
    errors = [
        quantiser.error(plan._replace(kept=frozenset(names)))
        for names in ((), worst[:1], worst[-1:], worst)
    ]
    assert errors[1] < min(errors[0], errors[2])
    # All kept: only the embeddings, if their table is large, are quantised.
    assert errors[3] < 1e-3


def test_the_model_is_smaller_and_its_matrices_are_bytes(quantiser):
    exact = quantiser.model.model
    small = quantised(exact, quantiser.best_plan(rows=False))
    graph = onnx.load_from_string(small).graph
    assert products(onnx.load_from_string(exact).graph) and not products(graph)
    assert len(small) < len(exact)
    kept = [tensor for tensor in graph.initializer if len(tensor.dims) == 2]
    assert {tensor.data_type for tensor in kept} >= {onnx.TensorProto.INT8}


@pytest.mark.parametrize("kind", ["albert", "camembert", "deberta-v2", "modernbert"])
def test_other_families(kind, distilbert, camembert):
    pieces = AutoTokenizer.from_pretrained(camembert if kind == "camembert" else distilbert)
    model = AutoModel.from_pretrained(camembert) if kind == "camembert" else new_encoder(kind)
    model = model.eval()
    if kind not in ("camembert",):
        pieces.model_input_names = ["input_ids", "attention_mask"]
    light = to_onnx(model, pieces, kind)
    rows = light.tokenizer.encode(TEXTS)
    for index, output in enumerate(light.run(rows)):
        with torch.inference_mode():
            exact = model(input_ids=torch.tensor([rows[index].ids]))[0][0].numpy()
        assert numpy.allclose(output, exact, atol=1e-5)
    quantiser = Quantiser(light, TEXTS)
    assert quantiser.error(quantiser.best_plan(rows=True)) < 0.1


def test_an_encoder_that_torch_cannot_export_is_refused(distilbert):
    pieces = AutoTokenizer.from_pretrained(distilbert)
    with pytest.raises(UserError, match="mine: torch cannot export XLNetModel to ONNX"):
        to_onnx(new_encoder("xlnet").eval(), pieces, "mine")
