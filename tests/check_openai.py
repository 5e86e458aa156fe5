"""Clients of `sembed serve`: OpenAI's own, and one of text-embeddings-inference's routes.

    python3 -m pip install openai numpy        (tried with openai 3.54.0)
    python3 tests/check_openai.py SEMBED FOLDER OTHER_FOLDER

FOLDER and OTHER_FOLDER are served together, under the names "first" and "other".  Every vector must
have the bits that `sembed encode` writes for its text, as base64 and as printed digits; where
sentence-transformers is installed, FOLDER's vectors must also be within 1e-5 of its own (two orders
of summation in f32, vectors of length 1), and token ids those of its tokenizer.  Errors must reach
the client as the exception that its users catch.  Exit status: 0; 1 at the first wrong thing, with
what came and what was wanted; 77 when a package is missing.  No server is left running.
"""

import base64
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"

try:
    import numpy
    import openai
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

KEY = "a key of the check"
PATIENCE = 60  # seconds for anything that a server has to do

TEXTS = [
    "Hello",
    "",
    " ",
    "The quick brown fox jumps over the lazy dog.",
    "Grüße aus Köln, naïve café, Ångström",
    "東京は今日も晴れです。",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 and 🇫🇷 and e\u0301",
    'quotes " and \\ and / and a\ttab',
    "two\nlines\r\nand more",
    "zero\u0000byte, \u2028 and \ufeff marks, \u007f",
    "<s> </s> [UNK] <mask> [CLS] [SEP]",
    "word " * 2000,  # longer than any model takes
]


def fail(what, came, wanted):
    print(f"wrong: {what}\n  came:   {str(came)[:600]}\n  wanted: {str(wanted)[:600]}")
    sys.exit(1)


def same(what, came, wanted):
    if came != wanted:
        fail(what, came, wanted)


def same_bits(what, came, wanted):
    """came: a list of vectors of Python floats or a matrix; wanted: f32 [n, dims]."""
    came = numpy.asarray(came, dtype=numpy.float64)
    same(f"{what}: shape", came.shape, wanted.shape)
    bad = numpy.argwhere(came.astype(numpy.float32) != wanted)
    if len(bad):
        i, k = bad[0]
        what = f"{what}: text {i}, number {k}; {len(bad)} differ"
        fail(what, f"{came[i, k]:.9g}", f"{wanted[i, k]:.9g}")


def close(what, came, wanted, tolerance):
    came, wanted = numpy.asarray(came, numpy.float64), numpy.asarray(wanted, numpy.float64)
    same(f"{what}: shape", came.shape, wanted.shape)
    difference = numpy.abs(came - wanted)
    if not difference.max() <= tolerance:
        place = numpy.unravel_index(difference.argmax(), came.shape)
        fail(what, f"a difference of {difference.max():.3g} at {place}", f"at most {tolerance:.3g}")


def refused(what, kind, status, call):
    try:
        came = call()
    except openai.OpenAIError as error:
        if type(error) is not kind or error.status_code != status:
            fail(what, f"{type(error).__name__}: {error}", f"{kind.__name__}, status {status}")
        body = error.body if isinstance(error.body, dict) else {}
        if not body.get("message") or not body.get("type"):
            form = '{"error": {"message", "type", ...}}'
            fail(f"{what}: the error's members", error.response.text, form)
        return error
    return fail(what, came, f"{kind.__name__}, status {status}")


# --- the server and its reference ---


def encode(program, folder, texts):
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/texts.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        model = f"model={os.path.abspath(folder)}"
        command = [program, "encode", model, "in=texts.jsonl", "out=vectors.npy"]
        done = subprocess.run(command, cwd=work, timeout=300, capture_output=True, text=True)
        same(f"status of {command} ({done.stderr})", done.returncode, 0)
        return numpy.load(f"{work}/vectors.npy")


class Server:
    def __init__(self, program, *words, key=None):
        environment = dict(os.environ, OMP_WAIT_POLICY="passive")
        if key:
            environment["SEMBED_SERVE_KEY"] = key
        self.key = key
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program, "serve", "port=0", *words],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        stop = threading.Timer(PATIENCE, self.process.kill)
        stop.start()
        self.address = None
        for line in self.process.stdout:
            found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
            if found:
                self.address = found.group(1)
                break
        stop.cancel()
        if not self.address:
            fail("the server's start", self.said(), "listening on http://127.0.0.1:PORT")

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def client(self, key=None):
        key, address = key or self.key or "any", f"{self.address}/v1"
        return openai.OpenAI(base_url=address, api_key=key, max_retries=0, timeout=PATIENCE)

    def ask(self, path, body=None, method=None, key=None):
        """-> status, text of the answer; body: bytes or something for JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if key or self.key:
            request.add_header("Authorization", f"Bearer {key or self.key}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path, body=None):
        status, text = self.ask(path, body)
        same(f"{path} {str(body)[:80]}: status ({text[:200]})", status, 200)
        return json.loads(text) if text else None

    def error(self, what, status, path, body=None, method=None, kind="validation"):
        came, text = self.ask(path, body, method)
        same(f"{what}: status ({text[:200]})", came, status)
        told = json.loads(text)
        if not told.get("error") or told.get("error_type") != kind:
            fail(f"{what}: the error's members", text, f'{{"error": ..., "error_type": "{kind}"}}')

    def end(self, patience=PATIENCE):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(patience)
        self.process.stdout.close()
        return status


@contextlib.contextmanager
def serving(program, *words, key=None):
    server = Server(program, *words, key=key)
    try:
        yield server
        if server.process.poll() is not None:
            fail("the server ended by itself", server.said(), "it lives on")
        same("status at the end", server.end(), 0)
        same("standard error", server.said(), "")
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.log.close()


# --- OpenAI's client ---


def vectors(answer):
    same("places of the vectors", [one.index for one in answer.data], list(range(len(answer.data))))
    return [one.embedding for one in answer.data]


def check_vectors(server, wanted, other):
    client = server.client()
    plain = client.embeddings.create(model="first", input=TEXTS)  # it asks for base64
    same_bits("base64", vectors(plain), wanted)
    same("model's name", plain.model, "first")
    digits = client.embeddings.create(model="first", input=TEXTS, encoding_format="float")
    same_bits("printed digits", vectors(digits), wanted)
    same("usage", plain.usage, digits.usage)
    same("total of the usage", plain.usage.total_tokens, plain.usage.prompt_tokens)
    for i, text in enumerate(TEXTS):
        one = client.embeddings.create(model="first", input=text)
        same_bits(f"alone: {text[:40]!r}", vectors(one), wanted[i : i + 1])
    back = client.embeddings.create(model="other", input=TEXTS)
    same_bits("the other model", vectors(back), other)
    same("the other model's name", back.model, "other")
    for dims in (1, 7, wanted.shape[1]):
        cut = wanted[:, :dims].astype(numpy.float64)
        if abs(numpy.linalg.norm(wanted[0]) - 1) < 1e-4:
            cut = cut / numpy.linalg.norm(cut, axis=1, keepdims=True)
        for form in ("float", "base64"):
            short = client.embeddings.create(
                model="first", input=TEXTS, dimensions=dims, encoding_format=form
            )
            rows = [floats(row) if form == "base64" else row for row in vectors(short)]
            close(f"dimensions={dims}, {form}", rows, cut, 2e-7)  # some roundings of f32 below 1
    print(f"OpenAI's client: {wanted.shape} numbers, as base64 and digits: the same bits")


def floats(text):
    return numpy.frombuffer(base64.b64decode(text, validate=True), "<f4")


def check_long_list(program, server, folder):
    texts = [f"text number {i}: {'long ' * (i % 13)}" for i in range(2000)]
    wanted = encode(program, folder, texts)
    answer = server.client().embeddings.create(model="first", input=texts)
    same_bits("2,000 texts", vectors(answer), wanted)
    print("2,000 texts in one request: the same bits")
    return texts, wanted


def check_many_at_once(server, texts, wanted, other_text, other_vector):
    def ask(i):
        client = server.client()
        for k in range(i, 160, 16):
            if k % 5 == 4:
                answer = client.embeddings.create(model="other", input=other_text)
                same_bits(f"at once: other {k}", vectors(answer), other_vector)
            part = slice(k, k + 1 + k % 7)
            answer = client.embeddings.create(model="first", input=texts[part])
            same_bits(f"at once: {k}", vectors(answer), wanted[part])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(ask, i) for i in range(16)]:
            done.result(PATIENCE)
    print("16 clients at once, two models: each its own vectors")


def check_token_ids(server, wanted):
    def check(what, ids, right):
        answer = server.client().embeddings.create(model="first", input=ids)
        same_bits(what, vectors(answer), right)
        return answer

    ids = [[token["id"] for token in row] for row in server.get("/tokenize", {"inputs": TEXTS})]
    cut = len(TEXTS) - 1  # the last text is too long: it is cut
    answer = check("token ids", ids[:cut], wanted[:cut])
    same("tokens of the usage", answer.usage.prompt_tokens, sum(map(len, ids[:cut])))
    check("one text's token ids", ids[3], wanted[3:4])
    bare = server.get("/tokenize", {"inputs": TEXTS[3], "add_special_tokens": False})[0]
    bare = [token["id"] for token in bare]
    same("special tokens around a text", ids[3][1:-1], bare)
    check("token ids without the special ones", bare, wanted[3:4])
    check("too many token ids", ids[cut], wanted[cut:])
    print("token ids instead of texts: the same bits")
    return ids


def check_models(server):
    listed = list(server.client().models.list())
    same("names of the models", [one.id for one in listed], ["first", "other"])
    same("kind of thing", {one.object for one in listed}, {"model"})
    same("one model", server.client().models.retrieve("other").id, "other")
    models = server.client().models
    refused("no such model", openai.NotFoundError, 404, lambda: models.retrieve("third"))


def check_refusals(server, dims):
    client = server.client()

    def create(client=client, **given):
        return lambda: client.embeddings.create(**{"model": "first", "input": "a", **given})

    error = refused("another model's name", openai.NotFoundError, 404, create(model="fisrt"))
    same("the error's code", (error.code, error.param), ("model_not_found", "model"))
    if "first" not in error.message:
        fail("another model's name: the message", error.message, 'it tells of "first"')
    for key in ("wrong", KEY + "s", KEY[:-1], KEY + KEY):
        refused(f"key {key}", openai.AuthenticationError, 401, create(server.client(key)))
    refused("no text", openai.BadRequestError, 400, create(input=[]))
    wrong = {
        "a number as text": {"input": 5},
        "true as text": {"input": True},
        "an object as text": {"input": {"a": "b"}},
        "a number among texts": {"input": ["a", 5]},
        "a text among token ids": {"input": [5, "a"]},
        "a text among lists": {"input": [[5], "a"]},
        "an id that there is not": {"input": [10**9]},
        "a negative id": {"input": [-1]},
        "half an id": {"input": [1.5]},
        "lists in lists of ids": {"input": [[[1]]]},
        "null among texts": {"input": ["a", None]},
        "no dimensions": {"dimensions": 0},
        "too many dimensions": {"dimensions": dims + 1},
        "half a dimension": {"dimensions": 1.5},
        "another format": {"encoding_format": "hex"},
        "a number as model": {"model": 7},
    }
    for what, given in wrong.items():
        refused(what, openai.UnprocessableEntityError, 422, create(**given))
    refused("a list in vain", openai.BadRequestError, 400, create(input=[[]]))
    refused("too many texts", openai.APIStatusError, 413, create(input=["a"] * 20000))
    chat = client.chat.completions
    refused(
        "another path", openai.NotFoundError, 404, lambda: chat.create(model="first", messages=[])
    )
    print(f"{len(wrong) + 9} requests that cannot be answered: the exceptions that users catch")


# --- text-embeddings-inference's routes ---


def check_tei_vectors(server, wanted):
    short = TEXTS[:-1]
    same_bits("/embed", server.get("/embed", {"inputs": short}), wanted[:-1])
    same_bits("/embed, one text", server.get("/embed", {"inputs": "Hello"}), wanted[:1])
    same_bits("/embed, truncate", server.get("/embed", {"inputs": TEXTS, "truncate": True}), wanted)
    raw = numpy.array(server.get("/embed", {"inputs": short, "normalize": False}))
    length = numpy.linalg.norm(raw, axis=1, keepdims=True)
    close("/embed, normalize: false", raw / length, wanted[:-1], 2e-7)
    source, others = TEXTS[3], TEXTS[4:8]
    came = server.get("/similarity", {"inputs": {"source_sentence": source, "sentences": others}})
    close("/similarity", came, wanted[4:8].astype(numpy.float64) @ wanted[3], 1e-6)
    tokens = server.get("/embed_all", {"inputs": short})
    for i, rows in enumerate(tokens):
        mean = numpy.mean(numpy.array(rows), axis=0)
        close(f"/embed_all, text {i}: their mean", mean / numpy.linalg.norm(mean), wanted[i], 1e-6)
    return [len(rows) for rows in tokens]


def check_tei(server, wanted, ids):
    counts = check_tei_vectors(server, wanted)
    same("tokens of /embed_all", counts, [len(row) for row in ids[:-1]])
    rows = server.get("/tokenize", {"inputs": TEXTS[:12]})
    for text, row in zip(TEXTS, rows):
        for token in row:
            if not token["special"]:
                place = text[token["start"] : token["stop"]]
                same(f"/tokenize: place in {text!r}", token["text"], place)
    info = server.get("/info")
    same("/info", (info["model_id"], info["model_dtype"]), ("first", "float32"))
    same("/health", server.ask("/health"), (200, ""))
    server.error("a text that is too long", 413, "/embed", {"inputs": TEXTS[-1]})
    server.error("no text", 400, "/embed", {"inputs": []}, kind="empty")
    server.error("no inputs", 422, "/embed", {"input": "a"})
    server.error("a number", 422, "/embed", {"inputs": 3})
    server.error("another type", 422, "/embed", {"inputs": "a", "normalize": "yes"})
    server.error("no JSON", 400, "/embed", b'{"inputs": "a"')
    server.error("not UTF-8", 400, "/embed", b'{"inputs": "\xff\xfe"}')
    nested = b"[" * 100000 + b"]" * 100000
    server.error("deep nesting", 400, "/embed", b'{"inputs": ' + nested + b"}")
    server.error("another method", 405, "/embed", method="GET")
    server.error("another path", 404, "/embeds", {"inputs": "a"})
    server.error("10 MB", 413, "/embed", {"inputs": "a" * 10_000_000})
    server.error("no sentences", 422, "/similarity", {"inputs": {"source_sentence": "a"}})
    same("a wrong key", server.ask("/embed", {"inputs": "a"}, key="x")[0], 401)
    same("/health needs no key", server.ask("/health", key="x")[0], 200)
    print("text-embeddings-inference's routes: the same vectors, and errors in its form")


def check_metrics(server):
    status, text = server.ask("/metrics")
    same("/metrics: status", status, 200)
    values = {}
    for line in text.splitlines():
        found = re.fullmatch(r'([a-z_]+(?:\{(?:\w+="[^"]*",?)*\})?) ([-+\d.e]+|NaN|\+Inf)', line)
        if not found and not re.match(r"# (HELP|TYPE) \w+ .", line):
            fail("/metrics: a line", line, 'name{label="..."} number, or # HELP or # TYPE')
        if found:
            values[found.group(1)] = float(found.group(2))
    by_status = 'sembed_requests_total{route="/v1/embeddings",status='
    if values.get(by_status + '"200"}', 0) < 100:
        fail("/metrics: answers of /v1/embeddings", values, "at least 100 of status 200")
    answers = sum(value for name, value in values.items() if name.startswith(by_status))
    total = 'sembed_request_seconds_count{route="/v1/embeddings"}'
    same("/metrics: times of /v1/embeddings", values.get(total), answers)
    print(f"/metrics: {len(values)} values")


# --- the end, and the library that the folder comes from ---


def check_end(program, folder, texts, wanted):
    """SIGTERM while a long request is in work: it is answered; the server ends with status 0."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        server = Server(program, f"model={folder}", "batch=64")
        try:
            client = server.client()
            name = client.models.list().data[0].id
            answer = pool.submit(client.embeddings.create, model=name, input=texts)
            until = time.monotonic() + PATIENCE
            while not re.search(r"sembed_batch_texts_count [1-9]", server.ask("/metrics")[1]):
                if time.monotonic() > until or answer.done():
                    fail("a long request", "it was over before the signal", "still in work")
            server.process.send_signal(signal.SIGTERM)
            same_bits("accepted before SIGTERM", vectors(answer.result(PATIENCE)), wanted)
            same("status after SIGTERM", server.process.wait(PATIENCE), 0)
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
    print("SIGTERM: what was accepted is answered")


def check_library(server, folder, ids):
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        print(f"sentence-transformers is not compared with: {error}")
        return
    model = SentenceTransformer(folder, device="cpu")
    theirs = model.encode(TEXTS, convert_to_numpy=True).astype(numpy.float64)
    ours = numpy.array(vectors(server.client().embeddings.create(model="first", input=TEXTS)))
    close("against sentence-transformers", ours, theirs, 1e-5)
    wanted = model.tokenizer(TEXTS[:-1])["input_ids"]
    for text, came, right in zip(TEXTS, ids, wanted):
        same(f"token ids of {text!r}", came, right)
    difference = numpy.abs(ours - theirs).max()
    print(f"sentence-transformers: largest difference {difference:.3g}, the same token ids")


def main(program, folder, other_folder):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("SIGTERM: the check ends"))  # and its servers
    program = os.path.abspath(program)
    wanted, other = encode(program, folder, TEXTS), encode(program, other_folder, TEXTS)
    model = f"model=first={folder},other={other_folder}"
    with serving(program, model, key=KEY) as server:
        check_vectors(server, wanted, other)
        texts, many = check_long_list(program, server, folder)
        check_many_at_once(server, texts, many, TEXTS[4], other[4:5])
        ids = check_token_ids(server, wanted)
        check_models(server)
        check_refusals(server, wanted.shape[1])
        check_tei(server, wanted, ids)
        check_metrics(server)
        check_library(server, folder, ids)
        same_bits("after all that", server.get("/embed", {"inputs": TEXTS[:3]}), wanted[:3])
    check_end(program, folder, texts, many)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
