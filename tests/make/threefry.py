"""The draws of sembed's random ops, written again from their description in core/kernels/threefry.h and
random.c: Threefry-2x32 with 20 rounds (Salmon et al. 2011) in Python's whole numbers. No array, no f32."""
import math

import torch

MASK = 2**32 - 1
TURNS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry(key, counter):
    k = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    a, b = (counter[0] + k[0]) & MASK, (counter[1] + k[1]) & MASK
    for i in range(20):
        a = (a + b) & MASK
        b = ((b << TURNS[i % 8] | b >> 32 - TURNS[i % 8]) & MASK) ^ a
        if i % 4 == 3:
            n = i // 4 + 1
            a, b = (a + k[n % 3]) & MASK, (b + k[(n + 1) % 3] + n) & MASK
    return a, b


assert threefry((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)  # the published vectors
assert threefry((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0)


def row_key(key, place, row):
    seed, step, stream = (int(k) & MASK for k in key)
    return threefry(threefry((seed, step), (stream, place)), (row, 0))


def by_element(draw, dtype=torch.float64):
    """key, dims, place -> the tensor of draw(row key, i), where i counts within the last axis."""
    def run(key, dims, place=0):
        width = dims[-1] if dims else 1
        rows = math.prod(dims) // width if width else 0
        keys = [row_key(key.tolist(), place, r) for r in range(rows)]
        return torch.tensor([draw(k, i) for k in keys for i in range(width)], dtype=dtype).reshape(dims)
    return run


def bits(row, i):
    a, b = threefry(row, (i, 0))
    return a << 32 | b


def pair(row, i, attempt=0):
    """Two normal numbers (Box and Muller 1958)."""
    a, b = threefry(row, (i, attempt))
    radius, angle = math.sqrt(-2 * math.log((a // 2 + 0.5) / 2**31)), (b >> 8) / 2**24 * 2 * math.pi
    return radius * math.cos(angle), radius * math.sin(angle)


uniform = by_element(lambda row, i: (threefry(row, (i // 2, 0))[i % 2] >> 8) / 2**24)
normal = by_element(lambda row, i: pair(row, i // 2)[i % 2])


def truncated(low, high):
    def draw(row, i):
        attempt = 0
        while True:
            for v in pair(row, i, attempt):
                if low <= v <= high:
                    return v
            attempt += 1
    return by_element(draw)


def integers(low, high):
    return by_element(lambda row, i: low + (bits(row, i) * (high - low) >> 64), torch.int64)


def bernoulli(key, p, place=0):
    at = iter(p.reshape(-1).tolist())
    return by_element(lambda row, i: bits(row, i) < next(at) * 2**64, torch.bool)(key, list(p.shape), place)


def categorical(key, logits, draws, place=0):
    c = logits.shape[-1]
    out = []
    for r, row in enumerate(logits.reshape(-1, c)):
        sums = (row - row.max()).exp().cumsum(0)
        for k in range(draws):
            share = (bits(row_key(key.tolist(), place, r), k) >> 11) / 2**53
            out.append(int((sums <= share * sums[-1]).sum()))
    return torch.tensor(out, dtype=torch.int64).reshape(*logits.shape[:-1], draws)


def permutation(key, n, place=0):
    row, order = row_key(key.tolist(), place, 0), []
    for i in range(n):
        j = bits(row, i) * (i + 1) >> 64
        order.append(i)
        order[i], order[j] = order[j], order[i]
    return torch.tensor(order, dtype=torch.int64)
