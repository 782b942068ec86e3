"""PyTorch's side of the benchmarks: a worker that does one step of work for every line on standard input.

    python3 test/bench/torch_step.py --width 288 --layers 6 --heads 6 --kv-heads 6 --channels 768 --vocab 512 \
        --rows 4 --length 128 --threads 2 --mode step

It first prints {"ready": true, ...}, then answers every line "run" with {"seconds", "tokens", "peakBytes"}; it ends with
its input. A Llama with random frozen weights (float32) and PEFT's LoRA on all seven projections, eager attention as in
transformers, AdamW over the adapters. Modes:

    step                one training step, all activations kept
    step-checkpointing  the same with torch.utils.checkpoint around every block
    forward             logits only, no gradients
    linear-layers       a step's linear layers and nothing else, forward and backward, adapters and head included
    score               LoRAPrune's scores as its official code computes them: dense g_hat and importance per module

peakBytes is the largest resident memory since the worker was ready (VmHWM, reset then), weights and PyTorch included.
"""
import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class LoraLinear(nn.Module):
    def __init__(self, width, out, rank, alpha):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, width).normal_(std=1 / math.sqrt(width)), requires_grad=False)
        self.a = nn.Parameter(torch.empty(rank, width))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        # Not zero, as it is after the first step, so that no product is cheaper than in the middle of a run.
        self.b = nn.Parameter(torch.empty(out, rank).normal_(std=0.01))
        self.scale = alpha / rank

    def forward(self, x):
        return F.linear(x, self.weight) + self.scale * F.linear(F.linear(x, self.a), self.b)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width), requires_grad=False)

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


class Block(nn.Module):
    def __init__(self, options):
        super().__init__()
        width, channels = options.width, options.channels
        self.heads, self.kv_heads, self.size = options.heads, options.kv_heads, width // options.heads
        key = self.kv_heads * self.size

        def linear(inputs, out):
            return LoraLinear(inputs, out, options.rank, 2 * options.rank)

        self.q, self.k, self.v, self.o = linear(width, width), linear(width, key), linear(width, key), linear(width, width)
        self.gate, self.up, self.down = linear(width, channels), linear(width, channels), linear(channels, width)
        self.attention_norm, self.feed_forward_norm = RmsNorm(width), RmsNorm(width)

    def forward(self, x, cos, sin, mask):
        rows, tokens, _ = x.shape
        normed = self.attention_norm(x)
        q = self.q(normed).view(rows, tokens, self.heads, self.size).transpose(1, 2)
        k = self.k(normed).view(rows, tokens, self.kv_heads, self.size).transpose(1, 2)
        v = self.v(normed).view(rows, tokens, self.kv_heads, self.size).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if self.kv_heads < self.heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        mix = F.softmax(torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.size) + mask, dim=-1)
        x = x + self.o(torch.matmul(mix, v).transpose(1, 2).reshape(rows, tokens, -1))
        normed = self.feed_forward_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.checkpointing = options.mode == "step-checkpointing"
        self.reentrant = True
        self.embed = nn.Embedding(options.vocab, options.width).requires_grad_(False)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.layers))
        self.norm = RmsNorm(options.width)
        self.head = nn.Linear(options.width, options.vocab, bias=False).requires_grad_(False)
        size = options.width // options.heads
        inverse = 1.0 / 10000.0 ** (torch.arange(0, size, 2).float() / size)
        angles = torch.arange(options.length).float()[:, None] * inverse
        angles = torch.cat([angles, angles], dim=-1)
        self.cos, self.sin = angles.cos(), angles.sin()
        self.mask = torch.full((options.length, options.length), torch.finfo(torch.get_default_dtype()).min).triu(1)

    def forward(self, ids):
        x = self.embed(ids)
        if self.checkpointing:
            x.requires_grad_()  # PEFT's enable_input_require_grads: re-entrant checkpointing needs it
        for block in self.blocks:
            if self.checkpointing:
                x = checkpoint(block, x, self.cos, self.sin, self.mask, use_reentrant=self.reentrant)
            else:
                x = block(x, self.cos, self.sin, self.mask)
        return self.head(self.norm(x))


def loss_of(model, ids):
    logits = model(ids)[:, :-1]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


def train_step(model, optimiser, ids):
    optimiser.zero_grad()
    loss = loss_of(model, ids)
    loss.backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()
    return loss.item()


def linear_layers(model, tokens):
    for index, block in enumerate(model.blocks):
        for names in (("q", "k", "v"), ("o",), ("gate", "up"), ("down",)):
            # What the first block's input wants is of no use to anyone.
            wanted = index > 0 or names[0] != "q"
            x = tokens[getattr(block, names[0]).weight.shape[1]].requires_grad_(wanted)
            outputs = [getattr(block, name)(x) for name in names]
            torch.autograd.backward(outputs, [tokens[output.shape[1]].detach() for output in outputs])
            x.grad = None
    x = tokens[model.head.weight.shape[1]].requires_grad_(True)
    logits = model.head(x)
    logits.backward(logits.detach())
    x.grad = None


@torch.no_grad()
def group_scores(model):
    """Per block: scores of the heads (a key/value head with its query heads) and of the channels."""
    scores = []
    for block in model.blocks:
        totals = []
        for groups, names in ((block.kv_heads, ("q", "k", "v", "o")), (block.down.weight.shape[1], ("gate", "up", "down"))):
            total = torch.zeros(groups)
            for name in names:
                layer = getattr(block, name)
                g_hat = layer.b.grad @ layer.a + layer.b @ layer.a.grad - layer.b.grad @ layer.a.grad
                importance = (g_hat * (layer.weight + layer.scale * (layer.b @ layer.a))).abs()
                per_row = importance.sum(0 if name in ("o", "down") else 1)
                sums = per_row.view(groups, -1).sum(1)
                total += sums / (sums.norm() + 1e-8)
            totals.append(total)
        scores.append(totals)
    return scores


def memory(field):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def answer_lines(tokens, draw, work, ready=()):
    """Says that this process is ready, and does its work on what is drawn for it once for every line "run" that comes."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # VmHWM starts again from what is resident now
    print(json.dumps({"ready": True, "torch": torch.__version__, **dict(ready)}), flush=True)
    for line in sys.stdin:
        if line.strip() != "run":
            raise SystemExit(f"unknown request: {line.strip()}")
        given = draw()
        start = time.perf_counter()
        work(*given)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "tokens": tokens, "peakBytes": memory("VmHWM")}), flush=True)


def parse_options():
    parser = argparse.ArgumentParser()
    for name in ("width", "layers", "heads", "kv-heads", "channels", "vocab", "rows", "length", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--mode", choices=("step", "step-checkpointing", "forward", "score", "linear-layers"), required=True)
    return parser.parse_args()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Llama(options)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01)
    if options.mode == "score":
        loss_of(model, torch.randint(options.vocab, (1, options.length))).backward()
    sizes = {side for block in model.blocks for layer in block.children() if isinstance(layer, LoraLinear) for side in layer.weight.shape}
    tokens = {size: torch.randn(options.rows * options.length, size) for size in sizes} if options.mode == "linear-layers" else {}

    def work(ids):
        if options.mode == "forward":
            with torch.no_grad():
                model(ids)
        elif options.mode == "score":
            group_scores(model)
        elif options.mode == "linear-layers":
            linear_layers(model, tokens)
        else:
            train_step(model, optimiser, ids)

    answer_lines(
        options.rows * options.length,
        lambda: (torch.randint(options.vocab, (options.rows, options.length)),),
        work,
        {
            "threads": torch.get_num_threads(),
            "residentBytes": memory("VmRSS"),
            "parameters": sum(p.numel() for p in model.parameters() if not p.requires_grad),
            "adapterParameters": sum(p.numel() for p in trained),
        },
    )


if __name__ == "__main__":
    main()
