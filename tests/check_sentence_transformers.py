"""Loads folders that sembed wrote in sentence-transformers, and the reverse, and compares vectors.

    python3 -m pip install sentence-transformers     (tried with 6.2.0, torch 2.13.0 for CPU)
    build/sembed encode model=FOLDER in=TEXTS.jsonl field=text out=VECTORS.npy
    python3 tests/check_sentence_transformers.py FOLDER TEXTS.jsonl VECTORS.npy [TOLERANCE]
    python3 tests/check_sentence_transformers.py --modules build/sembed

Lines of TEXTS.jsonl have "text"; with "-" for VECTORS.npy they have "vector", too. Prints the
largest absolute difference and the text it is at. Exit status: 0 when it is at most TOLERANCE
(1e-5: two orders of summation in f32, vectors of length 1); 1 when it is larger or the folder does
not load; 77 when sentence-transformers is not installed.

With --modules: folders with every pooling mode, dense layers and prompts, in both layouts
(tests/make/modules.py), written by sentence-transformers, opened and saved by sembed, and the saved
ones opened by sentence-transformers: all three have the same vectors, within 1e-5 of the largest.
"""

import json
import os
import subprocess
import sys
import tempfile

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


def vectors_of(folder, texts):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    return {
        "plain": model.encode(texts),
        "short": model.encode(texts, truncate_dim=4, normalize_embeddings=True),
        "prompt": model.encode(texts, prompt="passage: "),
    }


def compare(name, wanted, got, numpy):
    worst = 0.0
    for kind, want in wanted.items():
        have = numpy.array(got[kind], dtype=numpy.float64)
        if have.shape != want.shape:
            print(f"{name}, {kind}: shapes differ: {have.shape}, {want.shape} wanted")
            return float("inf")
        worst = max(worst, numpy.abs(have - want).max() / max(1, numpy.abs(want).max()))
    return worst


def check_modules(sembed, tolerance=1e-5):
    try:
        import numpy
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error}")
        return 77
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, f"{here}/make")
    import modules

    with tempfile.TemporaryDirectory() as work:
        names = modules.write_folders(work)
        with open(f"{work}/cases.json", "w", encoding="utf-8") as out:
            json.dump({"names": names, "texts": modules.TEXTS}, out)
        subprocess.run([sembed, f"{here}/round_trip.lua", work], check=True)
        here_worst = back_worst = 0.0
        for name in names:
            wanted = vectors_of(f"{work}/{name}", modules.TEXTS)
            with open(f"{work}/{name}.json", encoding="utf-8") as f:
                ours = compare(name, wanted, json.load(f), numpy)
            back = compare(name, wanted, vectors_of(f"{work}/{name}.saved", modules.TEXTS), numpy)
            here_worst, back_worst = max(here_worst, ours), max(back_worst, back)
            if max(ours, back) > tolerance:
                print(f"{name}: off by {ours:.3g} here, {back:.3g} when saved and loaded there")
    print(
        f"{len(names)} folders of sentence-transformers: off by {here_worst:.3g} at most here,"
        f" {back_worst:.3g} when saved here and loaded there (allowed {tolerance:.3g})"
    )
    return 0 if max(here_worst, back_worst) <= tolerance else 1


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--modules":
        sys.exit(check_modules(sys.argv[2]))
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:4], *map(float, sys.argv[4:])))
