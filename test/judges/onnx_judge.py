"""Checks ONNX graphs and runs them with ONNX Runtime: are their logits those of transformers, whole and with a cache?

    python onnx_judge.py QUESTIONS.json VERDICTS.json
"""
import os

import numpy
import onnx
import onnxruntime
import torch

from common import answers_of, load_model, run, worst_difference

# After them, one token at a time.
PIECES = [9, 5]


def open_session(folder):
    # By its path, since the weights lie in a file beside it.
    file = os.path.join(folder, "model.onnx")
    onnx.checker.check_model(file, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def step(session, ids, cache):
    """Logits of the ids, and the cache with them; the inputs are told apart by their names alone."""
    rows, length = ids.shape
    past = next(iter(cache.values())).shape[2]
    positions = numpy.arange(past, past + length, dtype=numpy.int64)
    feeds = {
        "input_ids": ids,
        "attention_mask": numpy.ones((rows, past + length), numpy.int64),
        "position_ids": numpy.tile(positions, (rows, 1)),
        **cache,
    }
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, feeds)))
    logits = torch.from_numpy(outputs.pop("logits"))
    return logits, {name.replace("present", "past_key_values"): value for name, value in outputs.items()}


def empty_cache(session, rows):
    inputs = [each for each in session.get_inputs() if each.name.startswith("past_key_values.")]
    return {each.name: numpy.zeros((rows, each.shape[1], 0, each.shape[3]), numpy.float32) for each in inputs}


def in_pieces(session, ids):
    cache, pieces, start = empty_cache(session, len(ids)), [], 0
    while start < ids.shape[1]:
        size = PIECES[len(pieces)] if len(pieces) < len(PIECES) else 1
        logits, cache = step(session, ids[:, start:start + size], cache)
        pieces.append(logits)
        start += size
    return torch.cat(pieces, dim=1)


@torch.no_grad()
def judge(question):
    ids = numpy.array(question["ids"], numpy.int64)
    expected = answers_of(question)["logits"]
    if question["checkpoint"] is not None:
        expected = load_model(question["checkpoint"])(torch.from_numpy(ids), use_cache=False).logits
    session = open_session(question["graph"])
    whole, _ = step(session, ids, empty_cache(session, len(ids)))
    return {
        "logits": worst_difference(whole, expected),
        "cached": worst_difference(in_pieces(session, ids), expected),
    }


if __name__ == "__main__":
    run(judge, ["onnx", "onnxruntime", "transformers", "torch"])
