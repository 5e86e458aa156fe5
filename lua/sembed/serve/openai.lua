-- OpenAI's routes.
--
-- POST /v1/embeddings
--   { "model": NAME, "input": "a" | ["a", ...] | [1, ...] | [[1, ...], ...],
--     "encoding_format": "float" | "base64", "dimensions": N, "user": ... }
--   -> { "object": "list",
--        "data": [{ "object": "embedding", "index": 0, "embedding": [...] | "base64" }, ...],
--        "model": NAME, "usage": { "prompt_tokens": N, "total_tokens": N } }
-- GET /v1/models -> { "object": "list", "data": [{ "id", "object", "created", "owned_by" }] }
-- GET /v1/models/NAME -> one of these
-- Errors: { "error": { "message", "type", "param", "code" } }
--
-- Texts longer than the model takes are cut, as sentence-transformers does. Vectors are as the
-- folder says; with "dimensions", their first N numbers, of length 1 again if the model's are.

local ask = require 'sembed.serve.ask'
local core = require 'sembed.ffi'
local json = require 'sembed.json'

local C = core.C
local openai = { form = C.SE_SERVER_OPENAI }
local floats = core.typeof 'float[?]'

function openai.error(refusal)
  local kind = refusal.status >= 500 and 'server_error' or 'invalid_request_error'
  return json.encode { error = { message = refusal.message, type = kind,
    param = refusal.param or json.null, code = refusal.code or json.null } }
end

local function add(reply, piece) C.se_reply_add(reply, piece, #piece) end

-- One text's vector, as JSON; dims: how many of its numbers.
local function row(job, i, x, n)
  local reply, out = job.reply, x
  add(reply, ('%s{"object":"embedding","index":%d,"embedding":'):format(i > 1 and ',' or '', i - 1))
  if job.dims < n then
    out, n = floats(job.dims), job.dims
    C.se_reply_cut(x, n, job.normalize, out)
  end
  if job.base64 then
    C.se_reply_base64(reply, out, n)
  elseif not C.se_reply_floats(reply, out, n) then
    job.failed = 'the model gave numbers that are not finite'
  end
  add(reply, '}')
end

local function finish(job)
  add(job.reply, '],"model":')
  C.se_reply_string(job.reply, job.model.name, #job.model.name)
  add(job.reply, (',"usage":{"prompt_tokens":%d,"total_tokens":%d}}'):format(job.tokens,
    job.tokens))
end

local function embeddings(server, request)
  local body = ask.body(request)
  local model = server:model(ask.member(body, 'model', 'string'))
  local format = ask.member(body, 'encoding_format', 'string', 'float')
  if format ~= 'float' and format ~= 'base64' then
    ask.refuse(422, 'encoding_format: "float" or "base64" is wanted', 'encoding_format')
  end
  if body.input == nil then ask.refuse(422, 'input is missing', 'input') end
  local texts, lists = ask.texts(body.input, 'input', server.limits.texts, model.tokenizer.size)
  local job = server:job({
    model = model, kind = 'vectors', normalize = model.normalize or false, texts = texts,
    lists = lists, dims = ask.whole(body, 'dimensions', 1, model.dims) or model.dims,
    base64 = format == 'base64', row = row, finish = finish,
  }, request, true)
  add(job.reply, '{"object":"list","data":[')
  return job
end

local function describe(server, model)
  return { id = model.name, object = 'model', created = server.started, owned_by = 'sembed' }
end

local function models(server, request)
  local list = json.array {}
  for i, model in ipairs(server.models) do list[i] = describe(server, model) end
  server:answer(request.id, 200, json.encode { object = 'list', data = list })
end

openai.routes = {
  { 'POST', '/v1/embeddings', embeddings },
  { 'GET', '/v1/models', models },
}

-- A route for each model: names are known from the start.
function openai.model_route(model)
  return { 'GET', '/v1/models/' .. model.name, function(server, request)
    server:answer(request.id, 200, json.encode(describe(server, model)))
  end }
end

return openai
