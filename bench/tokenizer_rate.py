"""One core of sembed's tokenizer next to one core of the Python `tokenizers` library, taking turns.

  pip install tokenizers
  cmake --build build --target tokenizer_rate
  python bench/tokenizer_rate.py build/tokenizer_rate recipes/data/vocab.txt recipes/data/train.jsonl.gz

Both give ids and offsets, specials included, for every context and response of the file; the ids
must agree in number.  The library builds its tokenizer from the same vocabulary.
"""

import gzip
import json
import os
import statistics
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def library(vocab_path):
    with open(vocab_path, encoding="utf-8") as f:
        vocab = {line.rstrip("\n"): i for i, line in enumerate(f)}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.RobertaProcessing(("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), True, False)
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(["<s>", "<pad>", "</s>", "[UNK]", AddedToken("<mask>", lstrip=True)])
    return t


def read_texts(path):
    with gzip.open(path, "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return [row[key] for row in rows for key in ("context", "response")]


def main():
    program, vocab_path, pairs_path = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    texts = read_texts(pairs_path)
    megabytes = sum(len(t.encode()) for t in texts) / 1e6
    theirs = library(vocab_path)
    ours = subprocess.Popen([program, vocab_path, pairs_path, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def our_pass():
        ours.stdin.write("go\n")
        ours.stdin.flush()
        words = ours.stdout.readline().split()
        return float(words[3]), int(words[5])

    def their_pass():
        start = time.perf_counter()
        encoded = theirs.encode_batch(texts)
        seconds = time.perf_counter() - start
        return megabytes / seconds, sum(len(e.ids) for e in encoded)

    our_pass()
    rates = {"sembed": [], "tokenizers": []}
    for _ in range(rounds):
        rate, our_tokens = our_pass()
        rates["sembed"].append(rate)
        rate, their_tokens = their_pass()
        rates["tokenizers"].append(rate)
        assert our_tokens == their_tokens, (our_tokens, their_tokens)
    ours.stdin.close()
    ours.wait()
    print(f"{len(texts)} texts, {megabytes:.2f} MB, {our_tokens} tokens, tokenizers {tokenizers.__version__}, {rounds} rounds")
    for name, values in rates.items():
        print(f"{name:11s} median {statistics.median(values):7.2f} MB/s  ({min(values):.2f} .. {max(values):.2f})")
    print(f"ratio of medians {statistics.median(rates['sembed']) / statistics.median(rates['tokenizers']):.1f}")


if __name__ == "__main__":
    main()
