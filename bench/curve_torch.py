"""The steps that curve.lua wrote, done by PyTorch from the same weights: the same texts in the same order, rates, and AdamW.

    pip install torch transformers tokenizers
    python bench/curve_torch.py DIR curve.jsonl

Prints both losses of each step and the largest difference; ends with 1 where that is more than 1e-3.
"""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import MPNetModel

from train_step_torch import encode, padded

SCALE = 20


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, curve = sys.argv[1:]
    tokenizer = Tokenizer.from_file(os.path.join(folder, 'tokenizer.json'))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    model = MPNetModel.from_pretrained(folder).eval()  # no dropout
    adam = torch.optim.AdamW(model.parameters(), lr=0, eps=1e-6, weight_decay=0)
    worst, tokens, start = 0, 0, time.time()
    with open(curve, encoding='utf-8') as lines:
        for step, line in enumerate(lines, 1):
            record = json.loads(line)
            a, b = padded(record['response'], tokenizer), padded(record['context'], tokenizer)
            tokens += int(a[1].sum() + b[1].sum())
            scores = encode(model, *a) @ encode(model, *b).T * SCALE
            own = torch.arange(len(scores))
            loss = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in adam.param_groups:
                group['lr'] = record['rate']
            adam.step()
            adam.zero_grad()
            apart = abs(loss.item() - record['loss'])
            worst = max(worst, apart)
            print(f"step {step:2}  PyTorch {loss.item():.6f}  sembed {record['loss']:.6f}  apart {apart:.1e}  "
                  f"norms {norm.item():.4f} {record['norm']:.4f}", flush=True)
    print(f'torch {torch.__version__}: {tokens / (time.time() - start):.1f} real tokens/s; largest difference of the losses {worst:.1e}')
    sys.exit(worst > 1e-3)


if __name__ == '__main__':
    main()
