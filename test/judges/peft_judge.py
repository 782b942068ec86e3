"""Loads adapters with PEFT onto their base model: do logits and gradients agree with Secateur's?

    python peft_judge.py QUESTIONS.json VERDICTS.json
"""
import re

import torch
from peft import PeftModel

from common import answers_of, load_model, run, worst_difference

PARTS = {
    "q_proj": ["q"], "k_proj": ["k"], "v_proj": ["v"], "o_proj": ["o"], "gate_proj": ["gate"], "up_proj": ["up"],
    "down_proj": ["down"], "qkv_proj": ["q", "k", "v"], "gate_up_proj": ["gate", "up"],
}
LORA = re.compile(r"layers\.(\d+)\.\w+\.(\w+)\.lora_([AB])\.default\.weight$")


def gradients_differ_by(model, answers):
    """Worst difference over every A and B."""
    worst, seen = 0.0, 0
    for name, parameter in model.named_parameters():
        found = LORA.search(name)
        if not found:
            continue
        layer, module, half = found.groups()
        parts = [answers[f"gradients.layers.{layer}.{part}.{half.lower()}"] for part in PARTS[module]]
        # Layers that are stored as one module share its A, and have rows of its B.
        ours = sum(parts) if half == "A" else torch.cat(parts)
        worst = max(worst, worst_difference(ours, parameter.grad))
        seen += len(parts)
    assert seen == sum(name.startswith("gradients.") for name in answers), "PEFT loaded another number of matrices"
    return worst


def judge(question):
    base = load_model(question["base"])
    model = PeftModel.from_pretrained(base, question["adapter"], is_trainable=True, autocast_adapter_dtype=False)
    model = model.double().eval()
    ids, targets = torch.tensor(question["ids"]), torch.tensor(question["targets"])
    logits = model(input_ids=ids, use_cache=False).logits
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1).backward()
    answers = answers_of(question)
    return {
        "logits": worst_difference(answers["logits"], logits.detach()),
        "gradients": gradients_differ_by(model, answers),
    }


if __name__ == "__main__":
    run(judge, ["peft", "transformers", "torch"])
