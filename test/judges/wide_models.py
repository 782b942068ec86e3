"""Writes models with random weights that are wide enough for every block format of GGUF, whose rows hold 256 weights.

    python wide_models.py QUESTIONS.json VERDICTS.json
"""
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import run

# llama.cpp knows Gemma 3 with every sixth layer global, and SmolLM3 with every fourth without positions.
LAYERS = {"gemma3_text": 7, "smollm3": 5}
SLIDING = {"gemma3_text": 16}


def widen(config):
    kind, layers = config.model_type, LAYERS.get(config.model_type, 3)
    config.update({
        "hidden_size": 256, "intermediate_size": 512, "head_dim": 64, "num_attention_heads": 4,
        "num_hidden_layers": layers, "vocab_size": 2048, "torch_dtype": "float32",
    })
    if config.num_key_value_heads != 4:
        config.num_key_value_heads = 2
    if getattr(config, "sliding_window", None):
        config.sliding_window = SLIDING.get(kind, 64)
    if kind == "gemma3_text":
        config.query_pre_attn_scalar = 64
        config.layer_types = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)]
    elif getattr(config, "layer_types", None):
        config.layer_types = ["full_attention"] * layers
    if kind == "smollm3":
        config.no_rope_layers = [int((i + 1) % 4 != 0) for i in range(layers)]
    return config


def write(question):
    config = widen(AutoConfig.from_pretrained(question["fixture"]))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    random = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if parameter.dim() == 2:
                parameter.copy_(noise * parameter.shape[1] ** -0.5 * (2 if "embed" in name or "head" in name else 1))
            else:
                # Norms stay near what they are, and biases near 0.
                parameter.add_(0.1 * noise)
    model.save_pretrained(question["folder"])
    return {}


if __name__ == "__main__":
    run(write, ["transformers"])
