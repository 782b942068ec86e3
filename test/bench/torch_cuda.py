"""PyTorch's side of `npm run bench:gpu`: the work of `secateur bench` on a CUDA card, in bf16.

    python3 test/bench/torch_cuda.py --shapes 1B,3B,7B --scale 1 --rows 4 --length 512 --repeats 3

Needs PyTorch 2.5 or later. Prints one JSON object. `--device cpu` checks that it runs, with any PyTorch, and without
torch.compile: use small sizes there, and compare nothing with its figures. A Llama with random frozen weights and PEFT's LoRA on all seven projections (the classes of
torch_step.py, with PyTorch's own attention), gradient checkpointing, AdamW; eager and with torch.compile.
"""
import argparse
import contextlib
import json
import math
import sys
import time

import torch
import torch.nn.functional as F

from torch_step import Llama, LoraLinear, loss_of, rotate

SHAPES = {  # head size, layers, heads, key/value heads, channels, vocabulary: as engine/jobs/bench/shapes.ts
    "1B": (64, 16, 32, 8, 8192, 128256),
    "3B": (128, 28, 24, 8, 8192, 128256),
    "7B": (128, 32, 32, 32, 11008, 32000),
}


class Options:
    """What torch_step.Llama reads."""

    def __init__(self, name, arguments, mode):
        size, layers, heads, kept, channels, vocabulary = SHAPES[name]
        fewer = lambda count: max(1, round(count / arguments.scale))
        self.kv_heads = fewer(kept)
        self.heads = self.kv_heads * heads // kept
        self.width = self.heads * size
        self.layers, self.channels, self.vocab = fewer(layers), 8 * fewer(channels / 8), max(256, fewer(vocabulary))
        self.length, self.rank, self.mode = arguments.length, 8, mode


def attention(q, k, v, grouped):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    # PyTorch 1, where only the processor is checked.
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    later = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu(1)
    return (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(later, -math.inf).softmax(-1) @ v


def block_forward(self, x, cos, sin, mask):
    rows, tokens, _ = x.shape
    split = lambda y, heads: y.view(rows, tokens, heads, self.size).transpose(1, 2)
    normed = self.attention_norm(x)
    q = rotate(split(self.q(normed), self.heads), cos, sin)
    k = rotate(split(self.k(normed), self.kv_heads), cos, sin)
    v = split(self.v(normed), self.kv_heads)
    mix = attention(q, k, v, self.kv_heads < self.heads)
    x = x + self.o(mix.transpose(1, 2).reshape(rows, tokens, -1))
    normed = self.feed_forward_norm(x)
    return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


def build(name, arguments):
    with torch.device("cuda") if arguments.device == "cuda" else contextlib.nullcontext():
        torch.set_default_dtype(torch.bfloat16)
        model = Llama(Options(name, arguments, "step-checkpointing"))
        torch.set_default_dtype(torch.float32)
    # What torch.compile can see through, and PyTorch recommends.
    model.reentrant = False
    # Tables of the rotation and the mask are plain attributes, made on the card with the rest.
    model.cos, model.sin = model.cos.bfloat16(), model.sin.bfloat16()
    for module in model.modules():
        if isinstance(module, LoraLinear):
            module.a.data, module.b.data = module.a.data.bfloat16(), module.b.data.bfloat16()
    for block in model.blocks:
        block.forward = block_forward.__get__(block)
    return model


def finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def median_seconds(work, arguments):
    repeats = arguments.repeats
    times = []
    for _ in range(repeats + 1):
        finish(arguments.device)
        started = time.perf_counter()
        work()
        finish(arguments.device)
        times.append(time.perf_counter() - started)
    return sorted(times[1:])[repeats // 2]


def score(model):
    """LoRAPrune's scores as its official code computes them, a dense g_hat and importance a module."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LoraLinear):
                ga, gb = module.a.grad, module.b.grad
                g_hat = gb @ module.a + module.b @ ga - gb @ ga
                (g_hat * (module.weight + module.scale * (module.b @ module.a))).abs().sum(1).float().cpu()


def measure(name, arguments, compiled):
    if arguments.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = build(name, arguments)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    run = torch.compile(model) if compiled else model
    ids = torch.randint(model.embed.num_embeddings, (arguments.rows, arguments.length), device=arguments.device)

    def step():
        optimiser.zero_grad()
        loss_of(run, ids).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()

    def prompt():
        with torch.no_grad():
            run(ids)

    training = median_seconds(step, arguments)
    scoring = median_seconds(lambda: score(model), arguments)
    reading = median_seconds(prompt, arguments)
    tokens = ids.numel()
    return {
        "shape": name,
        "compiled": compiled,
        "trainingTokensPerSecond": tokens / training,
        "scoringSeconds": scoring,
        "promptTokensPerSecond": tokens / reading,
        "deviceBytes": torch.cuda.max_memory_allocated() if arguments.device == "cuda" else None,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", default="1B,3B,7B")
    parser.add_argument("--scale", type=float, default=1)
    for name, default in (("rows", 4), ("length", 512), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--modes", default="eager,compiled", help="which of eager and compiled, with commas")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments = parser.parse_args()
    on_card = arguments.device == "cuda"
    if on_card and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA card")
    models = []
    for name in arguments.shapes.split(","):
        for mode in arguments.modes.split(",") if on_card else ("eager",):
            models.append(measure(name, arguments, mode == "compiled"))
            if on_card:
                torch.cuda.empty_cache()
    device = torch.cuda.get_device_name() if on_card else "cpu"
    print(json.dumps({"torch": torch.__version__, "device": device, "models": models}))


if __name__ == "__main__":
    main()
