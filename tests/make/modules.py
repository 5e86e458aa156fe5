"""Writes tests/data/modules: folders of sentence-transformers with every pooling mode, dense layers,
prompts and both layouts, over one tiny BERT with random weights; expected.json holds their vectors
in float64.

    python3 tests/make/modules.py tests/data/modules     (sentence-transformers 6.2.0)

BERT's files stand once, in bert/; a case has its own modules.json and what it names. The test (and
make_case below) puts the two together.
"""

import json
import os
import shutil
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (Dense, LayerNorm, Normalize, Pooling,
                                                                Transformer)
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d e f g the cat sat on mat query passage : . , ! ? "
    "##a ##b ##c ##s ##t long text is here and there of one two three"
).split()
TEXTS = ["", "a", "the cat sat on the mat.", "cats, cats!", "query: the cat", "one two three?",
         "here is a long text of one two three and a cat on the mat and there and here " * 3,
         "bats [PAD] sat"]
SWITCHES = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens",
            "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
            "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}


def make_bert(path):
    os.makedirs(path)
    with open(f"{path}/vocab.txt", "w", encoding="utf-8") as out:
        out.write("\n".join(WORDS) + "\n")
    tokenizer = BertTokenizerFast(f"{path}/vocab.txt", model_max_length=32)
    config = BertConfig(vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=32, max_position_embeddings=40,
                        initializer_range=0.5)
    model = BertModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):
                p.add_(0.3 * torch.randn_like(p))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def older_layout(path):
    """The same folder as versions before 5 wrote it."""
    with open(f"{path}/modules.json", encoding="utf-8") as f:
        modules = json.load(f)
    for m in modules:
        m["type"] = "sentence_transformers.models." + m["type"].split(".")[-1]
        if m["type"].endswith("Pooling"):
            where = f"{path}/{m['path']}/config.json"
            with open(where, encoding="utf-8") as f:
                c = json.load(f)
            mode = c["pooling_mode"]
            old = {"word_embedding_dimension": c["embedding_dimension"]}
            for name, switch in SWITCHES.items():
                old[f"pooling_mode_{switch}"] = name == mode or name in mode
            old["include_prompt"] = c["include_prompt"]
            if isinstance(mode, str):
                old = {k: v if not k.startswith("pooling_mode_") else
                       k == f"pooling_mode_{SWITCHES[mode]}" for k, v in old.items()}
            with open(where, "w", encoding="utf-8") as f:
                json.dump(old, f, indent=2)
    with open(f"{path}/modules.json", "w", encoding="utf-8") as f:
        json.dump(modules, f, indent=2)
    with open(f"{path}/sentence_bert_config.json", "w", encoding="utf-8") as f:
        json.dump({"max_seq_length": 24, "do_lower_case": False}, f)


def cases():
    modes = list(SWITCHES)
    for mode in modes:
        yield mode, [Pooling(16, mode)], {}
    yield "all_old_order", [Pooling(16, tuple(modes))], {}
    yield "own_order", [Pooling(16, ("mean", "cls"))], {}
    yield "normalize", [Pooling(16, "mean"), Normalize()], {}
    relu, gelu, none = torch.nn.ReLU(), torch.nn.GELU(), torch.nn.Identity()
    yield "dense", [Pooling(16, "mean"), Dense(16, 6), Normalize()], {}
    yield "dense_many", [Pooling(16, ("cls", "max")), Dense(32, 12, activation_function=gelu),
                         LayerNorm(12), Dense(12, 9, bias=False, activation_function=none),
                         Dense(9, 8, activation_function=relu)], {}
    prompts = {"query": "query: ", "passage": "passage: "}
    for mode in modes:
        yield f"prompt_{mode}", [Pooling(16, mode, include_prompt=False)], {
            "prompts": prompts, "default_prompt_name": "query"}
    yield "prompt_in", [Pooling(16, "mean")], {"prompts": prompts, "default_prompt_name": "query"}


def write_folders(out):
    """Every case as a whole folder out/NAME; the names."""
    torch.manual_seed(7)
    make_bert(f"{out}/bert")
    names = []
    for name, modules, options in cases():
        for layout in ("new", "old"):
            if name == "own_order" and layout == "old":
                continue  # the older layout has no order of its own
            folder = f"{out}/{name}_{layout}"
            SentenceTransformer(modules=[Transformer(f"{out}/bert"), *modules],
                                **options).save(folder, create_model_card=False)
            if layout == "old":
                older_layout(folder)
            names.append(f"{name}_{layout}")
    return names


def keep_own(folder, to):
    """Copies what a case adds to the BERT that all share."""
    for root, _, files in os.walk(folder):
        inner = os.path.relpath(root, folder)
        for f in files:
            if inner != "." or f in ("modules.json", "sentence_bert_config.json",
                                     "config_sentence_transformers.json"):
                os.makedirs(f"{to}/{inner}", exist_ok=True)
                shutil.copy(f"{root}/{f}", f"{to}/{inner}/{f}")


def main(out):
    made = {"texts": TEXTS, "cases": {}}
    with tempfile.TemporaryDirectory() as temp:
        for name in write_folders(temp):
            model = SentenceTransformer(f"{temp}/{name}", device="cpu").double()
            case = {"plain": model.encode(TEXTS).tolist(),
                    "dims4": model.encode(TEXTS, truncate_dim=4,
                                          normalize_embeddings=True).tolist()}
            if "passage" in model.prompts:
                case["passage"] = model.encode(TEXTS, prompt_name="passage").tolist()
                case["none"] = model.encode(TEXTS, prompt="").tolist()
            made["cases"][name] = case
            shutil.rmtree(f"{out}/{name}", ignore_errors=True)
            keep_own(f"{temp}/{name}", f"{out}/{name}")
        shutil.rmtree(f"{out}/bert", ignore_errors=True)
        shutil.copytree(f"{temp}/bert", f"{out}/bert")
    with open(f"{out}/expected.json", "w", encoding="utf-8") as f:
        short = json.loads(json.dumps(made), parse_float=lambda s: float(f"{float(s):.7g}"))
        f.write(json.dumps(short, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
