-- Jobs: what requests want of a model, and how a batch of their texts is encoded.
--
-- A job is a table:
--   id, model, began     the request, the model that it is for, when it came
--   texts or lists       strings, or lists of token ids
--   prompt               stands before each string: the one asked for, else the folder's default
--   counts               tokens of each text; tokens: of all of them
--   done                 how many texts are encoded
--   kind, normalize      'vectors' or 'tokens' (a vector for each token); jobs that share a model,
--                        kind, prompt and normalize can share a batch
--   row(job, i, x, n)    takes the i-th text's vector(s): floats in C, n numbers
--   finish(job)          ends the reply's text

local ask = require 'sembed.serve.ask'
local core = require 'sembed.ffi'
local tensor = require 'sembed.tensor'
local text = require 'sembed.text'

jit.off(true, true) -- C structs hold pointers into Lua's memory: see ffi.lua

local work = {}

-- Token ids as they go into the model: the special tokens are put around them where they lack.
local function complete(list, tokenizer)
  local whole = {}
  if list[1] ~= tokenizer.bos then whole[1] = tokenizer.bos end
  for _, id in ipairs(list) do whole[#whole + 1] = id end
  if #list == 0 or list[#list] ~= tokenizer.eos then whole[#whole + 1] = tokenizer.eos end
  return whole
end

local function count_lists(job, length)
  local cut = 0
  for i, list in ipairs(job.lists) do
    list = complete(list, job.model.tokenizer)
    if length > 0 and #list > length then
      cut = cut + 1
      for k = #list, length, -1 do list[k] = nil end
      list[length] = job.model.tokenizer.eos
    end
    job.lists[i], job.counts[i] = list, #list
  end
  return cut
end

local function with_prompt(texts, prompt)
  if prompt == '' then return texts end
  local out = {}
  for i, one in ipairs(texts) do out[i] = prompt .. one end
  return out
end

local function count_texts(job, length)
  local batch = job.model.tokenizer:batch(with_prompt(job.texts, job.prompt), length)
  for i = 1, #job.texts do job.counts[i] = batch.starts[i] - batch.starts[i - 1] end
  return tonumber(batch.n_cut)
end

-- Completes a job: counts its tokens and holds it against the limits.
function work.job(job, limits, truncate)
  local length = job.model.length or 0
  local model = job.model
  job.prompt = job.prompt or model.default_prompt and model.prompts[model.default_prompt] or ''
  job.counts, job.tokens, job.done, job.size = {}, 0, 0, #(job.texts or job.lists)
  local cut = job.texts and count_texts(job, length) or count_lists(job, length)
  for _, n in ipairs(job.counts) do job.tokens = job.tokens + n end
  if cut > 0 and not truncate then
    ask.refuse(413, ('%d of %d texts have more than the %d tokens that the model takes'):format(cut,
      job.size, length), 'inputs')
  end
  if job.tokens > limits.tokens then
    ask.refuse(413, ('%d tokens are more than the %d that one request may have'):format(job.tokens,
      limits.tokens), 'inputs')
  end
  return job
end

-- Whether two jobs can share a batch.
function work.alike(a, b)
  return a.model == b.model and a.kind == b.kind and a.normalize == b.normalize
    and a.prompt == b.prompt and (a.texts == nil) == (b.texts == nil)
end

local function gather(batch)
  local all = {}
  for _, piece in ipairs(batch) do
    local from = piece.job.texts or piece.job.lists
    for i = piece.first, piece.last do all[#all + 1] = from[i] end
  end
  return all
end

local function deliver(batch, x, dims)
  local at = 0
  for _, piece in ipairs(batch) do
    local job = piece.job
    for i = piece.first, piece.last do
      local n = dims * (job.kind == 'tokens' and job.counts[i] or 1)
      job:row(i, x + at, n)
      at = at + n
    end
    job.done = piece.last
  end
end

-- Encodes a batch, a list of { job, first, last }, and hands the vectors to their jobs.
function work.encode(batch)
  local job = batch[1].job
  local model, all = job.model, gather(batch)
  tensor.scope('batch', function()
    local x
    if job.kind == 'vectors' and job.texts then
      x = model:encode(all, { batch = #all, normalize = job.normalize, prompt = job.prompt })
    else
      local packed = job.texts
        and model.tokenizer:pack(with_prompt(all, job.prompt), model.length or 0)
        or text.of_ids(all, model.tokenizer.padding)
      x = job.kind == 'tokens' and model(packed) or model:vectors(packed, job.normalize)
    end
    local data, dims = tensor.read(x)
    deliver(batch, data, dims[2])
    core.hold(x)
  end)
end

return work
