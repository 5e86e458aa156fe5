-- text-embeddings-inference's routes. "inputs" is "a", ["a", ...], or token ids; "model": NAME may
-- name one of several models, else it is the first.
--
-- POST /embed      { inputs, normalize = true, truncate = false, prompt_name, dimensions }
--                  -> [[...]]
-- POST /embed_all  { inputs, truncate, prompt_name } -> [[[...]]], a vector for each token
-- POST /similarity { inputs: { source_sentence, sentences: [...] }, parameters: { truncate,
--                    prompt_name } } -> [0.5, ...]: cosines
-- POST /tokenize   { inputs, add_special_tokens = true, prompt_name }
--                  -> [[{ id, text, special, start, stop }]]; places in characters, null if special
-- POST /decode     { ids: [1, ...] | [[1, ...]], skip_special_tokens = true } -> ["..."]
-- GET /info        -> what is served; GET /health -> 200 (answered in C)
-- Errors: { "error": message, "error_type": "validation" | "empty" | "tokenizer" | "backend" }
--
-- A text longer than the model takes is status 413 unless "truncate" is true.

local ask = require 'sembed.serve.ask'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local json = require 'sembed.json'

local C = core.C
local tei = { form = C.SE_SERVER_TEI }
local floats = core.typeof 'float[?]'

function tei.error(refusal)
  local kind = refusal.kind or refusal.status >= 500 and 'backend' or 'validation'
  return json.encode { error = refusal.message, error_type = kind }
end

local function add(reply, piece) C.se_reply_add(reply, piece, #piece) end

-- The text of a prompt of the folder; nil where none is named.
local function prompt_of(model, name, lists)
  if not name then return nil end
  local prompts, known = model.prompts, {}
  if lists then ask.refuse(422, 'prompt_name: token ids take no prompt', 'prompt_name') end
  if prompts[name] then return prompts[name] end
  for key in pairs(prompts) do known[#known + 1] = key end
  return ask.refuse(422, fail.unknown('prompt', name, known), 'prompt_name')
end

local function not_finite(job) job.failed = 'the model gave numbers that are not finite' end

local function embed_row(job, i, x, n)
  if i > 1 then add(job.reply, ',') end
  if job.dims < n then
    local out = floats(job.dims)
    C.se_reply_cut(x, job.dims, job.normalize, out)
    if not C.se_reply_floats(job.reply, out, job.dims) then not_finite(job) end
  elseif not C.se_reply_floats(job.reply, x, n) then
    not_finite(job)
  end
end

local function tokens_row(job, i, x, n)
  add(job.reply, i > 1 and ',[' or '[')
  local tokens = job.counts[i]
  local dims = n / tokens
  for k = 0, tokens - 1 do
    if k > 0 then add(job.reply, ',') end
    if not C.se_reply_floats(job.reply, x + k * dims, dims) then not_finite(job) end
  end
  add(job.reply, ']')
end

local function end_list(job) add(job.reply, ']') end

local function embedding(server, request, body, kind)
  if body.inputs == nil then ask.refuse(422, 'inputs is missing', 'inputs') end
  local model = server:model(ask.member(body, 'model', 'string'))
  local texts, lists = ask.texts(body.inputs, 'inputs', server.limits.texts, model.tokenizer.size)
  local job = server:job({
    model = model, kind = kind,
    prompt = prompt_of(model, ask.member(body, 'prompt_name', 'string'), lists),
    texts = texts, lists = lists, finish = end_list,
    normalize = kind == 'vectors' and ask.member(body, 'normalize', 'boolean', true),
    dims = ask.whole(body, 'dimensions', 1, model.dims) or model.dims,
    row = kind == 'vectors' and embed_row or tokens_row,
  }, request, ask.member(body, 'truncate', 'boolean', server.limits.truncate))
  add(job.reply, '[')
  return job
end

local function embed(server, request)
  return embedding(server, request, ask.body(request), 'vectors')
end

local function embed_all(server, request)
  return embedding(server, request, ask.body(request), 'tokens')
end

local function similarity_row(job, i, x, n)
  if i == 1 then
    job.source = floats(n)
    core.copy(job.source, x, 4 * n)
  else
    local cosine = C.se_reply_cosine(job.source, x, n)
    if cosine ~= cosine then return not_finite(job) end
    add(job.reply, ('%s%.9g'):format(i > 2 and ',' or '', cosine))
  end
end

local function similarity(server, request)
  local body = ask.body(request)
  local model = server:model(ask.member(body, 'model', 'string'))
  local inputs, parameters = ask.object(body, 'inputs'), ask.object(body, 'parameters')
  local source = ask.member(inputs, 'source_sentence', 'string')
  if not source then ask.refuse(422, 'inputs.source_sentence is missing', 'inputs') end
  local all = { source }
  ask.list(inputs.sentences, 'sentences')
  for i, one in ipairs(ask.texts(inputs.sentences, 'sentences', server.limits.texts)) do
    all[i + 1] = one
  end
  local job = server:job({
    model = model, kind = 'vectors', normalize = false, row = similarity_row, finish = end_list,
    texts = all, prompt = prompt_of(model, ask.member(parameters, 'prompt_name', 'string')),
  }, request, ask.member(parameters, 'truncate', 'boolean', server.limits.truncate))
  add(job.reply, '[')
  return job
end

-- Where each character of a text begins, its end included: byte numbers from 1.
local function characters(text)
  local at = {}
  for place in text:gmatch '()[%z\1-\127\194-\244][\128-\191]*' do at[#at + 1] = place end
  at[#at + 1] = #text + 1
  return at
end

-- The special tokens that are put around a text have the place {0, 0}.
local function token(tokenizer, text, at, id, place, special)
  if special then
    return { id = id, text = tokenizer:token(id), special = true, start = json.null,
      stop = json.null }
  end
  return { id = id, text = text:sub(at[place[1] + 1], at[place[2] + 1] - 1), special = false,
    start = place[1], stop = place[2] }
end

local function tokenize(server, request)
  local body, all = ask.body(request), json.array {}
  local model = server:model(ask.member(body, 'model', 'string'))
  local tokenizer = model.tokenizer
  if body.inputs == nil then ask.refuse(422, 'inputs is missing', 'inputs') end
  local texts = ask.texts(body.inputs, 'inputs', server.limits.texts)
  local prompt = prompt_of(model, ask.member(body, 'prompt_name', 'string')) or ''
  local special = ask.member(body, 'add_special_tokens', 'boolean', true)
  for k, one in ipairs(texts) do
    local text = prompt .. one
    local ids, places = tokenizer:encode(text)
    local list, at = json.array {}, characters(text)
    for i, id in ipairs(ids) do
      local around = i == 1 or i == #ids
      if special or not around then
        list[#list + 1] = token(tokenizer, text, at, id, places[i], around)
      end
    end
    all[k] = list
  end
  server:answer(request.id, 200, json.encode(all))
end

local function decode(server, request)
  local body, all = ask.body(request), json.array {}
  local tokenizer = server:model(ask.member(body, 'model', 'string')).tokenizer
  local skip = ask.member(body, 'skip_special_tokens', 'boolean', true)
  for i, ids in ipairs(ask.ids(body.ids, 'ids', tokenizer.size)) do
    all[i] = tokenizer:decode(ids, skip)
  end
  server:answer(request.id, 200, json.encode(all))
end

local function info(server, request)
  local model, names = server.models[1], json.array {}
  for i, one in ipairs(server.models) do names[i] = one.name end
  local limits = server.limits
  server:answer(request.id, 200, json.encode {
    model_id = model.name, model_sha = json.null, model_dtype = 'float32',
    model_type = { embedding = { pooling = model.pooling or 'mean' } }, models = names,
    max_concurrent_requests = limits.queue, max_input_length = model.length,
    max_batch_tokens = limits.batch, max_batch_requests = json.null,
    max_client_batch_size = limits.texts, auto_truncate = limits.truncate,
    tokenization_workers = C.se_threads(), version = core.text(C.se_version()), sha = json.null,
    docker_label = json.null,
  })
end

tei.routes = {
  { 'POST', '/embed', embed }, { 'POST', '/embed_all', embed_all },
  { 'POST', '/similarity', similarity }, { 'POST', '/tokenize', tokenize },
  { 'POST', '/decode', decode }, { 'GET', '/info', info },
}

return tei
