"""Writes each base model with transformers itself and an adapter for it with PEFT itself, for Secateur to read.

    python writers.py QUESTIONS.json VERDICTS.json
"""
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from common import load_model, run


def write_adapter(model, folder):
    modules = sorted({name.split(".")[-1] for name, _ in model.named_modules() if name.endswith("_proj")})
    config = LoraConfig(r=4, lora_alpha=12, target_modules=modules, task_type="CAUSAL_LM", use_rslora=True)
    adapted = get_peft_model(model, config)
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                spread = 0.5 / parameter.shape[1] ** 0.5 if "lora_A" in name else 0.1
                parameter.copy_(spread * torch.randn(parameter.shape, generator=random))
    adapted.save_pretrained(folder)


def write(question):
    AutoModelForCausalLM.from_pretrained(question["base"], dtype="auto").save_pretrained(question["saved"])
    write_adapter(load_model(question["base"]).float(), question["adapter"])
    return {}


if __name__ == "__main__":
    run(write, ["peft"])
