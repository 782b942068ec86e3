"""Loads checkpoints with transformers: do logits, perplexity and greedy continuations agree with Secateur's?

    python transformers_judge.py QUESTIONS.json VERDICTS.json
"""
import math

import torch
from transformers import PreTrainedTokenizerFast

from common import answers_of, load_model, run, worst_difference


def perplexity(model, tokenizer, text, window, windows):
    """The text is encoded once and cut into windows without overlap; the first token of each is not scored."""
    with open(text, encoding="utf-8") as file:
        ids = tokenizer(file.read(), return_tensors="pt").input_ids[0]
    rows = ids[: window * windows].view(windows, window)
    losses = torch.nn.functional.cross_entropy(
        model(rows, use_cache=False).logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()
    )
    return math.exp(losses.item())


def continuation(model, tokenizer, prompt, tokens):
    """New tokens up to the one that ends the text, which Secateur does not hand out."""
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens)
    new, ends = out[0, ids.shape[1]:].tolist(), model.generation_config.eos_token_id
    return new[:-1] if new[-1] in (ends if isinstance(ends, list) else [ends]) else new


@torch.no_grad()
def judge(question):
    model = load_model(question["checkpoint"])
    logits = model(torch.tensor(question["ids"]), use_cache=False).logits
    verdict = {"logits": worst_difference(answers_of(question)["logits"], logits)}
    if "perplexity" in question:
        # Not AutoTokenizer: for some families it takes another pre-tokenizer than the file's, which here is a toy's.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(question.get("tokenizer", question["checkpoint"]))
        text = question["perplexity"]
        theirs = perplexity(model, tokenizer, text["text"], text["window"], text["windows"])
        verdict["perplexity"] = abs(theirs - text["value"]) / theirs
        asked = question["continued"]
        new = continuation(model, tokenizer, asked["prompt"], asked["tokens"])
        verdict["greedy"] = new == asked["ids"]
        if not verdict["greedy"]:
            print(f"{question['model']}, {question['what']}: Secateur continues {asked['ids']}, transformers {new}")
    return verdict


if __name__ == "__main__":
    run(judge, ["transformers", "torch"])
