"""GGUF writer and reader, for llama.cpp and what is built on it: architecture gpt2, F16 or Q8_0, tokenizer inside.

llama.cpp's gpt2 graph scales attention by 1/sqrt(d) in every layer, so the weights must be folded. Its own
converter refuses a BPE that is not on its list of known ones; GPT-2's pre-tokenizer is exactly ours.
As there, vectors and position embeddings stay in F32.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from corpus import storage
from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import tokens_by_id
from train.config import ModelShape
from train.export.weight_names import gguf_name, weight_names
from train.export.weights import Weights

_NUMBERS = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


# llama.cpp wants merges, and the format has no empty arrays: a vocabulary of bytes alone gets one that never applies,
# for no word holds a token of more than one letter before another merge has made it.
_NO_MERGES = [f"{END_OF_TEXT} {END_OF_TEXT}"]


def write_gguf(
    path: str, weights: Weights, shape: ModelShape, *, tokenizer: str, end_of_text: int, numbers: str, name: str
) -> None:
    """Write the file; `tokenizer` is the text of tokenizer.json. The weights must be folded."""
    assert not shape.scale_attn_by_inverse_layer_idx, "no runtime of GGUF knows the layer scale"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    wanted, file_type = _NUMBERS[numbers]
    with storage.write_atomic(path) as sink:
        writer = gguf.GGUFWriter(sink.name, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.GPT2])
        _add_sizes(writer, shape, name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_tokenizer(writer, tokenizer, end_of_text)
        for own_name, tensor in weights.items():
            values = tensor.numpy()
            chosen = _number_type(own_name, values, wanted)
            writer.add_tensor(gguf_name(own_name), gguf.quantize(values, chosen), raw_dtype=chosen)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _add_sizes(writer: Any, shape: ModelShape, name: str) -> None:
    writer.add_name(name)
    writer.add_context_length(shape.seq_length)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(4 * shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(shape.vocab_size)


def _add_tokenizer(writer: Any, tokenizer: str, end_of_text: int) -> None:
    """Store the BPE: llama.cpp keeps byte letters as GPT-2 writes them, and merges as two words."""
    tokens = tokens_by_id(tokenizer)
    kinds = [gguf.TokenType.CONTROL if token == END_OF_TEXT else gguf.TokenType.NORMAL for token in tokens]
    pairs = json.loads(tokenizer)["model"]["merges"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges or _NO_MERGES)
    writer.add_bos_token_id(end_of_text)
    writer.add_eos_token_id(end_of_text)
    writer.add_pad_token_id(end_of_text)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _number_type(name: str, values: np.ndarray[Any, Any], wanted: Any) -> Any:
    """Return how a tensor is stored: a row that is no whole number of blocks cannot be quantized."""
    if values.ndim == 1 or name == "positions.weight":
        return gguf.GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return wanted if values.shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16


def read_gguf(path: str) -> tuple[Weights, ModelShape]:
    """Return the weights of a file that `write_gguf` made, dequantized to fp32, and their shape."""
    reader: Any = gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    shape = ModelShape(
        layers=_number(reader, "gpt2.block_count"),
        heads=_number(reader, "gpt2.attention.head_count"),
        hidden=_number(reader, "gpt2.embedding_length"),
        seq_length=_number(reader, "gpt2.context_length"),
        vocab_size=len(reader.get_field("tokenizer.ggml.tokens").data),
        dropout=0.0,
        scale_attn_by_inverse_layer_idx=False,
    )
    weights = {}
    for name in weight_names(shape):
        found = tensors[gguf_name(name)]
        weights[name] = torch.from_numpy(np.array(gguf.dequantize(found.data, found.tensor_type), np.float32))
    return weights, shape


def _number(reader: Any, key: str) -> int:
    return int(reader.get_field(key).contents())


def read_gguf_tokenizer(path: str) -> Tokenizer:
    """Return the tokenizer inside a file that `write_gguf` made."""
    reader: Any = gguf.GGUFReader(path)
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    stored = reader.get_field("tokenizer.ggml.merges").contents()
    merges = [] if stored == _NO_MERGES else [tuple(merge.split(" ")) for merge in stored]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # GPT-2's, as `tokenizer.pre` says
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=False)])
    return tokenizer
