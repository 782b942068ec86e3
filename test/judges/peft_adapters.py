"""Writes an adapter with PEFT itself for each base model, for Secateur to read.

    python peft_adapters.py QUESTIONS.json VERDICTS.json
"""
import torch
from peft import LoraConfig, get_peft_model

from common import load_model, run


def write(question):
    model = load_model(question["base"]).float()
    modules = sorted({name.split(".")[-1] for name, _ in model.named_modules() if name.endswith("_proj")})
    config = LoraConfig(r=4, lora_alpha=12, target_modules=modules, task_type="CAUSAL_LM", use_rslora=True)
    adapted = get_peft_model(model, config)
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                spread = 0.5 / parameter.shape[1] ** 0.5 if "lora_A" in name else 0.1
                parameter.copy_(spread * torch.randn(parameter.shape, generator=random))
    adapted.save_pretrained(question["adapter"])
    return {}


if __name__ == "__main__":
    run(write, ["peft"])
