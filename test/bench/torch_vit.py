"""PyTorch's side of the benchmark of a ViT: a worker that does one step of work for every line on standard input.

    python3 test/bench/torch_vit.py --width 768 --layers 12 --heads 12 --channels 3072 --size 224 --patch 16 --rows 4 \
        --classes 100 --threads 2 --mode step

A ViT as timm has it (scaled_dot_product_attention, exact GELU, LayerNorm with bias) with random frozen weights in float32,
LoRA on q, k, v, o, fc1 and fc2, and a classifier that is trained; AdamW over both. Modes and answers are those of
torch_step.py.
"""
import argparse

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from torch_step import LoraLinear, answer_lines


class BiasedLora(LoraLinear):
    def __init__(self, inputs, out, rank):
        super().__init__(inputs, out, rank, 2 * rank)
        self.bias = nn.Parameter(torch.zeros(out), requires_grad=False)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias) + self.scale * F.linear(F.linear(x, self.a), self.b)


def frozen_norm(width):
    return nn.LayerNorm(width, eps=1e-6).requires_grad_(False)


class Block(nn.Module):
    def __init__(self, options):
        super().__init__()
        width, channels, rank = options.width, options.channels, options.rank
        self.heads = options.heads
        self.q, self.k, self.v, self.o = (BiasedLora(width, width, rank) for _ in range(4))
        self.fc1, self.fc2 = BiasedLora(width, channels, rank), BiasedLora(channels, width, rank)
        self.attention_norm, self.feed_forward_norm = frozen_norm(width), frozen_norm(width)

    def forward(self, x):
        rows, tokens, width = x.shape
        normed = self.attention_norm(x)
        q, k, v = (
            layer(normed).view(rows, tokens, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows, tokens, width)
        x = x + self.o(attended)
        return x + self.fc2(F.gelu(self.fc1(self.feed_forward_norm(x))))


class Vit(nn.Module):
    def __init__(self, options):
        super().__init__()
        width, self.checkpointing = options.width, options.mode == "step-checkpointing"
        self.patches = nn.Conv2d(3, width, options.patch, options.patch).requires_grad_(False)
        tokens = (options.size // options.patch) ** 2 + 1
        self.token = nn.Parameter(torch.zeros(1, 1, width), requires_grad=False)
        self.positions = nn.Parameter(torch.randn(1, tokens, width) * 0.02, requires_grad=False)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.layers))
        self.norm = frozen_norm(width)
        self.head = nn.Linear(width, options.classes)

    def forward(self, pixels):
        patches = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(pixels), -1, -1), patches], 1) + self.positions
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointing and self.training else block(x)
        return self.head(self.norm(x)[:, 0])


def train_step(model, optimiser, pixels, labels):
    optimiser.zero_grad()
    loss = F.cross_entropy(model(pixels), labels)
    loss.backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()
    return loss.item()


def parse_options():
    parser = argparse.ArgumentParser()
    for name in ("width", "layers", "heads", "channels", "size", "patch", "rows", "classes", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--mode", choices=("step", "step-checkpointing", "forward"), required=True)
    return parser.parse_args()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Vit(options)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01)

    def draw():
        pixels = torch.randn(options.rows, 3, options.size, options.size)
        return pixels, torch.randint(options.classes, (options.rows,))

    def work(pixels, labels):
        if options.mode == "forward":
            model.eval()
            with torch.no_grad():
                model(pixels)
        else:
            train_step(model, optimiser, pixels, labels)

    answer_lines(options.rows, draw, work)


if __name__ == "__main__":
    main()
