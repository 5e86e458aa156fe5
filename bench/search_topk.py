"""numpy and PyTorch (and faiss where it is installed) on the file of search_topk.lua."""
import sys
import time

import numpy as np
import torch
x = np.load(sys.argv[1], mmap_mode="c")
q, k = x[:100].copy(), 10
def best(name, f):
    times = []
    for _ in range(3):
        t = time.time(); r = f(); times.append(time.time() - t)
    print(f"{name}: {min(times):.3f} s, {2*x.shape[0]*x.shape[1]*100/min(times)/1e9:.1f} GFLOP/s")
    return r
def numpy_search():
    s = q @ x.T
    i = np.argpartition(-s, k, axis=1)[:, :k]
    return np.take_along_axis(i, np.argsort(-np.take_along_axis(s, i, 1), 1), 1)
X, Q = torch.from_numpy(x), torch.from_numpy(q)
r = best("torch", lambda: torch.topk(Q @ X.T, k, dim=1)[1]).numpy()
n = best("numpy", numpy_search)
try:
    import faiss
    index = faiss.IndexFlatIP(x.shape[1]); index.add(np.ascontiguousarray(x))
    best("faiss", lambda: index.search(q, k))
except ImportError:
    print("faiss is not installed")
