"""Ops a second of the chain of ops.lua in PyTorch (eager) and numpy: python ops.py [SECONDS=1] [THREADS=2]"""
import sys
import time

import numpy as np
import torch

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 2)


def rate(f, x):
    start, calls = time.perf_counter(), 0
    f(x)
    while True:
        for _ in range(10):
            f(x)
        calls += 10
        took = time.perf_counter() - start
        if took > seconds:
            return calls / took


def with_torch(x):
    y = x
    for _ in range(10):
        y = torch.tanh((y + x) * 0.5)


def with_numpy(x):
    y = x
    for _ in range(10):
        y = np.tanh((y + x) * np.float32(0.5))


for rows, columns in (64, 64), (1000, 768):
    x = np.random.default_rng(1).standard_normal((rows, columns), dtype=np.float32)
    size = f"{rows}x{columns}"
    with torch.no_grad():
        print("torch", size, round(30 * rate(with_torch, torch.from_numpy(x))))
    print("numpy", size, round(30 * rate(with_numpy, x)))
