"""References for wide, overlapping clusters by sentence-transformers: python tests/make/mining.py
Reads tests/data/search/vectors.npy, writes tests/data/mining/communities.json."""
import json
import pathlib

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import util

data = pathlib.Path(__file__).parent.parent / "data"
x = torch.tensor(np.load(data / "search" / "vectors.npy"), dtype=torch.float64)
score = util.cos_sim(x, x)
cases = []
for threshold, least in ((-0.5, 2), (-0.1, 2), (0.0, 5), (0.1, 3), (0.2, 1), (0.3, 12), (0.3, 60), (1.5, 1)):
    # No score lies so near to the threshold that f32 could decide otherwise.
    assert (score - threshold).abs().min() > 1e-6, threshold
    found = util.community_detection(x, threshold=threshold, min_community_size=least)
    # Equal scores stand in any order there: ours is the lower row first, after the centre.
    found = [[g[0]] + sorted(g[1:], key=lambda r: (-round(score[g[0], r].item(), 12), r)) for g in found]
    cases.append({"threshold": threshold, "least": least, "groups": found})
out = {"made_with": f"sentence-transformers {sentence_transformers.__version__}", "cases": cases}
(data / "mining" / "communities.json").write_text(json.dumps(out) + "\n")
