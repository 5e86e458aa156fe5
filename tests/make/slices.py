"""tests/data/slices/slices.txt: what Python's own slices give, for tests/lua/test_arrange.lua.

Each line: size start stop step, then the items taken, joined by commas ("-": none).
    python3 tests/make/slices.py > tests/data/slices/slices.txt
"""

for size in (0, 1, 5):
    for start in range(-7, 8):
        for stop in range(-7, 8):
            for step in (-9, -2, -1, 1, 3):
                items = list(range(size))[start:stop:step]
                if size == 5 or (start + stop) % 3 == 0:
                    print(size, start, stop, step, ",".join(map(str, items)) or "-")
