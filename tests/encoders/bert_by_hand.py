"""BERT as METHODS 0.3 has it, written without transformers: text by text, head by head."""

import math

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(weights: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    variance = x.var(-1, unbiased=False, keepdim=True)
    scaled = (x - x.mean(-1, keepdim=True)) / (variance + eps).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(weights: Weights, name: str, x: Tensor, keys: Tensor, heads: int) -> Tensor:
    query, key, value = (linear(weights, f"{name}.{one}", x) for one in ("query", "key", "value"))
    width = x.shape[1] // heads
    read = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        logits = query[:, part] @ key[:, part].T / math.sqrt(width)
        read.append(logits.masked_fill(~keys, float("-inf")).softmax(-1) @ value[:, part])
    return torch.cat(read, 1)


def bert_by_hand(
    weights: Weights, x: Tensor, positions: list[int], keys: Tensor, heads: int
) -> Tensor:
    """Encode one sequence (places, width); ``keys`` (places,) says which places are seen."""
    table = {name.removeprefix("bert."): one for name, one in weights.items()}
    x = x + table["embeddings.position_embeddings.weight"][positions]
    x = x + table["embeddings.token_type_embeddings.weight"][0]
    x = norm(table, "embeddings.LayerNorm", x, 1e-12)
    layers = 1 + max(int(name.split(".")[2]) for name in table if name.startswith("encoder.layer"))
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        seen = attention(table, f"{name}.attention.self", x, keys, heads)
        x = x + linear(table, f"{name}.attention.output.dense", seen)
        x = norm(table, f"{name}.attention.output.LayerNorm", x, 1e-12)
        inner = functional.gelu(linear(table, f"{name}.intermediate.dense", x))
        x = norm(
            table,
            f"{name}.output.LayerNorm",
            x + linear(table, f"{name}.output.dense", inner),
            1e-12,
        )
    return x


def scrambled(module: torch.nn.Module) -> None:
    """Give every parameter, biases and norms too, a value worth testing with."""
    generator = torch.Generator().manual_seed(7)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.copy_(0.3 * noise + (parameter.data == 1))
