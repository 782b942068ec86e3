"""What a user would pick instead of Secateur: one training step of transformers with PEFT for every line on standard input.

    python3 test/bench/peft_step.py --checkpoint FOLDER --rows 4 --length 256 --threads 2 --mode step

The checkpoint is loaded in float32, the type in which processors without 16-bit arithmetic compute. LoRA of rank 8 on all
linear layers, AdamW over it, gradients clipped to 1. Modes:

    step                one training step, all activations kept
    step-checkpointing  the same with gradient checkpointing around every block
    forward             logits only, no gradients

It first prints {"ready": true, ...}, then answers every line "run" with {"seconds", "tokens", "peakBytes"}; peakBytes is the
largest resident memory since the worker was ready, weights and PyTorch included.
"""
import argparse

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from torch_step import answer_lines


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    for name in ("rows", "length", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--mode", choices=("step", "step-checkpointing", "forward"), required=True)
    return parser.parse_args()


def adapted(options):
    model = AutoModelForCausalLM.from_pretrained(options.checkpoint, dtype=torch.float32)
    model.config.use_cache = False
    if options.mode == "step-checkpointing":
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    return get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear"))


def train_step(model, trained, optimiser, ids):
    optimiser.zero_grad()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    return loss.item()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = adapted(options)
    model.train(options.mode != "forward")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    ids = torch.randint(model.config.vocab_size, (options.rows, options.length))

    def work():
        if options.mode == "forward":
            with torch.no_grad():
                model(input_ids=ids)
        else:
            train_step(model, trained, optimiser, ids)

    answer_lines(ids.numel(), lambda: (), work)


if __name__ == "__main__":
    main()
