"""References for optimizers, moving averages and schedules by PyTorch and transformers, in float64:
python tests/make/optimizers.py
Writes tests/data/objectives/optimizers.json: three named parameters, their gradients in each of six
steps, the parameters after each step by each optimizer, and rates by each schedule."""
import json
import pathlib

import torch
import transformers
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

folder = pathlib.Path(__file__).parent.parent / "data" / "objectives"
torch.manual_seed(12)
STEPS = 6
NAMES = {"dense.weight": (3, 4), "dense.bias": (4,), "norm.weight": (4,)}


def rounded(x):
    return x.float().double()


start = {n: rounded(torch.randn(s)) for n, s in NAMES.items()}
grads = [{n: rounded(torch.randn(s) * (1 + 2 * (t == 2))) for n, s in NAMES.items()} for t in range(STEPS)]
rates = [0.0, 0.05, 0.1, 0.08, 0.05, 0.02]
cases, averages = {}, {}


def run(name, optimizer, frozen=(), clip=None, clip_value=None, ema=None):
    """optimizer(named) -> a torch optimizer over groups with "factor"; the values after each step."""
    named = {n: torch.nn.Parameter(x.clone()) for n, x in start.items()}
    trained = {n: p for n, p in named.items() if n not in frozen}
    opt = optimizer(trained)
    holder = torch.nn.ParameterDict({n.replace(".", "_"): p for n, p in named.items()})
    average = AveragedModel(holder, multi_avg_fn=get_ema_multi_avg_fn(ema)) if ema else None
    if average:
        average.update_parameters(holder)  # the first takes the values as they are
    after, norms, means = [], [], []
    for t in range(STEPS):
        for n, p in trained.items():
            p.grad = grads[t][n].clone()
        norms.append(torch.nn.utils.get_total_norm([p.grad for p in trained.values()]).item())
        if clip:
            torch.nn.utils.clip_grad_norm_(trained.values(), clip)
        if clip_value:
            torch.nn.utils.clip_grad_value_(trained.values(), clip_value)
        for group in opt.param_groups:
            group["lr"] = rates[t] * group.get("factor", 1)
        opt.step()
        after.append({n: p.tolist() for n, p in named.items()})
        if average:
            average.update_parameters(holder)
            means.append({n: average.module[n.replace(".", "_")].tolist() for n in named})
    cases[name] = {"after": after, "norms": norms}
    if means:
        averages[name] = means


def grouped(make, **default):
    """No decay for biases and norms, a tenth of the rate for norms."""
    def optimizer(named):
        return make([
            {"params": [named["dense.weight"]], "factor": 1},
            {"params": [named["dense.bias"]], "factor": 1, "weight_decay": 0},
            {"params": [named["norm.weight"]], "factor": 0.1, "weight_decay": 0},
        ], **default)
    return optimizer


def plain(make, **default):
    return lambda named: make(list(named.values()), **default)


AdamW, SGD = torch.optim.AdamW, torch.optim.SGD
run("adamw", plain(AdamW, lr=1, weight_decay=0.1))
run("adamw, groups", grouped(AdamW, lr=1, weight_decay=0.1), ema=0.9)
run("adamw, frozen", plain(AdamW, lr=1, weight_decay=0.1), frozen=("dense.weight",), clip=1.0)
run("adamw, clip_value", plain(AdamW, lr=1, weight_decay=0), clip_value=0.5)
run("sgd", plain(SGD, lr=1, weight_decay=0.1))
run("sgd, momentum", plain(SGD, lr=1, momentum=0.9, weight_decay=0.1), clip=1.0)
run("sgd, nesterov", plain(SGD, lr=1, momentum=0.9, nesterov=True, weight_decay=0.1))
run("sgd, groups", grouped(SGD, lr=1, momentum=0.9, weight_decay=0.1), clip_value=0.5)
run("sgd, frozen", plain(SGD, lr=1, momentum=0.9), frozen=("norm.weight",), ema=0.99)


def schedule(make):
    """The rates of steps 1 to 30, of 25 with a warm-up of 5 where there is one; the highest is 2."""
    opt = SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    s, list_ = make(opt), []
    for _ in range(30):
        list_.append(s.get_last_lr()[0])
        opt.step()
        s.step()
    return list_


t = transformers
schedules = {
    "constant": schedule(lambda o: t.get_constant_schedule_with_warmup(o, 5)),
    "linear": schedule(lambda o: t.get_linear_schedule_with_warmup(o, 5, 25)),
    "cosine": schedule(lambda o: t.get_cosine_schedule_with_warmup(o, 5, 25)),
    "cosine, cycles": schedule(lambda o: t.get_cosine_with_hard_restarts_schedule_with_warmup(o, 5, 25, 3)),
    # No warm-up; cycles of 4, 8 and 16 steps: 28 in all.
    "cosine, growth": schedule(lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, 0.25)),
}
out = {
    "made_with": f"torch {torch.__version__}, transformers {transformers.__version__}",
    "names": list(NAMES), "start": {n: x.tolist() for n, x in start.items()},
    "grads": [{n: x.tolist() for n, x in g.items()} for g in grads],
    "rates": rates, "cases": cases, "averages": averages, "schedules": schedules,
}
(folder / "optimizers.json").write_text(json.dumps(out) + "\n")
print(len(cases), "optimizers,", len(schedules), "schedules")
