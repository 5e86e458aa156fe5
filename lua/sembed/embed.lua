-- What a C program's calls come to (core/embed.c): a folder opened, texts turned into vectors. Each
-- function gives a status and a message, or SE_OK and its results. One state has one model.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local graph = require 'sembed.graph'
local precision = require 'sembed.precision'
local tensor = require 'sembed.tensor'

local C = core.C
local embed = {}
local model

-- --- errors ---

local function status_of(problem, otherwise)
  if fail.is_stop(problem) then return C.SE_ERR_INTERRUPTED end
  local text = tostring(problem)
  if text == 'not enough memory' then return C.SE_ERR_MEMORY end
  if core.failed and text:find(core.failed.message, 1, true) then return core.failed.status end
  return otherwise
end

-- f with its errors as results; `otherwise` is the status of those that no C call made.
local function guarded(f, otherwise)
  return function(...)
    core.failed = nil
    local ok, a, b = pcall(f, ...)
    if ok then return C.SE_OK, a, b end
    graph.drop_pending()
    collectgarbage() -- what the failed call had made
    return status_of(a, otherwise), tostring(a)
  end
end

-- --- calls ---

local function open(folder)
  model = require 'sembed.model.open' (folder)
  return model.dims, model.length
end

local function text_or_nil(pointer)
  if pointer ~= nil then return core.text(pointer) end
end

local function number_or_nil(n)
  if n ~= 0 then return tonumber(n) end
end

local function options_of(o)
  local normalize
  if o.normalize ~= 0 then normalize = o.normalize > 0 end
  return {
    prompt = text_or_nil(o.prompt), prompt_name = text_or_nil(o.prompt_name),
    dims = number_or_nil(o.dims), length = number_or_nil(o.tokens),
    batch = number_or_nil(o.batch), normalize = normalize,
    precision = precision.name(o.precision),
  }
end

local function encode(pointer)
  local job = core.cast('se_encode_job *', pointer)
  local texts = {}
  for i = 1, tonumber(job.n) do
    local bytes = job.bytes
    texts[i] = bytes ~= nil and core.text(job.texts[i - 1], bytes[i - 1])
      or core.text(job.texts[i - 1])
  end
  return (graph.scope('encode', function()
    local x, cut = model:encode(texts, options_of(job.options))
    local data, dims = tensor.read(x)
    core.copy(job.out, data, dims[1] * dims[2] * 4)
    core.hold(x)
    job.cut = cut
  end))
end

embed.open = guarded(open, C.SE_ERR_FORMAT)
embed.encode = guarded(encode, C.SE_ERR_ARG)

return embed
