"""The per-frame network as a graph that says itself what it computes in: the form all GPU engines are built from.

TensorRT 11 obeys the types of the graph and has no flag for precision, AOTInductor neither, so the casts are in the
graph. Matrix products of activations, linear layers and convolutions, which are all of the cost, take and give the low
precision. Everything else keeps the type of what comes in, and fp32 wins where two meet. Islands of fp32 are what
overflows or cancels in 10 bits (layer norm, softmax, logarithms, quotients, means over many values), the sigmoids, and
convolutions of few outputs and products with constants: those are the crop's colours, the resampling and the answer
itself, and cost nothing.

Whatever depends on weights alone is computed here, once: batch norms go into convolutions, casts of weights away.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any, Literal

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engines.feed import inputs
from engines.retouchgpt.layers import ConvNorm, Residual
from engines.retouchgpt.model import RetouchGPT
from engines.retouchgpt.serving import ServingModel

Precision = Literal["fp16", "bf16", "f32"]
LOW: dict[Precision, torch.dtype | None] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": None,
}
"""What the heavy operators compute in; None where nothing is lower than fp32."""
FEWEST_OUTPUTS = 16
"""A convolution of fewer output channels costs nothing."""
CANARY = 1e-30
"""So much of the sum of the edit is added to the skin luma: less than any step of fp32, but NaN stays NaN."""

_ATEN = torch.ops.aten
_CAST = _ATEN._to_copy.default
_PRODUCTS = frozenset({_ATEN.matmul.default, _ATEN.bmm.default})
_HEAVY = _PRODUCTS | {_ATEN.linear.default, _ATEN.conv2d.default, _ATEN.conv2d.padding}
_ISLANDS = frozenset(
    {
        _ATEN.layer_norm.default,
        _ATEN.softmax.int,
        _ATEN.sigmoid.default,
        _ATEN.log.default,
        _ATEN.exp.default,
        _ATEN.div.Tensor,
        _ATEN.sum.default,
        _ATEN.sum.dim_IntList,
        _ATEN.avg_pool2d.default,
        _ATEN.gelu.default,
    }
)


class GpuModel(ServingModel):
    """The ServingModel as GPUs get it; arguments and answers as there.

    The crop is cast before anything else is done with it (TensorRT does nothing but cast with 8-bit tensors), and NaN
    anywhere in the answer makes the skin luma NaN, for in 8 bits it would pass for a number.
    """

    def __init__(self, model: RetouchGPT) -> None:
        super().__init__(model)
        _fold_norms(self.model)

    def forward(
        self,
        crops: torch.Tensor,
        requests: torch.Tensor,
        f_txt: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        gamma: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `ServingModel.forward`. The names are those of `engines.feed.inputs`: compiled engines keep them."""
        x_B3SS = crops.to(torch.float32).permute(0, 3, 1, 2)
        x_B6SS = torch.cat((x_B3SS, x_B3SS), 1)
        out = self.model.frame(x_B6SS, requests, f_txt, alpha, beta, gamma)
        codes, mask = self.whole(out)
        seen = codes.sum((1, 2, 3)) + mask.sum((1, 2))
        return _in_8_bits(codes), _in_8_bits(mask), out.skin_luma + CANARY * seen


def example(crop_size: int, batch: int, device: str = "cpu") -> tuple[torch.Tensor, ...]:
    """Zeros in the shapes of the network's inputs, B crops."""
    return tuple(
        torch.zeros(
            (batch, *shape[1:]),
            dtype=torch.uint8 if name == "crops" else torch.float32,
            device=device,
        )
        for name, shape in inputs(crop_size).items()
    )


def typed(
    model: RetouchGPT, precision: Precision, batch: int, device: str = "cpu"
) -> torch.export.ExportedProgram:
    """The network for exactly `batch` crops, its precision in the graph."""
    shapes = example(model.config.crop_size, batch, device)
    serving = GpuModel(model).eval().to(device)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporters about themselves
        graph: Any = torch.export.export(serving, shapes).module(check_guards=False)
        _plain_casts(graph)
        _fold_constants(graph)
        low = LOW[precision]
        if low is not None:
            _lower(graph, low)
            _fold_constants(graph)
        return torch.export.export(graph, shapes)


def _in_8_bits(whole: torch.Tensor) -> torch.Tensor:
    return torch.clamp(whole, 0.0, 255.0).to(torch.uint8)


def _fold_norms(model: nn.Module) -> None:
    """Puts each batch norm into the convolution before it, in place: between a convolution in fp16 and its ReLU a norm
    in fp32 would keep compilers from making one kernel of them."""
    for layer in model.modules():
        if isinstance(layer, ConvNorm) and isinstance(layer.norm, nn.BatchNorm2d):
            assert isinstance(layer.conv, nn.Conv2d)
            layer.conv, layer.norm = fuse_conv_bn_eval(layer.conv, layer.norm), nn.Identity()
        elif isinstance(layer, Residual) and isinstance(layer.norm, nn.BatchNorm2d):
            layer.second = fuse_conv_bn_eval(layer.second, layer.norm)
            # the attribute is declared as a norm; what runs there now does nothing
            setattr(layer, "norm", nn.Identity())  # noqa: B010


def _plain_casts(graph: GraphModule) -> None:
    """Takes away the assertions that come with each cast; not every compiler knows them."""
    for node in list(graph.graph.nodes):
        if node.target is _ATEN._assert_tensor_metadata.default:
            graph.graph.erase_node(node)
        elif node.target is _ATEN.to.dtype:
            node.target, node.kwargs = _CAST, {"dtype": node.args[1]}
            node.args = node.args[:1]
    graph.recompile()


def _lower(graph: GraphModule, low: torch.dtype) -> None:
    """Gives every operator's inputs the type it computes in."""
    kinds: dict[Node, torch.dtype] = {}
    for node in list(graph.graph.nodes):
        kind = _kind(node, kinds, graph)
        if kind is None:
            continue
        if node.op == "call_function" and node.target is not operator.getitem:
            kind = _wanted(node, kinds, low, graph)
            if kind is not None:
                _cast_inputs(graph, node, kind, kinds)
            kind = _given(node, kind)
        if kind is not None:
            kinds[node] = kind
    graph.graph.lint()
    graph.recompile()


def _kind(node: Node, kinds: dict[Node, torch.dtype], graph: GraphModule) -> torch.dtype | None:
    """The floating type of what a node gave before; None where it gives no floating tensor."""
    if node.op == "get_attr":
        value = _attribute(graph, str(node.target))
        return (
            value.dtype if isinstance(value, torch.Tensor) and value.is_floating_point() else None
        )
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.dtype
    return None


def _wanted(
    node: Node, kinds: dict[Node, torch.dtype], low: torch.dtype, graph: GraphModule
) -> torch.dtype | None:
    """What an operator computes in."""
    if node.target in _HEAVY:
        return torch.float32 if _costs_nothing(node, graph) else low
    if node.target in _ISLANDS:
        return torch.float32
    given = {kinds[each] for each in node.all_input_nodes if each in kinds}
    if not given:
        return None
    return given.pop() if len(given) == 1 else torch.float32


def _costs_nothing(node: Node, graph: GraphModule) -> bool:
    if node.target in _PRODUCTS:
        return any(each.op == "get_attr" for each in node.all_input_nodes)
    weight = node.args[1]
    assert isinstance(weight, Node)
    shape = _attribute(graph, str(weight.target)).shape
    return len(shape) == 4 and shape[0] < FEWEST_OUTPUTS


def _given(node: Node, computed: torch.dtype | None) -> torch.dtype | None:
    """What an operator gives that computes in that type: a cast gives what it says."""
    if node.target is _CAST:
        found: torch.dtype = node.meta["val"].dtype
        return found if found.is_floating_point else None
    return computed


def _cast_inputs(
    graph: GraphModule, node: Node, kind: torch.dtype, kinds: dict[Node, torch.dtype]
) -> None:
    with graph.graph.inserting_before(node):
        for each in node.all_input_nodes:
            if kinds.get(each, kind) != kind:
                cast = graph.graph.call_function(_CAST, (each,), {"dtype": kind})
                kinds[cast] = kind
                node.replace_input_with(each, cast)


def _fold_constants(graph: GraphModule) -> None:
    """Computes what depends on weights alone, and keeps it as one more of them."""
    known: dict[Node, torch.Tensor] = {}
    for node in list(graph.graph.nodes):
        if node.op == "get_attr":
            value = _attribute(graph, str(node.target))
            if isinstance(value, torch.Tensor):
                known[node] = value
        elif node.op == "call_function" and node.all_input_nodes:
            if all(each in known for each in node.all_input_nodes):
                args, kwargs = torch.fx.map_arg((node.args, node.kwargs), known.__getitem__)
                value = node.target(*args, **kwargs).detach()
                known[_kept(graph, node, value)] = value
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _kept(graph: GraphModule, node: Node, value: torch.Tensor) -> Node:
    """The constant that takes the node's place."""
    name = f"folded_{len(list(graph.buffers()))}"
    graph.register_buffer(name, value.clone(memory_format=torch.contiguous_format))
    with graph.graph.inserting_before(node):
        constant = graph.graph.get_attr(name)
    constant.meta["val"] = value
    node.replace_all_uses_with(constant)
    return constant


def _attribute(graph: GraphModule, path: str) -> Any:
    return operator.attrgetter(path)(graph)
