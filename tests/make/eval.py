#!/usr/bin/env python3
"""Makes tests/data/eval: small tasks for `sembed eval`, and what others compute for them.

    python tests/make/eval.py            (needs numpy, scipy, torch, sentence-transformers, pytrec_eval)
    python tests/make/eval.py MODELS     real.json alone, with the folders of real models in MODELS

correlations.json   lists of numbers with scipy's pearsonr and spearmanr
rankings.json       qrels and runs with pytrec_eval's (trec_eval's) ndcg, map, recall, P; BEIR's MRR
sts.tsv, pairs.jsonl, triplets.jsonl, beir/     tasks made of recipes/data/test.jsonl.gz
expected.json       those tasks with tests/data/tiny-mpnet in float64: sentence-transformers'
                    evaluators where they compute the number, else a few lines of numpy here
real.json           all-mpnet-base-v2 and all-MiniLM-L6-v2 in float32 on the first test pairs: 1-of-100
"""
import gzip
import json
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytrec_eval
import torch
from scipy.stats import pearsonr, spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import evaluation

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/data/eval"
CUTOFFS = [1, 3, 5, 10, 100]
SIMILARITIES = ["cosine", "dot", "euclidean", "manhattan"]
rng = random.Random(7)


def write_lines(path, objects):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects))


# --- numbers alone ---
def correlation_cases():
    def case(name, x, y):
        def value(f):
            r = float(f(x, y)[0])
            return None if math.isnan(r) else r

        return {"name": name, "x": x, "y": y, "pearson": value(pearsonr), "spearman": value(spearmanr)}

    r = np.random.default_rng(1)
    x = r.normal(size=50)
    big = 1e8 + r.normal(size=20)
    cases = [
        case("fifty", x.tolist(), (x + r.normal(size=50)).tolist()),
        case("ties", r.integers(0, 5, 40).tolist(), r.integers(0, 3, 40).tolist()),
        case("all but one equal", [2.0] * 9 + [3.0], list(range(10))),
        case("opposite", [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
        case("two", [1.0, 2.0], [5.0, 4.0]),
        case("far from zero", big.tolist(), (big + r.normal(size=20)).tolist()),
        case("constant", [0.1] * 7, list(range(7))),
        case("both constant", [1.0] * 4, [2.0] * 4),
    ]
    cases.append({"name": "one pair", "x": [1.0], "y": [2.0], "pearson": None, "spearman": None})
    return cases


def trec(qrels, run):
    """What BEIR asks of pytrec_eval, of ranked lists: the best score for the first."""
    scored = {q: {d: float(len(docs) - i) for i, d in enumerate(docs)} for q, docs in run.items()}
    cut = ",".join(map(str, CUTOFFS))
    names = {f"{m}.{cut}" for m in ("ndcg_cut", "map_cut", "recall", "P")}
    return pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(scored)


def metrics_of(qrels, run):
    """One query's numbers by our names, MRR as beir/retrieval/custom_metrics.py has it."""
    all_queries = {}
    for q, found in trec(qrels, run).items():
        m = {}
        for k in CUTOFFS:
            m[f"ndcg@{k}"] = found[f"ndcg_cut_{k}"]
            m[f"map@{k}"] = found[f"map_cut_{k}"]
            m[f"recall@{k}"] = found[f"recall_{k}"]
            m[f"precision@{k}"] = found[f"P_{k}"]
            good = [i for i, d in enumerate(run[q][:k]) if qrels[q].get(d, 0) > 0]
            m[f"mrr@{k}"] = 1 / (good[0] + 1) if good else 0.0
        all_queries[q] = m
    return all_queries


def ranking_cases():
    cases = []

    def add(name, qrel, docs):
        m = metrics_of({"q": qrel}, {"q": docs})["q"]
        cases.append({"name": name, "found": [qrel.get(d, 0) for d in docs], "judged": list(qrel.values()),
                      "metrics": m})

    docs = [f"d{i}" for i in range(130)]
    add("first", {"d0": 1}, docs)
    add("fourth", {"d3": 1}, docs)
    add("behind all cutoffs", {"d120": 1}, docs)
    add("not found", {"missing": 1}, docs)
    add("graded", {"d0": 1, "d2": 3, "d5": 2, "d7": 0, "missing": 3}, docs)
    add("negative judgement", {"d0": -1, "d1": 2, "d2": -2}, docs)
    add("nothing relevant", {"d0": 0, "d1": 0}, docs)
    add("fewer found than k", {"d0": 1, "d2": 1, "d3": 1}, docs[:2])
    for i in range(20):
        judged = {d: rng.choice([0, 0, 1, 1, 2, 3]) for d in rng.sample(docs, rng.choice([3, 20, 60]))}
        add(f"random {i}", judged, rng.sample(docs, len(docs)))
    return cases


# --- tasks ---
def texts():
    with gzip.open(ROOT / "recipes/data/test.jsonl.gz", "rt") as f:
        return [json.loads(line) for line in f]


def similarities(a, b):
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return {"cosine": (unit(a) * unit(b)).sum(-1), "dot": (a * b).sum(-1),
            "euclidean": -np.linalg.norm(a - b, axis=-1), "manhattan": -np.abs(a - b).sum(-1)}


def apart(values, gap):
    """Float32 must not change the order: distinct values differ by more than it can err."""
    steps = np.diff(np.sort(np.asarray(values)))
    near = (steps > 1e-14) & (steps < gap)
    assert not near.any(), f"too near: {steps[near]}"


def sts_task(model, pairs):
    rows = []
    for i in range(60):
        a = pairs[i]["context"]
        b = a if i == 3 else pairs[i + (i % 3)]["response"]
        rows.append((a, b, rng.choice([0, 0.5, 1, 2, 2.5, 3, 4, 5])))
    rows[40], rows[50] = rows[10], rows[20][:2] + (0.5,)  # equal similarities
    (OUT / "sts.tsv").write_text("".join(f"{a}\t{b}\t{s}\n" for a, b, s in rows))
    first, second, scores = (list(column) for column in zip(*rows))
    seen = similarities(model.encode(first), model.encode(second))
    for name, values in seen.items():
        apart(values, 2e-6 if name != "euclidean" else 2e-5)
    found = evaluation.EmbeddingSimilarityEvaluator(first, second, scores, similarity_fn_names=SIMILARITIES,
                                                    write_csv=False)(model)
    result = {k: v for k, v in found.items() if not k.endswith("_max")}
    for name, values in seen.items():  # equal texts of two batches differ by 1e-16 there
        rho = float(spearmanr(scores, np.round(values, 9))[0])
        assert abs(rho - result[f"spearman_{name}"]) < 1e-3
        result[f"spearman_{name}"] = rho
    return result


def ranks_of(scores):
    own = np.diag(scores)[:, None]
    earlier = np.tril(np.ones_like(scores, dtype=bool), -1)
    near = (np.abs(scores - own) < 1e-6) & (scores != own)
    assert not near.any(), "too near"
    return 1 + (scores > own).sum(1) + ((scores == own) & earlier).sum(1)


def pair_numbers(ranks, cutoffs):
    m = {"accuracy": float((ranks <= 1).mean()), "mrr": float((1 / ranks).mean())}
    return m | {f"recall@{k}": float((ranks <= k).mean()) for k in cutoffs}


def pairs_task(model, pairs):
    rows = [[p["context"], p["response"]] for p in pairs[100:230]]
    rows[7][1] = rows[3][1]  # an equal response in a block, later and
    rows[45][1] = rows[55][1]  # earlier
    write_lines(OUT / "pairs.jsonl", [{"context": a, "response": b} for a, b in rows])
    a, b = (model.encode([r[i] for r in rows]) for i in range(2))
    for i, j in (7, 3), (45, 55):
        b[i] = b[j]
    scores = a @ b.T
    blocks = np.concatenate([ranks_of(scores[i:i + 20, i:i + 20]) for i in range(0, 120, 20)])
    whole = {f"{k}_all": v for k, v in pair_numbers(ranks_of(scores), [3, 5, 10, 100]).items()}
    return pair_numbers(blocks, [3, 5, 10]) | whole


def triplets_task(model, pairs):
    rows = [[p["context"], p["response"], pairs[i + 1]["response"]] for i, p in enumerate(pairs[300:350], 300)]
    rows[4][2] = rows[4][1]  # a tie is wrong
    write_lines(OUT / "triplets.jsonl", rows)
    a, p, n = (model.encode([r[i] for r in rows]) for i in range(3))
    found = evaluation.TripletEvaluator(*zip(*rows), similarity_fn_names=SIMILARITIES, write_csv=False)(model)
    result = {}
    for (name, good), bad in zip(similarities(a, p).items(), similarities(a, n).values()):
        difference = good - bad
        difference[4] = 0  # 1e-16 there, since batches differ
        assert (np.abs(np.delete(difference, 4)) > 2e-5).all(), f"{name}: too near"
        result[f"accuracy_{name}"] = float((difference > 0).mean())
        assert abs(result[f"accuracy_{name}"] - found[f"{name}_accuracy"]) < 0.021, "one of 50 at most"
    return result


def ranking(model, corpus, query):
    texts = [(d.get("title", "") + " " + d["text"]).strip() for d in corpus]  # as BEIR joins them
    scores = model.encode(texts) @ model.encode(query["text"])
    scores[30] = scores[20]
    apart(scores, 1e-6)
    order = sorted(range(len(corpus)), key=lambda i: (-scores[i], i))
    return [corpus[i]["_id"] for i in order if corpus[i]["_id"] != query["_id"]]


def beir_files(model, pairs):
    corpus = []
    for i, p in enumerate(pairs[400:540]):
        doc = {"_id": f"doc{i}", "title": "", "text": p["response"]}
        if i % 3 == 0:
            doc["title"] = " ".join(p["context"].split()[:3])
        if i % 10 == 9:
            del doc["title"]
        corpus.append(doc)
    corpus[30]["text"], corpus[30]["title"] = corpus[20]["text"], corpus[20].get("title", "")  # equal documents
    corpus[31]["text"] = corpus[31]["title"] = ""
    queries = [{"_id": f"q{i}", "text": pairs[400 + 7 * i]["context"]} for i in range(16)]
    queries[2] = {"_id": "doc5", "text": corpus[5]["text"]}  # its own document is not to be found
    qrels = {"test": [], "dev": []}
    for i, q in enumerate(queries):
        lines = qrels["dev" if i >= 13 else "test"]
        chosen = set(rng.sample(ranking(model, corpus, q)[:14], 4) + [f"doc{rng.randrange(140)}"])
        lines += [(q["_id"], d, 0 if i == 6 else rng.choice([0, 1, 1, 2])) for d in sorted(chosen)]
    qrels["test"] += [("q1", "gone", 1), ("q3", "gone too", 0), ("doc5", "doc5", 2), ("q4", "doc20", 2)]
    folder = OUT / "beir"
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", queries)
    (folder / "qrels").mkdir(exist_ok=True)
    for split, lines in qrels.items():
        text = "".join(f"{q}\t{d}\t{r}\n" for q, d, r in lines)
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + text)
    return corpus, queries, qrels


def beir_task(model, corpus, queries, lines):
    qrels = {}
    for q, d, r in lines:
        qrels.setdefault(q, {})[d] = r
    run = {q["_id"]: ranking(model, corpus, q)[:100] for q in queries if q["_id"] in qrels}
    each = metrics_of(qrels, run)
    assert len(each) == len(qrels)
    return {k: float(np.mean([m[k] for m in each.values()])) for k in next(iter(each.values()))}


def real(models, n=400):
    pairs, result = texts()[:n], {}
    for name in "all-mpnet-base-v2", "all-MiniLM-L6-v2":
        model = SentenceTransformer(f"{models}/{name}", device="cpu")
        a, b = (model.encode([p[key] for p in pairs], batch_size=16) for key in ("context", "response"))
        ranks = [ranks_of(a[i:i + 100] @ b[i:i + 100].T) for i in range(0, n, 100)]
        result[name] = {"pairs": n, "metrics": pair_numbers(np.concatenate(ranks), [3, 5, 10])}
    (OUT / "real.json").write_text(json.dumps(result, indent=1) + "\n")


def main():
    model = SentenceTransformer(str(ROOT / "tests/data/tiny-mpnet"), device="cpu").to(torch.float64)
    pairs = texts()
    OUT.mkdir(parents=True, exist_ok=True)
    for name, cases in ("correlations", correlation_cases()), ("rankings", ranking_cases()):
        (OUT / f"{name}.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
    corpus, queries, qrels = beir_files(model, pairs)
    expected = {"sts": sts_task(model, pairs), "pairs": pairs_task(model, pairs),
                "triplets": triplets_task(model, pairs),
                "beir": {split: beir_task(model, corpus, queries, lines) for split, lines in qrels.items()}}
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    real(sys.argv[1]) if len(sys.argv) > 1 else main()
