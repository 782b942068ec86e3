"""Scores task files with lm-evaluation-harness itself: are accuracies and log-likelihoods Secateur's?

    python lm_eval_judge.py QUESTIONS.json VERDICTS.json

The tasks are the harness's own definitions; only where their rows come from is replaced: files in the layouts that the data
sets are published in, brought into the columns that the harness reads. A task file of one's own is read as it is, as YAML,
with its data files where they lie. Results that Secateur wrote in the harness's layout are shown by the harness's own table.
"""
import csv
import glob
import json
import os
import tempfile

from common import run

# Rows are read once; nothing of them shall stay.
rows_cache = tempfile.TemporaryDirectory()
os.environ["HF_DATASETS_CACHE"] = rows_cache.name

import datasets
import lm_eval.evaluator
import lm_eval.tasks
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table
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
    "lambada_openai": "lambada/lambada_openai.yaml",
    "lambada_standard": "lambada/lambada_standard.yaml",
}
# In the order in which the harness lists them.
CATEGORIES = ("mmlu_stem", "mmlu_other", "mmlu_social_sciences", "mmlu_humanities")
TESTED = {"arc_easy", "arc_challenge", "openbookqa", "lambada_openai", "lambada_standard"}


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
    if task.startswith("lambada"):
        return {"text": row["text"]}
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


def write_yaml(folder, name, content):
    path = os.path.join(folder, f"{name}.yaml")
    with open(path, "w") as file:
        # JSON is YAML.
        json.dump(content, file)
    return path


def subject_rows(folder, subject, split):
    with open(os.path.join(folder, "data", split, f"{subject}_{split}.csv"), newline="", encoding="utf-8") as file:
        for question, a, b, c, d, answer in csv.reader(file):
            yield {"question": question, "subject": subject, "choices": [a, b, c, d], "answer": "ABCD".index(answer)}


def mmlu_definition(question, folder):
    """The group, its categories and its subjects, of which only those are there that have a file."""
    tasks = os.path.join(os.path.dirname(lm_eval.tasks.__file__), "mmlu/default")
    weighted = {"aggregate_metric_list": [{"metric": "acc", "weight_by_size": True}], "metadata": {"version": 2}}
    categories = {}
    for file in sorted(glob.glob(os.path.join(question["file"], "data/test/*_test.csv"))):
        subject = os.path.basename(file)[: -len("_test.csv")]
        files = {}
        for split in ("test", "dev"):
            files[split] = os.path.join(folder, f"{subject}_{split}.json")
            with open(files[split], "w", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in subject_rows(question["file"], subject, split))
        include = os.path.join(tasks, f"mmlu_{subject}.yaml")
        with open(include) as definition:
            category = next(line for line in definition if "_tasks" in line).split('"')[3].removesuffix("_tasks")
        categories.setdefault(category, []).append(f"mmlu_{subject}")
        own = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}, "tag": None}
        write_yaml(folder, f"mmlu_{subject}", {"include": include, "task": f"mmlu_{subject}", **own})
    for category, subjects in categories.items():
        alias = category.removeprefix("mmlu_").replace("_", " ")
        write_yaml(folder, category, {"group": category, "group_alias": alias, "task": subjects, **weighted})
    write_yaml(folder, "mmlu", {"group": "mmlu", "task": [name for name in CATEGORIES if name in categories], **weighted})
    return "mmlu"


def own_definition(question, folder):
    """The user's task file, with the paths of its data files from where it lies."""
    with open(question["file"], encoding="utf-8") as file:
        own = json.load(file)
    files, place = own["dataset_kwargs"]["data_files"], os.path.dirname(os.path.abspath(question["file"]))
    own["dataset_kwargs"]["data_files"] = {split: os.path.join(place, name) for split, name in files.items()}
    return write_yaml(folder, question["task"], {**own, "task": question["task"]})


def definition(question, folder):
    """A task file that includes the harness's own, and reads local rows."""
    task, train = question["task"], question["train"]
    if task == "mmlu":
        return mmlu_definition(question, folder)
    if task not in DEFINITIONS:
        return own_definition(question, folder)
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
    return write_yaml(folder, task, own)


# What it asks pip about this machine after every evaluation takes longer than most evaluations.
lm_eval.evaluator.add_env_info = lambda results: None
loaded = {}


def compute_angles_in_float64(model):
    """transformers computes the angles of rotary positions in float32, even of a model in float64."""
    rope = model.config.rope_parameters
    assert rope["rope_type"] == "default", f"rotary positions of type {rope['rope_type']} are not computed here"
    size = getattr(model.config, "head_dim", None) or model.config.hidden_size // model.config.num_attention_heads
    frequencies = rope["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)

    def forward(x, position_ids):
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    model.model.rotary_emb.forward = forward


def harness_model(folder):
    if folder not in loaded:
        loaded.clear()
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        compute_angles_in_float64(model)
        # Not AutoTokenizer: for some families it takes another pre-tokenizer than the file's.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        loaded[folder] = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16)
    return loaded[folder]


def scored_by_harness(question):
    with tempfile.TemporaryDirectory() as folder:
        task = definition(question, folder)
        return simple_evaluate(
            model=harness_model(question["checkpoint"]),
            tasks=[task],
            # Without the harness's index of all its tasks, which takes long to make.
            task_manager=TaskManager(include_path=folder, include_defaults=False),
            num_fewshot=question["fewShot"],
            # None is drawn, but without a number there are no errors of accuracies either.
            bootstrap_iters=2,
            verbosity="ERROR",
        )


def samples_of(result, task):
    """Samples of a task; of a group those of its tasks one after the other, in the order of their names."""
    samples = result["samples"]
    return [sample for name in sorted(samples) if name == task or task == "mmlu" for sample in samples[name]]


def says_the_same(file, result, task):
    """Whether Secateur's file in the harness's layout has the harness's figures, keys and table."""
    with open(file, encoding="utf-8") as written:
        ours = json.load(written)
    table = make_table(ours) + (make_table(ours, "groups") if "groups" in ours else "")
    names = [name for name in result["results"] if name == task or task == "mmlu"]
    for name in names:
        theirs, own = dict(result["results"][name]), ours["results"][name]
        # The harness draws samples for this error, Secateur computes it.
        assert isinstance(own.get("perplexity_stderr,none", 0.0), float)
        for key in (key for key in theirs if key != "perplexity_stderr,none"):
            same = abs(own[key] - theirs[key]) <= 1e-5 * abs(theirs[key]) if isinstance(theirs[key], float) else own[key] == theirs[key]
            if not same:
                print(f"{name}: {key} is {own[key]} in Secateur's file, {theirs[key]} in the harness's")
                return False
        assert own["alias"] in table, f"the table has no {own['alias']}"
    for part in ("versions", "n-shot", "n-samples", "higher_is_better", "group_subtasks"):
        own = {name: value for name, value in ours[part].items() if name in result[part]}
        if own != result[part]:
            print(f"{part} is {own} in Secateur's file, {result[part]} in the harness's")
            return False
    return all(sample_agrees(file, name, result["samples"][name]) for name in names if name in result["samples"])


def sample_agrees(file, name, samples):
    """Whether Secateur's lines about single rows have what the harness asked and found."""
    lines = read_lines(file.replace("results_", f"samples_{name}_").replace(".json", ".jsonl"))
    assert len(datasets.load_dataset("json", data_files=file.replace("results_", f"samples_{name}_") + "l", split="train")) == len(lines)
    for ours, theirs in zip(lines, samples, strict=True):
        asked = [list(pair.values()) for pair in ours["arguments"].values()]
        for key in ("doc_id", "filter", "metrics", "prompt_hash", "target_hash", "acc"):
            if ours[key] != theirs[key]:
                print(f"{name}: {key} of row {ours['doc_id']} is {ours[key]}, the harness has {theirs[key]}")
                return False
        greedy = [response[0][1] == "True" for response in ours["resps"]]
        if asked != [list(each) for each in theirs["arguments"]] or greedy != [each[0][1] for each in theirs["resps"]]:
            print(f"{name}: row {ours['doc_id']} was asked otherwise: {asked} {greedy}, the harness {theirs['arguments']}")
            return False
    return True


def judge(question):
    result, task = scored_by_harness(question), question["task"]
    scores, samples = result["results"][task], samples_of(result, task)
    ours = [row for row in read_lines(question["predictions"]) if row["task"] == task]
    assert len(ours) == len(samples), f"lm-eval scored {len(samples)} rows, Secateur {len(ours)}"
    worst = 0.0
    for row, sample in zip(ours, samples):
        assert task == "mmlu" or row["index"] == sample["doc_id"], "rows stand in another order"
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
    if "results" in question:
        same = same and says_the_same(question["results"], result, task)
    if not same:
        print(f"{question['what']}: Secateur has {question['acc']} and {question['accNorm']}, lm-eval {scores}")
    return {"rows": len(ours), "logLikelihoods": worst, "accuracies": same, "acc": question["acc"]}


if __name__ == "__main__":
    run(judge, ["lm_eval", "transformers", "torch"])
