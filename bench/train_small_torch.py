"""The main job's training in PyTorch, to hold accuracies against: a small MPNet from random weights.

    pip install torch transformers tokenizers
    python bench/train_small_torch.py SEED [STEPS=400] [HIDDEN=128] [BATCH=128] [RATE=2e-3] [WARMUP=40]

2 layers, 4 heads, dropout 0.1, torch's AdamW, linear warm-up and decay, clipping at norm 1; 1-of-100 on the first 2,000 test pairs.
"""
import random
import sys

import torch
import torch.nn.functional as F
from transformers import MPNetConfig, MPNetModel

from train_step_torch import encode, padded, pairs

given = sys.argv[1:] + [None] * 6
seed, steps, hidden, size = (int(g or d) for g, d in zip(given, (1, 400, 128, 128)))
rate, warmup = float(given[4] or 2e-3), int(given[5] or 40)
torch.manual_seed(seed)
train, test = list(pairs('train')), list(pairs('test'))[:2000]
random.Random(seed).shuffle(train)
model = MPNetModel(MPNetConfig(vocab_size=30527, hidden_size=hidden, num_hidden_layers=2, num_attention_heads=4,
                               intermediate_size=4 * hidden, max_position_embeddings=514, layer_norm_eps=1e-5))


def vectors(texts):
    return encode(model, *padded(texts))


def one_of_100():
    model.eval()
    right = 0
    with torch.no_grad():
        for i in range(0, len(test), 100):
            responses, contexts = zip(*test[i:i + 100])
            scores = vectors(contexts) @ vectors(responses).T
            right += int((scores.argmax(1) == torch.arange(len(scores))).sum())
    model.train()
    return 100 * right / len(test)


before = one_of_100()
adam = torch.optim.AdamW(model.parameters(), lr=rate, eps=1e-6, weight_decay=0)
for step in range(steps):
    for group in adam.param_groups:
        group['lr'] = rate * min(step / warmup, (steps - step) / max(1, steps - warmup))
    responses, contexts = zip(*(train[(step * size + i) % len(train)] for i in range(size)))
    scores = vectors(responses) @ vectors(contexts).T * 20
    own = torch.arange(size)
    loss = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    adam.zero_grad()
print(f'seed {seed}: 1-of-100 before {before:.2f} % after {one_of_100():.2f} %, last loss {loss.item():.3f}')
