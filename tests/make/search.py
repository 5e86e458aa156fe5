"""References for search, paraphrases and clusters by sentence-transformers: python tests/make/search.py
Writes vectors.npy and reference.json into tests/data/search."""
import json
import pathlib

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import util

folder = pathlib.Path(__file__).parent.parent / "data" / "search"
rng = np.random.default_rng(5)

# 200 rows of 24 numbers: loose ones, five groups around centres, and rows that come twice.
rows = rng.standard_normal((200, 24))
groups = [(10, 30, 0.12), (40, 52, 0.1), (60, 75, 0.15), (90, 97, 0.1), (120, 124, 0.05)]
for first, last, spread in groups:
    centre = rng.standard_normal(24)
    rows[first:last] = centre + spread * rng.standard_normal((last - first, 24))
rows[150], rows[151], rows[199] = rows[3], rows[3], rows[7]
rows *= rng.uniform(0.5, 2, (200, 1))  # cosine and dot differ
rows[150], rows[151], rows[199] = rows[3], rows[3], rows[7]
rows = rows.astype(np.float32)
np.save(folder / "vectors.npy", rows)

x = torch.tensor(rows, dtype=torch.float64)  # in float64, so that the order is not a matter of rounding
queries, corpus = x[::9], x
out = {"made_with": f"sentence-transformers {sentence_transformers.__version__}"}
for name, function in (("cosine", util.cos_sim), ("dot", util.dot_score)):
    found = util.semantic_search(queries, corpus, top_k=8, score_function=function)
    out[name] = [[[hit["corpus_id"], hit["score"]] for hit in hits] for hits in found]
out["pairs"] = util.paraphrase_mining_embeddings(x, top_k=5, max_pairs=150)
out["communities"] = util.community_detection(x, threshold=0.75, min_community_size=4)

# Equal scores stand in any order there: ours is the lower row first.
for name in ("cosine", "dot"):
    out[name] = [sorted(hits, key=lambda h: (-round(h[1], 12), h[0])) for hits in out[name]]
out["pairs"].sort(key=lambda p: (-round(p[0], 12), p[1], p[2]))
(folder / "reference.json").write_text(json.dumps(out) + "\n")
