"""Scores task files with lm-evaluation-harness itself: are accuracies and log-likelihoods Secateur's?

    python lm_eval_judge.py QUESTIONS.json VERDICTS.json

The tasks are the harness's own definitions; only where their rows come from is replaced: files in the layouts that the data
sets are published in, brought into the columns that the harness reads.
"""
import json
import os
import tempfile

from common import run

# Rows are read once; nothing of them shall stay.
rows_cache = tempfile.TemporaryDirectory()
os.environ["HF_DATASETS_CACHE"] = rows_cache.name

import lm_eval.evaluator
import lm_eval.tasks
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

# Where the harness defines each task, and the tasks whose test split is scored.
DEFINITIONS = {
    "boolq": "super_glue/boolq/default.yaml",
    "piqa": "piqa/piqa.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "winogrande": "winogrande/default.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
}
TESTED = {"arc_easy", "arc_challenge", "openbookqa"}


def read_lines(file):
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def choices_of(question):
    return {part: [choice[part] for choice in question["choices"]] for part in ("text", "label")}


def columns(task, row, label):
    """A row as the harness's data set has it."""
    if task == "boolq":
        passage = f"{row['title']} -- {row['passage']}" if "title" in row else row["passage"]
        return {"passage": passage, "question": row["question"], "label": int(row["answer"])}
    if task == "piqa":
        return {"goal": row["goal"], "sol1": row["sol1"], "sol2": row["sol2"], "label": label}
    if task == "hellaswag":
        kept = ("activity_label", "ctx_a", "ctx_b", "endings")
        return {**{name: row[name] for name in kept}, "label": str(row["label"])}
    if task == "winogrande":
        return {name: row[name] for name in ("sentence", "option1", "option2", "answer")}
    stem = "question_stem" if task == "openbookqa" else "question"
    return {stem: row["question"]["stem"], "choices": choices_of(row["question"]), "answerKey": row["answerKey"]}


def convert(task, file, folder, name):
    labels = file.replace(".jsonl", "-labels.lst")
    rows = read_lines(file)
    numbers = [int(line) for line in open(labels)] if task == "piqa" else [None] * len(rows)
    assert len(numbers) == len(rows), f"{labels} has {len(numbers)} lines, {file} has {len(rows)} rows"
    path = os.path.join(folder, f"{name}.json")
    with open(path, "w", encoding="utf-8") as out:
        for row, label in zip(rows, numbers):
            out.write(json.dumps(columns(task, row, label)) + "\n")
    return path


def definition(question, folder):
    """A task file that includes the harness's own, and reads local rows."""
    task, train = question["task"], question["train"]
    # Where examples come from the scored rows, the harness leaves out the row itself if these are the test split.
    tested = task in TESTED or not train
    scored = "test" if tested else "validation"
    files = {scored: convert(task, question["file"], folder, scored)}
    if train:
        files["train"] = convert(task, train, folder, "train")
    own = {
        "include": os.path.join(os.path.dirname(lm_eval.tasks.__file__), DEFINITIONS[task]),
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
        "training_split": "train" if train else None,
        "validation_split": None if tested else scored,
        "test_split": scored if tested else None,
        **({} if train else {"fewshot_split": scored}),
    }
    path = os.path.join(folder, f"{task}.yaml")
    with open(path, "w") as file:
        # JSON is YAML.
        json.dump(own, file)
    return path


# What it asks pip about this machine after every evaluation takes longer than most evaluations.
lm_eval.evaluator.add_env_info = lambda results: None
# Without the harness's index of all its tasks, which takes long to make.
manager = TaskManager(include_defaults=False)
loaded = {}


def harness_model(folder):
    if folder not in loaded:
        loaded.clear()
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        # Not AutoTokenizer: for some families it takes another pre-tokenizer than the file's.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        loaded[folder] = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16)
    return loaded[folder]


def judge(question):
    with tempfile.TemporaryDirectory() as folder:
        result = simple_evaluate(
            model=harness_model(question["checkpoint"]),
            tasks=[definition(question, folder)],
            task_manager=manager,
            num_fewshot=question["fewShot"],
            bootstrap_iters=0,
            verbosity="ERROR",
        )
    task = question["task"]
    scores, samples = result["results"][task], result["samples"][task]
    ours = [row for row in read_lines(question["predictions"]) if row["task"] == task]
    assert len(ours) == len(samples), f"lm-eval scored {len(samples)} rows, Secateur {len(ours)}"
    worst = 0.0
    for row, sample in zip(ours, samples):
        assert row["index"] == sample["doc_id"], "rows stand in another order"
        theirs = [response[0][0] for response in sample["resps"]]
        assert len(theirs) == len(row["logLikelihoods"]), f"row {row['index']} has another number of choices"
        # Sums over many tokens carry more rounding: beyond 50 nats the difference counts in proportion.
        pairs = zip(theirs, row["logLikelihoods"])
        worst = max(worst, *(abs(a - b) / max(1, abs(a) / 50) for a, b in pairs))
    same = all(
        abs(scores[f"{name},none"] - value) < 1e-12
        for name, value in (("acc", question["acc"]), ("acc_norm", question["accNorm"]))
        if value is not None
    )
    if not same:
        print(f"{question['what']}: Secateur has {question['acc']} and {question['accNorm']}, lm-eval {scores}")
    return {"rows": len(ours), "logLikelihoods": worst, "accuracies": same, "acc": question["acc"]}


if __name__ == "__main__":
    run(judge, ["lm_eval", "transformers", "torch"])
