"""Quantises GGUF files by llama.cpp's own quantiser, called in the library that node-llama-cpp ships.

    python llama_cpp_quantise.py QUESTIONS.json VERDICTS.json
"""
import ctypes
import glob
import os

from common import run


class Parameters(ctypes.Structure):
    """llama_model_quantize_params of llama.h. Only its beginning is written here; the library fills in the rest."""

    _fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("rest", ctypes.c_uint8 * 504)]


def load_quantiser(folder):
    loaded = None
    # Each finds those before it already loaded.
    for pattern in ("libggml-base.so", "libggml.*so*", "libllama.*so*"):
        [path] = glob.glob(os.path.join(folder, pattern))
        loaded = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    loaded.llama_model_quantize_default_params.restype = Parameters
    loaded.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
    loaded.llama_model_quantize.restype = ctypes.c_uint32
    loaded.llama_backend_init()
    return loaded


def quantise(question):
    library = load_quantiser(question["library"])
    parameters = library.llama_model_quantize_default_params()
    parameters.threads, parameters.file_type = 2, question["fileType"]
    status = library.llama_model_quantize(
        question["from"].encode(), question["to"].encode(), ctypes.byref(parameters)
    )
    return {} if status == 0 else {"error": f"llama_model_quantize gives {status}"}


if __name__ == "__main__":
    run(quantise, [])
