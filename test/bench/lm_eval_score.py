"""What a user would pick instead of Secateur: task files scored by lm-evaluation-harness for every line on standard input.

    python3 test/bench/lm_eval_score.py --checkpoint FOLDER --files '{"piqa": "piqa.jsonl"}' --rows 50 --threads 2 --batch 8 --few-shot 0

The tasks are the harness's own definitions on rows of local files, the model is loaded in float32, the type in which processors
without 16-bit arithmetic compute, and as transformers loads it otherwise.

It first prints {"ready": true, ...}, then answers every line "run" with {"seconds", "tokens", "peakBytes"}, where tokens are the
rows of all tasks; peakBytes is the largest resident memory since the worker was ready, weights and PyTorch included.
"""
import argparse
import json
import os
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(__file__), "../judges"))

import torch
from lm_eval_judge import definition
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from torch_step import answer_lines


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--files", type=json.loads, required=True)
    for name in ("rows", "threads", "batch", "few-shot"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    model = AutoModelForCausalLM.from_pretrained(options.checkpoint, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.checkpoint)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=options.batch)
    with tempfile.TemporaryDirectory() as folder:
        tasks = [definition({"task": task, "file": file, "train": None}, make_folder(folder, task)) for task, file in options.files.items()]
        manager = TaskManager(include_path=folder, include_defaults=False)

        def work():
            simple_evaluate(model=harness, tasks=tasks, task_manager=manager, num_fewshot=options.few_shot, bootstrap_iters=2, verbosity="ERROR")

        answer_lines(options.rows, lambda: (), work)


def make_folder(folder, task):
    path = os.path.join(folder, task)
    os.mkdir(path)
    return path


if __name__ == "__main__":
    main()
