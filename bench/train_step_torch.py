"""The training step of train_step.lua in PyTorch: mpnet-base's size, the same texts, padded to the longest of each side.

    pip install torch transformers tokenizers
    python bench/train_step_torch.py [BATCH=64] [STEPS=3]

Random weights (speed does not depend on them), dropout on, symmetric in-batch cross entropy, AdamW, clipping at norm 1.
"""
import gzip
import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from tokenizers import BertWordPieceTokenizer
from transformers import MPNetConfig, MPNetModel

HERE = os.path.dirname(os.path.abspath(__file__))
tokenizer = BertWordPieceTokenizer(os.path.join(HERE, '..', 'recipes', 'data', 'vocab.txt'), lowercase=True, unk_token='[UNK]',
                                   cls_token='<s>', sep_token='</s>', pad_token='<pad>')
tokenizer.enable_truncation(128)


def pairs(split):
    """(response, context) of each line of recipes/data/SPLIT.jsonl.gz."""
    with gzip.open(os.path.join(HERE, '..', 'recipes', 'data', split + '.jsonl.gz'), 'rt', encoding='utf-8') as lines:
        for line in lines:
            row = json.loads(line)
            yield row['response'], row['context']


def padded(texts, tokenizer=tokenizer):
    ids = [torch.tensor(e.ids) for e in tokenizer.encode_batch(list(texts))]
    x = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=1)
    return x, (x != 1).long()


def encode(model, x, mask):
    hidden = model(input_ids=x, attention_mask=mask).last_hidden_state
    m = mask.unsqueeze(-1).float()
    return F.normalize((hidden * m).sum(1) / m.sum(1), dim=1)


def main():
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    model = MPNetModel(MPNetConfig(vocab_size=30527, max_position_embeddings=514, layer_norm_eps=1e-5)).train()
    adam = torch.optim.AdamW(model.parameters(), lr=2e-5, eps=1e-6, weight_decay=0)
    seconds = real = 0
    rows = pairs('train')
    for step in range(steps + 1):
        responses, contexts = zip(*(next(rows) for _ in range(size)))
        start = time.time()
        a, b = padded(responses), padded(contexts)
        scores = encode(model, *a) @ encode(model, *b).T * 20
        own = torch.arange(size)
        loss = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        if step:  # the first warms up
            seconds += time.time() - start
            real += int(a[1].sum() + b[1].sum())
    print(f'torch {torch.__version__}, {torch.get_num_threads()} threads, batch {size}: {real / seconds:.1f} real tokens/s')


if __name__ == '__main__':
    main()
