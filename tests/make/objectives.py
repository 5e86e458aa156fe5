"""References for the losses by sentence-transformers and PyTorch, in float64:
python tests/make/objectives.py
Writes tests/data/objectives/losses.json: the vectors all cases share, and for each case the value
and the gradients with respect to every tensor that the loss is a function of."""
import json
import pathlib

import sentence_transformers
import torch
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses.matryoshka import shrink
from torch.nn.functional import cosine_similarity, normalize

folder = pathlib.Path(__file__).parent.parent / "data" / "objectives"
torch.manual_seed(11)
ROWS, DIMS, SCALE = 6, 8, 20.0
MASK_SCALE = 2.0  # every score that is masked or not must show in the value


def rounded(x):
    """Numbers that are the same in float32 and float64."""
    return x.float().double()


base = torch.randn(ROWS, DIMS)
given = {
    "a": rounded(base),
    "b": rounded(base + 0.9 * torch.randn(ROWS, DIMS)),
    "n1": rounded(base + 1.5 * torch.randn(ROWS, DIMS)),
    "n2": rounded(torch.randn(ROWS, DIMS)),
    "labels": rounded(torch.tensor([1.0, 0.2, 0.2, 0.8, 0.0, 0.55])),
    "margins": rounded(torch.randn(ROWS, 2)),
    "scores": rounded(torch.randn(ROWS, 3)),
    "log_scale": rounded(torch.tensor(2.5)),
}
# Numbers of the texts of a, b and n1: pairs 0 and 3 share their b, 1 and 4 their a; the b of 2 is both
# texts of 5, and the negative of 4; the negative of 1 is its own b.
same = [[0, 1, 2, 3, 1, 4], [5, 6, 4, 5, 7, 4], [9, 6, 10, 11, 4, 12]]

model = torch.nn.Identity()  # the losses are called with vectors
cases = {}


def case(name, function, *inputs):
    """function(*inputs) -> value, stored with its gradients."""
    leaves = [given[i].clone().requires_grad_(i not in ("labels", "margins", "scores")) for i in inputs]
    value = function(*leaves)
    wanted = [x for x in leaves if x.requires_grad]
    grads = torch.autograd.grad(value, wanted, allow_unused=True)
    names = [i for i, x in zip(inputs, leaves) if x.requires_grad]
    cases[name] = {
        "value": value.item(),
        "grads": {i: g.tolist() for i, g in zip(names, grads) if g is not None},
    }


def ranking(**options):
    loss = losses.MultipleNegativesRankingLoss(model, scale=SCALE, **options)
    return lambda *v: loss.compute_loss_from_embeddings(list(v), None)


ALL = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
BOTH = dict(directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction")
case("one_way", ranking(), "a", "b")
case("one_way, negatives", ranking(), "a", "b", "n1", "n2")
case("symmetric", ranking(**BOTH), "a", "b")
case("symmetric, negatives", ranking(**BOTH), "a", "b", "n1", "n2")
case("joint", ranking(directions=ALL), "a", "b")
case("joint, negatives", ranking(directions=ALL), "a", "b", "n1", "n2")
case("joint, a_with_a", ranking(directions=ALL[:2]), "a", "b")
case("joint, b_with_a", ranking(directions=("query_to_doc", "doc_to_query")), "a", "b")
case("joint, b_with_b", ranking(directions=("query_to_doc", "doc_to_doc")), "a", "b", "n1")
for mode in ("in_batch_negatives", "hard_negatives", "all_negatives"):
    case(f"hardness, {mode}", ranking(hardness_mode=mode, hardness_strength=9.0), "a", "b", "n1", "n2")
case("symmetric, hardness", ranking(hardness_mode="in_batch_negatives", hardness_strength=9.0, **BOTH), "a", "b")


def learned(a, b, log_scale):
    scores = normalize(a, dim=1) @ normalize(b, dim=1).T * log_scale.exp()
    own = torch.arange(ROWS)
    ce = torch.nn.functional.cross_entropy
    return (ce(scores, own) + ce(scores.T, own)) / 2


case("symmetric, learned scale", learned, "a", "b", "log_scale")


# Equal texts, by the definition, one score after another.
def share(i, j):
    return bool({same[0][i], same[1][i]} & {same[0][j], same[1][j]})


def masked_terms(i, rows, columns, kind):
    """The scores of row i that count. kind: "pair" (texts of pairs), "hard" (a column of negatives)."""
    for j in range(ROWS):
        if kind == "hard":
            if same[2][j] in (same[0][i], same[1][i]):
                continue
        elif i != j and share(i, j):
            continue
        yield j, rows[i] @ columns[j] * MASK_SCALE


def masked(kinds):
    def loss(*vectors):
        v = [normalize(x, dim=1) for x in vectors]
        a, b = v[0], v[1]
        total = 0
        for i in range(ROWS):
            softmax = {"forward": [s for _, s in masked_terms(i, a, b, "pair")]}
            for n in v[2:]:
                softmax["forward"] += [s for _, s in masked_terms(i, a, n, "hard")]
            own = a[i] @ b[i] * MASK_SCALE
            if kinds == "joint":
                more = softmax["forward"]
                more += [s for j, s in masked_terms(i, a, a, "pair") if i != j]
                more += [s for _, s in masked_terms(i, b, a, "pair")]
                more += [s for j, s in masked_terms(i, b, b, "pair") if i != j]
                for n in v[2:]:
                    more += [s for j, s in masked_terms(i, b, n, "hard") if i != j]
            elif kinds == "symmetric":
                softmax["back"] = [s for _, s in masked_terms(i, b, a, "pair")]
            terms = [torch.logsumexp(torch.stack(x), 0) - own for x in softmax.values()]
            total = total + sum(terms) / len(terms)
        return total / ROWS

    return loss


for kind in ("one_way", "symmetric", "joint"):
    case(f"{kind}, masked", masked(kind), "a", "b", "n1")

cosent = losses.CoSENTLoss(model, scale=SCALE)
case("cosent", lambda a, b, y: cosent.compute_loss_from_embeddings([a, b], y), "a", "b", "labels")
# CosineSimilarityLoss makes its labels float32; the formula is its own.
case("cosine_mse", lambda a, b, y: torch.nn.functional.mse_loss(cosine_similarity(a, b), y), "a", "b", "labels")
margin = losses.MarginMSELoss(model)
case("margin_mse", lambda q, p, n, y: margin.compute_loss_from_embeddings([q, p, n], y), "a", "b", "n1", "labels")
two = lambda q, p, n, m, y: margin.compute_loss_from_embeddings([q, p, n, m], y)
case("margin_mse, margins", two, "a", "b", "n1", "n2", "margins")
case("margin_mse, scores", two, "a", "b", "n1", "n2", "scores")
mse = losses.MSELoss(model)
case("vector_mse", lambda a, t: mse.compute_loss_from_embeddings([a], [t.detach()]), "a", "b")
case("vector_mse, columns", lambda a, b, t, u: mse.compute_loss_from_embeddings([a, b], [t.detach(), u.detach()]),
     "a", "b", "n1", "n2")
triplet = losses.TripletLoss(model)
case("triplet", lambda *v: triplet.compute_loss_from_embeddings(list(v), None), "a", "b", "n1")
by_cosine = losses.TripletLoss(model, distance_metric=losses.TripletDistanceMetric.COSINE, triplet_margin=0.3)
case("triplet, cosine", lambda *v: by_cosine.compute_loss_from_embeddings(list(v), None), "a", "b", "n1")


def matryoshka(loss, dims, weights, vectors):
    """MatryoshkaLoss: the sum over dims of weight * loss of shrunk vectors."""
    def value(*x):
        return sum(w * loss(*[shrink(v, d) for v in x[:vectors]], *x[vectors:]) for d, w in zip(dims, weights))
    return value


case("matryoshka", matryoshka(ranking(**BOTH), (8, 4, 2), (1.0, 0.5, 0.25), 2), "a", "b")
case("matryoshka, cosent", matryoshka(
    lambda a, b, y: cosent.compute_loss_from_embeddings([a, b], y), (8, 3), (1.0, 1.0), 2), "a", "b", "labels")

out = {
    "made_with": f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}",
    "scale": SCALE, "mask_scale": MASK_SCALE, "same": same,
    "given": {name: x.tolist() for name, x in given.items()},
    "cases": cases,
}
folder.mkdir(exist_ok=True)
(folder / "losses.json").write_text(json.dumps(out) + "\n")
print(len(cases), "cases")
