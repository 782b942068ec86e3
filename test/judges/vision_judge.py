"""Loads pruned, merged and adapted models of images with transformers, timm and PEFT: are the logits Secateur's?

    python vision_judge.py QUESTIONS.json VERDICTS.json
"""
import timm
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForImageClassification

from common import answers_of, run, worst_difference

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]


def load_transformers(folder, **options):
    return AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager", **options)


def load_timm(folder, **options):
    return timm.create_model(f"local-dir:{folder}", pretrained=True, **options).double()


def load(question):
    if "adapter" not in question:
        return load_timm(question["folder"]) if question["program"] == "timm" else load_transformers(question["folder"])
    if question["program"] == "timm":
        base = load_timm(question["folder"], num_classes=question["classes"])
    else:
        base = load_transformers(question["folder"], num_labels=question["classes"], ignore_mismatched_sizes=True)
    return PeftModel.from_pretrained(base, question["adapter"], autocast_adapter_dtype=False).double()


def write(question):
    """An adapter as PEFT saves it, with a classifier of its own and no matrix of zeros."""
    torch.manual_seed(1)
    base = load_transformers(question["folder"], num_labels=question["classes"], ignore_mismatched_sizes=True).float()
    config = LoraConfig(r=2, lora_alpha=4, target_modules=LINEAR, modules_to_save=["classifier"])
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(question["adapter"])
    return {}


def judge(question):
    if question.get("writes"):
        return write(question)
    model = load(question).eval()
    answers = answers_of(question)
    with torch.no_grad():
        given = answers["pixels"].double()
        found = model(given)
    logits = found if isinstance(found, torch.Tensor) else found.logits
    return {"logits": worst_difference(answers["logits"], logits)}


if __name__ == "__main__":
    run(judge, ["transformers", "timm", "peft", "torch"])
