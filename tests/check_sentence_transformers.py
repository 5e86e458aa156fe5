"""Loads a folder that sembed wrote in sentence-transformers and compares the vectors.

    python3 -m pip install sentence-transformers     (tried with 6.2.0, torch 2.13.0 for CPU)
    build/sembed encode model=FOLDER in=TEXTS.jsonl field=text out=VECTORS.npy
    python3 tests/check_sentence_transformers.py FOLDER TEXTS.jsonl VECTORS.npy [TOLERANCE]

Lines of TEXTS.jsonl have "text"; with "-" for VECTORS.npy they have "vector", too. Prints the
largest absolute difference and the text it is at. Exit status: 0 when it is at most TOLERANCE
(1e-5: two orders of summation in f32, vectors of length 1); 1 when it is larger or the folder does
not load; 77 when sentence-transformers is not installed.
"""

import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the folder alone has to do
os.environ.setdefault("TQDM_DISABLE", "1")


def read(texts_path, vectors_path, numpy):
    with open(texts_path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not rows:
        sys.exit(f"{texts_path}: no lines")
    if vectors_path == "-":
        vectors = numpy.array([row["vector"] for row in rows])
    else:
        vectors = numpy.load(vectors_path)
    return [row["text"] for row in rows], vectors.astype(numpy.float64)


def main(folder, texts_path, vectors_path, tolerance=1e-5):
    try:
        import numpy
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        print(f"skipped: {error}")
        return 77
    texts, ours = read(texts_path, vectors_path, numpy)
    model = SentenceTransformer(folder, device="cpu")
    theirs = model.encode(texts, convert_to_numpy=True).astype(numpy.float64)
    if ours.shape != theirs.shape:
        print(f"shapes differ: sembed {ours.shape}, sentence-transformers {theirs.shape}")
        return 1
    difference = numpy.abs(ours - theirs).max(axis=1)
    worst = int(difference.argmax())
    length = numpy.linalg.norm(theirs, axis=1)
    print(
        f"{len(texts)} texts, {ours.shape[1]} dimensions, lengths {length.min():.4f}"
        f" to {length.max():.4f}"
    )
    print(
        f"largest difference {difference[worst]:.3g} (allowed {tolerance:.3g}),"
        f" median over texts {numpy.median(difference):.3g}, at: {texts[worst][:80]!r}"
    )
    return 0 if difference[worst] <= tolerance else 1


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:4], *map(float, sys.argv[4:])))
