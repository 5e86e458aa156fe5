"""tests/data/einsum/einsum.json: numpy's einsum, for tests/lua/test_einsum.lua.

Inputs are quarters from -1.25 to 1.25 (element i of operand k is ((7 i + 3 k) mod 11 - 5) / 4), so
that every sum is exact in f32.
    python3 tests/make/einsum.py > tests/data/einsum/einsum.json
"""

import json

import numpy as np

CASES = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ij,kj->ik", (2, 3), (4, 3)), ("ji,jk", (3, 2), (3, 4)), ("ij,jk", (2, 3), (3, 4)),
    ("bij,bkj->bik", (2, 3, 4), (2, 5, 4)), ("bji,bjk->bik", (2, 3, 4), (2, 3, 5)),
    ("i,i->", (5,), (5,)), ("i,i->i", (5,), (5,)), ("i,j->ij", (3,), (4,)), ("i,j->ji", (3,), (4,)),
    ("ij->ji", (2, 3)), ("ij->i", (2, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)), ("ba", (2, 3)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (3, 3, 2)), ("iji->ij", (3, 2, 3)),
    ("iii->i", (2, 2, 2)), ("iijj->ij", (2, 2, 3, 3)), ("ii,ij->j", (3, 3), (3, 2)),
    ("ij,ij->i", (2, 3), (2, 3)), ("ij,ij->", (2, 3), (2, 3)), ("bi,bi->b", (4, 3), (4, 3)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("bhqk,bkhd->bqhd", (2, 2, 3, 5), (2, 5, 2, 4)), ("abcd,dcbe->ae", (2, 3, 2, 3), (3, 2, 3, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)),
    ("a,b,c->abc", (2,), (3,), (2,)), ("ij,j,i->", (2, 3), (3,), (2,)),
    ("ab,bc,cd,de->ae", (2, 3), (3, 2), (2, 4), (4, 2)), ("ij,kl->", (2, 3), (2, 2)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 4)), ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("...i->...", (2, 3, 4)), ("i...->i...", (2, 3, 4)), ("...", (2, 3)), ("i...j->j...i", (2, 3, 4)),
    ("...i,i", (2, 3), (3,)), ("...,...->...", (2, 3), (3,)), ("ij...,jk...->ik...", (2, 3, 2), (3, 2, 2)),
    ("ij,jk->ik", (0, 3), (3, 4)), ("ij,jk->ik", (2, 0), (0, 4)), (",->", (), ()), (",i->i", (), (3,)),
    ("Ab,bA", (2, 3), (3, 2)), ("ij , jk -> ik", (2, 3), (3, 2)), ("ij,ik,jk->jki", (2, 3), (2, 4), (3, 4)),
]


def operand(k, shape):
    n = int(np.prod(shape))
    return (((7 * np.arange(n) + 3 * k) % 11 - 5) / 4).reshape(shape)


print("[")
for n, (spec, *shapes) in enumerate(CASES):
    result = np.einsum(spec.replace(" ", ""), *[operand(k, s) for k, s in enumerate(shapes)])
    line = {"spec": spec, "shapes": shapes, "dims": result.shape, "values": result.ravel().tolist()}
    print(json.dumps(line, separators=(",", ":")) + ("," if n + 1 < len(CASES) else ""))
print("]")
