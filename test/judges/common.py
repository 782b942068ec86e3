"""What the judges share: the questions come as JSON, the answers go as JSON, and differences are measured one way."""
import importlib.metadata
import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)


def load_model(path):
    """A folder, or a GGUF file. In float64, so that what differs is Secateur's rounding and not this model's."""
    folder, file = os.path.split(path)
    source = (folder, {"gguf_file": file}) if file.endswith(".gguf") else (path, {})
    options = {"dtype": torch.float64, "attn_implementation": "eager", **source[1]}
    return AutoModelForCausalLM.from_pretrained(source[0], **options).eval()


def worst_difference(ours, theirs):
    assert ours.shape == theirs.shape, f"shapes {list(ours.shape)} and {list(theirs.shape)}"
    difference = (ours.double() - theirs.double()).abs().max().item()
    return difference if difference == difference else float("inf")


def answers_of(question):
    """Secateur's tensors: "logits" [rows, tokens, vocabulary] and, of adapters, "gradients.layers.0.q.a" and so on."""
    return load_file(question["answers"])


def run(judge, packages):
    """Answers every question in the file that the command line names; a judge that fails says why."""
    with open(sys.argv[1]) as file:
        questions = json.load(file)
    verdicts = []
    for question in questions:
        try:
            verdict = judge(question)
        except Exception as error:
            verdict = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[-1].strip()}
        verdicts.append({"model": question["model"], "what": question["what"], **verdict})
    versions = {package: importlib.metadata.version(package) for package in packages}
    with open(sys.argv[2], "w") as file:
        json.dump({"versions": versions, "verdicts": verdicts}, file)
