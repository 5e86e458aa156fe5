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

# Hard negatives of texts that a table has the vectors of: 60 queries, one to three positives each.
class Table:
    device = "cpu"
    model_card_data = None

    def encode(self, texts, **_):
        return torch.nn.functional.normalize(x[[int(t.split()[1]) for t in texts]], dim=1).numpy()

    encode_query = encode_document = encode
    similarity = staticmethod(util.cos_sim)
    similarity_pairwise = staticmethod(util.pairwise_cos_sim)


try:
    from datasets import Dataset
except ImportError:  # only its columns are needed
    import sys
    import types

    class Dataset:
        def __init__(self, columns):
            self.columns, self.column_names = columns, list(columns)

        from_dict = classmethod(lambda cls, columns: cls(columns))

        def __len__(self):
            return len(self.columns[self.column_names[0]])

        def __getitem__(self, name):
            return self.columns[name]

        def to_pandas(self):
            return self

        def groupby(self, name):
            counts = {a: self.columns[name].count(a) for a in self.columns[name]}
            table = {other: counts for other in self.column_names if other != name}
            return types.SimpleNamespace(count=lambda: types.SimpleNamespace(to_dict=lambda: table))

    sys.modules["datasets"] = types.SimpleNamespace(Dataset=Dataset)
    from sentence_transformers.util import hard_negatives

    hard_negatives.is_datasets_available = lambda: True

anchors = [i for i in range(0, 120, 2) for _ in range(1 + i % 3)]
loose = [int(v) for v in rng.choice([i for i in range(200) if i not in (3, 150, 151, 7, 199)], len(anchors))]
out["anchors"] = [[a, b] for a, b in zip(anchors, loose)]
out["mined"] = []
for options in (
    {"num_negatives": 3},
    {"num_negatives": 2, "range_min": 4, "range_max": 12},
    {"num_negatives": 4, "max_score": 0.8, "min_score": 0.1},
    {"num_negatives": 3, "absolute_margin": 0.05},
    {"num_negatives": 3, "relative_margin": 0.1, "range_min": 1},
):
    dataset = Dataset.from_dict({"a": [f"text {a}" for a, _ in out["anchors"]], "b": [f"text {b}" for _, b in out["anchors"]]})
    mined = util.mine_hard_negatives(dataset, Table(), verbose=False, **options)
    columns = [[int(t.split()[1]) for t in mined[name]] for name in ("a", "b", "negative")]
    out["mined"].append({"options": options, "triplets": sorted(zip(*columns))})
(folder / "reference.json").write_text(json.dumps(out) + "\n")
