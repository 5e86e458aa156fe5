#!/usr/bin/env python3
"""Makes tests/data/torch_bin: small files by torch.save, and what they hold.

    python tests/make/torch_bin.py            (needs torch, safetensors)

kinds.bin               one tensor of each kind, layout and way of sharing; a state_dict as torch.save writes it
protocol4.bin           a few of them with pickle_protocol=4
expected.safetensors    the real-valued tensors of kinds.bin as row-major float32
expected_shards.safetensors   those of sharded/
sharded/                two files and pytorch_model.bin.index.json
legacy.bin              the format from before PyTorch 1.6
checkpoint.bin          not a state_dict: {"epoch": 3, "model": {...}}
script.bin              an object of a class of its own (pickled by reference)
"""
import collections
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[1] / "data/torch_bin"
torch.manual_seed(5)


def kinds():
    base = torch.randn(4, 6)
    halves = torch.randint(-32768, 32768, (300,), dtype=torch.int16)
    special = torch.tensor([0.0, -0.0, 6e-8, -6.1e-5, 65504.0, float("inf"), -float("inf"), 1.0])
    finite = halves.view(torch.float16)
    finite = finite[~finite.isnan()]
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    state = model.state_dict()  # an OrderedDict with _metadata
    state.update({
        "embeddings.position_ids": torch.arange(16).expand(1, -1),
        "f32": base,
        "f16": torch.cat([special.half(), finite]),
        "bf16": torch.cat([special.bfloat16(), torch.randn(50).bfloat16()]),
        "f64": torch.randn(2, 3, dtype=torch.float64),
        "parameter": torch.nn.Parameter(torch.randn(3, 5)),
        "frozen": torch.nn.Parameter(torch.randn(2), requires_grad=False),
        "shared.whole": base,                      # the same storage
        "shared.row": base[2],                     # an offset into it
        "transposed": base.t(),
        "strided": base[::2, 1::2],
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
        "permuted_half": torch.randn(2, 3, 4, 2).half().permute(3, 1, 0, 2),
        "column": base[:, 3],
        "inner": base[1:3, 2:5],
        "odd_stride": torch.as_strided(torch.randn(20), (3, 1, 4), (5, 99, 1)),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 7),
        "six_axes": torch.randn(1, 2, 1, 3, 1, 2),
        "seven_axes": torch.randn(1, 1, 1, 1, 1, 1, 2),
        "expanded": torch.randn(1, 3).expand(4, 3),
        "i32": torch.arange(3, dtype=torch.int32),
        "i16": torch.arange(3, dtype=torch.int16),
        "i8": torch.arange(3, dtype=torch.int8),
        "u8": torch.arange(3, dtype=torch.uint8),
        "yes": torch.tensor([True, False]),
        "naïve name\n": torch.ones(1),
    })
    return state


def reals(state, without=()):
    return {n: t.detach().float().clone(memory_format=torch.contiguous_format)
            for n, t in state.items() if t.is_floating_point() and n not in without}


class Made:
    def __init__(self):
        self.weight = torch.ones(2)


def main():
    (OUT / "sharded").mkdir(parents=True, exist_ok=True)
    state = kinds()
    torch.save(state, OUT / "kinds.bin")
    save_file(reals(state, {"seven_axes", "expanded"}), OUT / "expected.safetensors")
    few = collections.OrderedDict((n, state[n]) for n in ["f32", "transposed", "bf16", "parameter"])
    torch.save(few, OUT / "protocol4.bin", pickle_protocol=4)
    torch.save(few, OUT / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model": few}, OUT / "checkpoint.bin")
    torch.save(Made(), OUT / "script.bin")

    parts = [{"a": torch.randn(2, 2), "ids": torch.arange(4)}, {"b": torch.randn(3).half()}]
    names = [f"pytorch_model-{i + 1:05}-of-00002.bin" for i in range(2)]
    for part, name in zip(parts, names):
        torch.save(part, OUT / "sharded" / name)
    index = {"metadata": {"total_size": 54},
             "weight_map": {n: name for part, name in zip(parts, names) for n in part}}
    (OUT / "sharded/pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    save_file(reals({**parts[0], **parts[1]}), OUT / "expected_shards.safetensors")


main()
