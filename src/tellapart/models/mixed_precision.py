"""Mixed precision: layers compute in bfloat16 during training, with weights in float32."""

import keras

from tellapart.models.freezing import leaf_layers

FLOAT32_LAYERS = ("logits", "scaling", "to_float")
"""Layers that always compute in float32: the loss needs exact logits, and 255 grey levels need more than 8 bits."""


def set_mixed_precision(network: keras.Model, *, mixed: bool) -> None:
    """Set the layers of a network to compute in bfloat16, or back to float32. Weights are not changed.

    Source: Micikevicius et al. 2018; bfloat16 has float32's range, so no loss is scaled.
    """
    for layer in leaf_layers(network):
        if layer.name not in FLOAT32_LAYERS:
            layer.dtype_policy = "mixed_bfloat16" if mixed else "float32"
