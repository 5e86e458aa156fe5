"""tests/data/npy/*.npy: arrays as numpy writes them, for tests/lua/test_arrays.lua.

    python3 tests/make/npy.py tests/data/npy
"""

import sys

import numpy as np

folder = sys.argv[1]
plain = np.arange(24).reshape(2, 3, 4) - 5
for dtype in ("f2", "f4", "f8", "i1", "i2", "i4", "i8"):
    np.save(f"{folder}/{dtype}.npy", plain.astype(dtype))
for dtype in ("u1", "u2", "u4", "u8"):
    np.save(f"{folder}/{dtype}.npy", (plain + 5).astype(dtype))
np.save(f"{folder}/b1.npy", plain % 3 == 0)
np.save(f"{folder}/fortran.npy", np.asfortranarray(plain.astype("f4")))
np.save(f"{folder}/scalar.npy", np.array(2.5))
np.save(f"{folder}/empty.npy", np.zeros((0, 3), "f4"))
np.save(f"{folder}/vector.npy", np.array([1.5, -2.0], "f4"))
np.save(f"{folder}/large.npy", np.array([1, 2**31]))
np.save(f"{folder}/largest.npy", np.array([2**63], "u8"))
np.save(f"{folder}/complex.npy", np.array([1j]))
