-- An HTTP server for vectors: OpenAI's and text-embeddings-inference's APIs.
--   sembed serve model=DIR                     sembed serve model=a=DIR1,b=DIR2 port=9000
-- Routes: POST /v1/embeddings, GET /v1/models; POST /embed /embed_all /similarity /tokenize
-- /decode, GET /info /health /metrics. lua/sembed/serve/openai.lua and tei.lua have their forms.
--
--   host= port=          where to listen; only this machine can reach the default; port=0: any free
--   key= key_file=       clients must send "Authorization: Bearer KEY"; key= can be seen in the
--                        list of processes, a file or SEMBED_SERVE_KEY in the environment cannot
--   batch=N              encode about N tokens at once: more is a little faster, and others wait
--   texts= tokens=       the most of them in one request (413)
--   truncate=true        /embed cuts too long texts unless it is told otherwise; else 413
--   body= queue= connections= timeout=   bytes of a body (413), requests that wait (429), open
--                        connections, seconds that a request may take to arrive (408)
--   precision=bf16|int8  faster, with vectors a little off (sembed help devices)
--   log=true             a line on standard error for each request
-- Ctrl-C or SIGTERM finishes what was accepted; a second one ends at once.
local se = require 'sembed'

local cfg = se.config {
  model = '', host = '127.0.0.1', port = 8080, key = '', key_file = '', batch = 512, texts = 16384,
  tokens = 1048576, truncate = false, body = 8388608, bodies = 268435456, queue = 512,
  connections = 1024, timeout = 30, log = false,
}
local server = se.serve.open(se.serve.models(cfg.model, { ... }), cfg)
server:announce()

-- The batcher. Texts of all waiting requests that are alike (model, kind of vector) share a batch;
-- the text's vector has the same bits whatever stands beside it. Each request in turn gives texts
-- for its share of the tokens, so that a long one is split and short ones are not kept waiting.
local function share(job, first, tokens)
  local last, used = first, job.counts[first]
  while last < job.size and used + job.counts[last + 1] <= tokens do
    last = last + 1
    used = used + job.counts[last]
  end
  return last, used
end

local function next_batch(jobs)
  local batch, alike, left = {}, {}, cfg.batch
  for _, job in ipairs(jobs) do
    if se.serve.alike(job, jobs[1]) then alike[#alike + 1] = job end
  end
  for i, job in ipairs(alike) do
    if left <= 0 then break end
    local last, used = share(job, job.done + 1, left / (#alike - i + 1))
    batch[#batch + 1], left = { job = job, first = job.done + 1, last = last }, left - used
  end
  return batch
end

-- The jobs that are not done, those of the batch behind the others: all get their turn.
local function later(jobs, batch)
  local served, rest = {}, {}
  for _, piece in ipairs(batch) do served[piece.job] = true end
  for _, job in ipairs(jobs) do
    if not served[job] then rest[#rest + 1] = job end
  end
  for _, piece in ipairs(batch) do
    if piece.job.done < piece.job.size then rest[#rest + 1] = piece.job end
  end
  return rest
end

local jobs = {}
while server:open(#jobs > 0) do
  for _, job in ipairs(server:pull(#jobs > 0 and 0 or 100)) do
    jobs[#jobs + 1] = job
  end
  local wanted = {}
  for _, job in ipairs(jobs) do
    if server:gone(job) then server:drop(job) else wanted[#wanted + 1] = job end
  end
  jobs = wanted
  if #jobs > 0 then
    local batch = next_batch(jobs)
    server:encode(batch)
    jobs = later(jobs, batch)
  end
end
server:close()
