"""Holding the 16-bit values that 4-bit weights stand for: the same numbers in every product, without unpacking them."""

from __future__ import annotations

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel


class HeldLinear(nn.Linear):
    """A 4-bit layer's values in its compute dtype; inputs and outputs are cast as `Linear4bit` casts them.

    Under autocast a normalisation hands on fp32. A plain linear layer would return bf16 then, `Linear4bit` returns
    fp32, and the adapter's share is added to that: without these casts the sums would be rounded elsewhere.
    """

    def __init__(self, layer: Linear4bit) -> None:
        state = layer.weight.quant_state
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        values: torch.Tensor = dequantize_4bit(layer.weight.data, state).to(layer.compute_dtype)
        self.weight = nn.Parameter(values, requires_grad=False)
        self.bias = layer.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The products, in the dtype of the inputs."""
        outputs: torch.Tensor = super().forward(inputs.to(self.weight.dtype))
        return outputs.to(inputs.dtype)


def hold_dequantized(model: PreTrainedModel) -> None:
    """Puts a `HeldLinear` in the place of every 4-bit layer, one after the other, and frees what each was made of.

    `is_loaded_in_4bit` stays as it is, so that PEFT, TRL and Accelerate treat the model as they treat a 4-bit one: it
    stands for the same numbers.
    """
    for path in [path for path, module in model.named_modules() if isinstance(module, Linear4bit)]:
        model.set_submodule(path, HeldLinear(model.get_submodule(path)))


def cast_as_4_bit(model: nn.Module) -> None:
    """Has adapters on `HeldLinear` cast their inputs only where those on 4-bit layers do: outside of CUDA's autocast.

    On a GPU, PEFT would otherwise make a copy of every input in the adapters' fp32, draw the dropout on that one, and
    have autocast cast it back: more memory and other random numbers. There the model cannot be run without autocast.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer) and isinstance(module.get_base_layer(), HeldLinear):
            module.cast_input_dtype_enabled = not module.get_base_layer().weight.is_cuda
