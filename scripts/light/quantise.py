"""Quantise an ONNX model to int8: its word embeddings, and its products with constant matrices.

onnxruntime's own quantize_dynamic has one scale for all activations of a batch, so that a few large
channels and tokens take the precision of all others, and a text's result depends on the texts beside
it. Of the demo's entities, 89 % of the sentences kept their result; with what is done here, 97 %.

- Smoothing (SmoothQuant, Xiao et al. 2023): channels that are large in a sample of texts are divided,
  and the rows of the matrix multiplied, so that the product is the same.
- A scale for each column of a matrix such that no two neighbouring rows reach the sum at which 16-bit
  accumulators saturate: a processor without VNNI computes what one with it does. The 7 bits of
  onnxruntime's `reduce_range` would do so too, and lose more.
- A scale for each row of the activations, symmetric, so that no text depends on another.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..wheel.session import OnnxModel

# Of embeddings, only tables with so many rows are worth it.
LARGE_TABLE = 1000
# Shares of the activations in the smoothing scale, of which the best is chosen by measuring.
ALPHAS = (0.5, 0.65, 0.8)
# The largest unsigned byte times this many steps of weights stays below 2 ** 15.
PAIR_STEPS = 128
STEPS = 127


class Product(NamedTuple):
    """Products of one input with constant matrices (query, key and value share theirs).

    source: the input's name. nodes: names of the MatMul nodes. matrices: those of the nodes.
    """

    source: str
    nodes: list[str]
    matrices: list[str]


class Plan(NamedTuple):
    """How to quantise: the magnitude of each channel of each input, the share of them in smoothing,
    whether each row of the activations has its own scale, and the inputs that stay in float32."""

    magnitudes: dict[str, numpy.ndarray]
    alpha: float
    rows: bool
    kept: frozenset[str] = frozenset()


def constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer}


def products(graph: onnx.GraphProto) -> list[Product]:
    """Return the products with constant matrices, in the order of the graph."""
    known, found = constants(graph), defaultdict(list)
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in known:
            found[node.input[0]].append(node)
    return [
        Product(source, [node.name for node in nodes], [node.input[1] for node in nodes])
        for source, nodes in found.items()
    ]


def run_session(content: bytes, outputs: Sequence[str] | None) -> Callable[[dict], list]:
    """Return a function that runs a model as it is, without fusing nodes."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(outputs, feed)


def magnitudes(content: bytes, feeds: Iterable[dict[str, Any]]) -> dict[str, numpy.ndarray]:
    """Return the largest absolute value of each channel of the products' inputs on some batches."""
    model = onnx.load_from_string(content)
    sources = [product.source for product in products(model.graph)]
    model.graph.output.extend(map(helper.make_empty_tensor_value_info, sources))
    run, found = run_session(model.SerializeToString(), sources), {}
    for feed in feeds:
        for source, values in zip(sources, run(feed)):
            largest = numpy.abs(values.reshape(-1, values.shape[-1])).max(axis=0)
            found[source] = numpy.maximum(found.get(source, 0), largest)
    return found


def smoothing(size: numpy.ndarray, matrices: list[numpy.ndarray], alpha: float) -> numpy.ndarray:
    """Return what the rows of the matrices are multiplied by, and the channels of their input divided.

    size: of the channels. Their geometric mean is 1.
    """
    rows = numpy.max([numpy.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    scale = numpy.maximum(size, 1e-5) ** alpha / numpy.maximum(rows, 1e-5) ** (1 - alpha)
    return (scale / numpy.exp(numpy.log(scale).mean())).astype("float32")


def quantise_columns(matrix: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return a matrix as int8 and the scale of each column, such that the absolute values of rows 2n and
    2n + 1 add up to PAIR_STEPS at most: x86's instructions add their products in 16 bits."""
    size = numpy.abs(matrix)
    if len(size) % 2:
        size = numpy.vstack([size, numpy.zeros_like(size[:1])])
    pairs = (size[::2] + size[1::2]).max(axis=0)
    # Less a step, which rounding of both can add.
    scale = numpy.maximum(size.max(axis=0) / STEPS, pairs / (PAIR_STEPS - 1))
    scale = numpy.where(scale > 0, scale, 1).astype("float32")
    return numpy.round(matrix / scale).astype("int8"), scale


class Rewriter:
    """Rewrites the nodes of a graph. Names of what it adds begin with that of what they replace."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph, self.known = graph, constants(graph)
        self.uses = Counter(name for node in graph.node for name in node.input)

    def constant(self, name: str, value: Any, kind: str | None = None) -> str:
        if name not in self.known:
            tensor = numpy_helper.from_array(numpy.asarray(value, kind), name)
            self.graph.initializer.append(tensor)
            self.known[name] = tensor
        return name

    def matrix(self, name: str) -> numpy.ndarray:
        return numpy_helper.to_array(self.known[name])

    def input_nodes(self, source: str, scale: numpy.ndarray | None, rows: bool) -> list:
        """Return the nodes that quantise the input of a product: to `source`/q, with /scale and /zero
        and, if each row has its own scale, with /rows to multiply the product by."""
        nodes, values = [], source
        if scale is not None:
            smooth = self.constant(f"{source}/smooth", 1 / scale)
            values = f"{source}/smoothed"
            nodes.append(helper.make_node("Mul", [source, smooth], [values]))
        out = [f"{source}/{part}" for part in ("q", "scale", "zero")]
        if not rows:
            return [*nodes, helper.make_node("DynamicQuantizeLinear", [values], out)]
        size, largest, some, ones = (
            f"{source}/{part}" for part in ("size", "largest", "rows", "ones")
        )
        last = self.constant("last axis", [-1], "int64")
        tiny = self.constant("tiny", 1e-9, "float32")
        self.constant(out[1], 1 / STEPS, "float32")
        self.constant(out[2], STEPS + 1, "uint8")
        return [
            *nodes,
            helper.make_node("Abs", [values], [size]),
            helper.make_node("ReduceMax", [size, last], [largest], keepdims=1),
            helper.make_node("Add", [largest, tiny], [some]),
            helper.make_node("Div", [values, some], [ones]),
            helper.make_node("QuantizeLinear", [ones, *out[1:]], [out[0]]),
        ]

    def product_nodes(
        self, source: str, node: onnx.NodeProto, scale: numpy.ndarray | None, rows: bool
    ) -> list:
        """Return the nodes that replace a product."""
        name = node.input[1] if scale is None else node.name
        if f"{name}/q" not in self.known:
            matrix = self.matrix(node.input[1])
            if scale is not None:
                matrix = matrix * scale[:, None]
            weights, columns = quantise_columns(matrix)
            self.constant(f"{name}/q", weights)
            self.constant(f"{name}/columns", columns)
            self.constant(f"{name}/zeros", numpy.zeros(len(columns), "int8"))
        inputs = [
            f"{source}/q", f"{name}/q", f"{source}/scale", f"{name}/columns", f"{source}/zero",
            f"{name}/zeros",
        ]  # fmt: skip
        result = f"{node.output[0]}/of rows" if rows else node.output[0]
        # What onnxruntime makes of MatMulInteger, Cast and Mul where it recognises them.
        made = [helper.make_node("MatMulIntegerToFloat", inputs, [result], domain="com.microsoft")]
        if rows:
            made.append(helper.make_node("Mul", [result, f"{source}/rows"], [node.output[0]]))
        return made

    def embedding_nodes(self, node: onnx.NodeProto) -> list:
        """Return the nodes that replace a look-up in a large table: int8, each row with its scale."""
        table = node.input[0]
        if f"{table}/q" not in self.known:
            values = self.matrix(table)
            scale = numpy.abs(values).max(axis=1, keepdims=True) / STEPS
            scale = numpy.where(scale > 0, scale, 1).astype("float32")
            self.constant(f"{table}/q", numpy.round(values / scale).astype("int8"))
            self.constant(f"{table}/scale", scale)
        out = node.output[0]
        return [
            helper.make_node("Gather", [f"{table}/q", node.input[1]], [f"{out}/q"], axis=0),
            helper.make_node("Cast", [f"{out}/q"], [f"{out}/float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{table}/scale", node.input[1]], [f"{out}/scale"], axis=0),
            helper.make_node("Mul", [f"{out}/float", f"{out}/scale"], [out]),
        ]

    def is_large_table(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Gather" or node.input[0] not in self.known:
            return False
        shape = self.known[node.input[0]].dims
        return len(shape) == 2 and shape[0] >= LARGE_TABLE

    def finish(self, nodes: list[onnx.NodeProto]) -> None:
        """Replace the graph's nodes, and drop the constants that none of them uses."""
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)


def quantised(content: bytes, plan: Plan) -> bytes:
    """Return a model, in ONNX's format, with int8 products and word embeddings."""
    model = onnx.load_from_string(content)
    graph, rewriter = model.graph, Rewriter(model.graph)
    replaced: dict[str, list] = {}
    by_name = {node.name: node for node in graph.node}
    for product in products(graph):
        if product.source in plan.kept:
            continue
        # A matrix that several layers share (ALBERT) cannot be smoothed for each.
        scale = None
        if all(rewriter.uses[name] == 1 for name in product.matrices):
            matrices = [rewriter.matrix(name) for name in product.matrices]
            scale = smoothing(plan.magnitudes[product.source], matrices, plan.alpha)
        first = rewriter.input_nodes(product.source, scale, plan.rows)
        for name in product.nodes:
            nodes = rewriter.product_nodes(product.source, by_name[name], scale, plan.rows)
            replaced[name] = [*first, *nodes]
            first = []
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in replaced:
            nodes += replaced[node.name]
        elif rewriter.is_large_table(node):
            nodes += rewriter.embedding_nodes(node)
        else:
            nodes.append(node)
    rewriter.finish(nodes)
    if all(opset.domain != "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model.SerializeToString()


def error(content: bytes, feeds: list[dict[str, Any]], exact: list[numpy.ndarray]) -> float:
    """Return how far a model's output is from the exact one: the norm of the difference over that of
    the exact output, of pieces that are not padding."""
    run, different, whole = run_session(content, None), 0.0, 0.0
    for feed, expected in zip(feeds, exact):
        real = feed["attention_mask"].astype(bool)
        if expected.ndim == 2:
            real = slice(None)
        different += float(((run(feed)[0] - expected)[real] ** 2).sum())
        whole += float((expected[real] ** 2).sum())
    return (different / whole) ** 0.5


class Quantiser:
    """Quantises a model, and measures on a sample of texts what that does to its output.

    feeds: batches of the sample.
    """

    def __init__(self, model: OnnxModel, texts: Sequence[str]) -> None:
        self.model = model
        self.feeds = [feed for _, feed in model.batches(model.tokenizer.encode(texts))]
        self.exact = [run_session(model.model, None)(feed)[0] for feed in self.feeds]
        self.magnitudes = magnitudes(model.model, self.feeds)

    def error(self, plan: Plan, batches: slice = slice(None)) -> float:
        """Return how far the output is from the exact one, on some of the sample's batches."""
        content = quantised(self.model.model, plan)
        return error(content, self.feeds[batches], self.exact[batches])

    def best_plan(self, rows: bool) -> Plan:
        """Return the plan with the share of smoothing that changes the output least."""
        plans = [Plan(self.magnitudes, alpha, rows) for alpha in ALPHAS]
        return min(plans, key=self.error)

    def worst_first(self, plan: Plan) -> list[str]:
        """Return the inputs of products, first those whose quantisation alone changes the output most."""
        graph = onnx.load_from_string(self.model.model).graph
        sources = [product.source for product in products(graph)]
        # A batch of texts of medium length: there is one model for each input to build and to run.
        middle = len(self.feeds) // 2
        batch = slice(middle, middle + 1)
        alone = {
            source: self.error(plan._replace(kept=frozenset(sources) - {source}), batch)
            for source in sources
        }
        return sorted(sources, key=alone.__getitem__, reverse=True)

    def apply(self, plan: Plan) -> OnnxModel:
        return self.model.with_model(quantised(self.model.model, plan), "int8")
