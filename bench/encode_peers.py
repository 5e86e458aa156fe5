"""Encoding in sembed, sentence-transformers (PyTorch), ONNX Runtime and OpenVINO, taking turns in one run:
encode_peers.py PROGRAM MODEL TEXTS.jsonl.gz [THREADS=2] [ROUNDS=5] [f32|bf16|int8]

All in the same precision: bf16 next to PyTorch's and OpenVINO's, int8 next to ONNX Runtime's dynamic quantization; f32 next to
all three.

The same 256 texts for all, in batches of 32 (longest first, as sentence-transformers sorts them), and 30 texts of 16 tokens one by
one. Each figure is a median over the rounds. Then, each in a process of its own: seconds from start to the first vector and peak
resident memory; and the installed size. Prints a table, and the same as one line of JSON. Other libraries' thread pools spin for a while after their work:
between turns there is a pause."""
import gzip
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

program, folder, data = sys.argv[1:4]
numbers = [int(word) for word in sys.argv[4:6] if word.isdigit()]
threads, rounds = (numbers + [2, 5][len(numbers):])
precision = next((word for word in sys.argv[4:] if word in ('f32', 'bf16', 'int8')), 'f32')
os.environ['OMP_NUM_THREADS'] = str(threads)
here = os.path.dirname(os.path.abspath(__file__))


def start_sentence_transformers():
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device='cpu')
    if precision == 'bf16':
        model = model.bfloat16()
    return lambda rows: model.encode(rows, batch_size=32)


def numpy_batch(tokenizer, rows):
    import numpy as np
    got = tokenizer(rows, padding=True, truncation=True, max_length=384, return_tensors='np')
    return got['input_ids'].astype(np.int64), got['attention_mask'].astype(np.int64)


def start_onnxruntime():
    import onnxruntime
    from transformers import AutoTokenizer
    tokenizer, options = AutoTokenizer.from_pretrained(folder), onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(os.environ['SEMBED_ONNX'], options, providers=['CPUExecutionProvider'])
    return lambda rows: session.run(None, dict(zip(('input_ids', 'attention_mask'), numpy_batch(tokenizer, rows))))[0]


def start_openvino():
    import openvino
    from transformers import AutoTokenizer
    tokenizer, core = AutoTokenizer.from_pretrained(folder), openvino.Core()
    compiled = core.compile_model(core.read_model(os.environ['SEMBED_ONNX']), 'CPU',
                                  {'INFERENCE_PRECISION_HINT': precision, 'INFERENCE_NUM_THREADS': threads})
    return lambda rows: compiled(list(numpy_batch(tokenizer, rows)))[0]


ENCODE_ONE = """local se = require 'sembed'
local cfg = se.config { model = '' }
se.model.open(cfg.model):encode { 'The first vector of all.' }"""
PEERS = {'sentence-transformers': start_sentence_transformers, 'onnxruntime': start_onnxruntime, 'openvino': start_openvino}
if precision != 'f32':
    del PEERS['onnxruntime']
if precision == 'int8':
    PEERS = {'onnxruntime': start_onnxruntime}


def export(path):
    """The model with its pooling as an ONNX file, for ONNX Runtime and OpenVINO."""
    import torch
    import torch.nn.functional as F
    from transformers import AutoModel, AutoTokenizer

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, attn_implementation='eager').eval()

        def forward(self, input_ids, attention_mask):
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).float()
            return F.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1)

    example = AutoTokenizer.from_pretrained(folder)(['one two three', 'four'], padding=True, return_tensors='pt')
    axes = {0: 'texts', 1: 'tokens'}
    torch.onnx.export(Pooled(), (example['input_ids'], example['attention_mask']), path, input_names=['input_ids', 'attention_mask'],
                      output_names=['vectors'], dynamic_axes={'input_ids': axes, 'attention_mask': axes}, dynamo=False, opset_version=17)
    if precision == 'int8':
        from onnxruntime.quantization import quantize_dynamic
        quantize_dynamic(path, path)


class Sembed:
    """bench/encode.lua in a process of its own."""

    def __init__(self, temp, texts, singles):
        for name, rows in (('texts', texts), ('singles', singles)):
            with open(os.path.join(temp, name + '.jsonl'), 'w', encoding='utf-8') as out:
                out.writelines(json.dumps(row) + '\n' for row in rows)
        self.process = subprocess.Popen(
            [program, os.path.join(here, 'encode.lua'), f'model={folder}', f'texts={temp}/texts.jsonl', f'singles={temp}/singles.jsonl',
             'batch=32', f'threads={threads}', f'precision={precision}'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.isa = self.process.stdout.readline().split()[1]

    def ask(self, what):
        self.process.stdin.write(what + '\n')
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def batch_seconds(encode, texts):
    start = time.perf_counter()
    for i in range(0, len(texts), 32):
        encode(texts[i:i + 32])
    return time.perf_counter() - start


def single_ms(encode, singles):
    times = []
    for text in singles:
        start = time.perf_counter()
        encode([text])
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def first_vector(command):
    """Seconds from start to the first vector, and MB resident at the peak. Linux counts the caller's own memory at the fork, so this
    process has to be small still."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return (time.perf_counter() - start, usage.ru_maxrss / 1024) if status == 0 else (float('nan'), float('nan'))


def installed_mb(*packages):
    """Files of Python packages and of what they need, in MB."""
    seen, todo = set(), list(packages)
    total = 0
    while todo:
        name = todo.pop().lower().replace('_', '-')
        if name in seen:
            continue
        seen.add(name)
        try:
            dist = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in dist.files or []:
            path = dist.locate_file(file)
            total += os.path.getsize(path) if os.path.isfile(path) else 0
        for need in dist.requires or []:
            if 'extra ==' not in need:
                todo.append(''.join(c if c.isalnum() or c in '-_.' else ' ' for c in need).split()[0])
    return total / 1e6


def one(name):
    """A process that makes one vector: for first_vector."""
    PEERS[name]()(['The first vector of all.'])


def texts_of(path, tokenizer):
    rows = []
    with gzip.open(path, 'rt', encoding='utf-8') as lines:
        for line in lines:
            rows.append(json.loads(line)['response'])
            if len(rows) == 4000:
                break
    texts = sorted(rows[:256], key=len, reverse=True)
    singles = [t for t in rows if len(tokenizer(t)['input_ids']) == 16][:30]
    return texts, singles


def main():
    with tempfile.TemporaryDirectory() as temp:
        os.environ['SEMBED_ONNX'] = os.path.join(temp, 'model.onnx')
        subprocess.run([sys.executable, __file__, *sys.argv[1:4], precision, '--export'], check=True, stdout=subprocess.DEVNULL)
        starts = {'sembed': first_vector([program, '-e', ENCODE_ONE, f'model={folder}', f'threads={threads}', f'precision={precision}'])}
        for name in PEERS:
            starts[name] = first_vector([sys.executable, __file__, *sys.argv[1:4], str(threads), '1', precision, '--one', name])
        from transformers import AutoTokenizer
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts, singles = texts_of(data, tokenizer)
        tokens = sum(len(ids) for ids in tokenizer(texts)['input_ids'])
        ours = Sembed(temp, texts, singles)
        peers = {name: start() for name, start in PEERS.items()}
        got = {name: {'batch': [], 'single': []} for name in ('sembed', *peers)}
        sgemm = []
        for turn in range(rounds + 1):  # the first round warms up
            sgemm.append(ours.ask('sgemm'))
            for name in got:
                time.sleep(0.3)
                if name == 'sembed':
                    pair = ours.ask('batch'), ours.ask('single')
                else:
                    pair = batch_seconds(peers[name], texts), single_ms(peers[name], singles)
                if turn:
                    got[name]['batch'].append(tokens / pair[0])
                    got[name]['single'].append(pair[1])
        ours.process.stdin.close()
        ours.process.wait()
    sizes = {'sembed': os.path.getsize(program) / 1e6, 'sentence-transformers': installed_mb('sentence-transformers'),
             'onnxruntime': installed_mb('onnxruntime', 'transformers'), 'openvino': installed_mb('openvino', 'transformers')}
    rows = {name: {'tokens_per_second': statistics.median(got[name]['batch']), 'one_text_ms': statistics.median(got[name]['single']),
                   'first_vector_s': starts[name][0], 'resident_mb': starts[name][1], 'installed_mb': sizes[name]} for name in got}
    versions = {p: importlib.metadata.version(p) for p in ('torch', 'sentence-transformers', 'onnxruntime', 'openvino')}
    report = {'machine': platform.processor() or platform.machine(), 'isa': ours.isa, 'precision': precision, 'threads': threads, 'rounds': rounds,
              'sgemm_gflops': statistics.median(sgemm), 'texts': len(texts), 'tokens': tokens, 'versions': versions, 'rows': rows}
    print(f"{report['isa']}, {precision}, {threads} threads, products at {report['sgemm_gflops']:.0f} GFLOP/s; {len(texts)} texts, {tokens} tokens; {rounds} rounds; "
          + ', '.join(f'{k} {v}' for k, v in versions.items()) + '\n')
    print('| | tokens/s | sembed / it | one text, ms | it / sembed | first vector, s | resident, MB | installed, MB |')
    print('|---|---|---|---|---|---|---|---|')
    best = rows['sembed']
    for name, r in rows.items():
        print(f"| {name} | {r['tokens_per_second']:.0f} | {best['tokens_per_second'] / r['tokens_per_second']:.2f} | {r['one_text_ms']:.1f} "
              f"| {r['one_text_ms'] / best['one_text_ms']:.2f} | {r['first_vector_s']:.2f} | {r['resident_mb']:.0f} | {r['installed_mb']:.0f} |")
    print('\n' + json.dumps(report))


if __name__ == '__main__':
    if '--export' in sys.argv:
        export(os.environ['SEMBED_ONNX'])
    elif '--one' in sys.argv:
        one(sys.argv[-1])
    else:
        main()
