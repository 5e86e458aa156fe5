"""Writes tests/data/quantize/reference.json: vectors and what sentence-transformers' quantize_embeddings
makes of them. python tests/make/quantize.py"""
import json
import os
import warnings

import numpy as np
import sentence_transformers
from sentence_transformers.util import quantize_embeddings

warnings.simplefilter('ignore')
rng = np.random.default_rng(5)
DIMS = 19  # not a multiple of 8: the last byte of a binary row is filled up with zeros
calibration = rng.normal(size=(120, DIMS)).astype(np.float32)
vectors = rng.normal(size=(60, DIMS)).astype(np.float32) * np.float32(1.2)  # some beyond the ranges
calibration[:, 3] = 0.25  # a column without a range
vectors[:, 3] = [0.25, 0.5, -1.0] * 20
vectors[0, :4] = [0.0, -0.0, 1e-38, -1e-45]
vectors[1] = calibration.min(axis=0)
vectors[2] = calibration.max(axis=0)
ranges = np.vstack([calibration.min(axis=0), calibration.max(axis=0)])
for row, share in enumerate(np.linspace(0, 1, 40, dtype=np.float32)):  # on the edges of the steps
    vectors[10 + row] = ranges[0] + share * (ranges[1] - ranges[0])


def numbers(a):
    return [[float('%.9g' % x) if a.dtype == np.float32 else int(x) for x in row] for row in a]


out = {'made_with': {'sentence-transformers': sentence_transformers.__version__, 'numpy': np.__version__},
       'calibration': numbers(calibration), 'vectors': numbers(vectors)}
for kind in ['int8', 'uint8', 'binary', 'ubinary']:
    out[kind] = numbers(quantize_embeddings(vectors, precision=kind, calibration_embeddings=calibration))
    again = quantize_embeddings(vectors, precision=kind, ranges=ranges)
    assert numbers(again) == out[kind]
path = os.path.join(os.path.dirname(__file__), '..', 'data', 'quantize', 'reference.json')
with open(path, 'w') as f:
    f.write(json.dumps(out, separators=(',', ':')).replace(']],', ']],\n') + '\n')
