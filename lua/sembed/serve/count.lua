-- What the batcher did, for GET /metrics (the requests themselves are counted in C).

local count = {}
local Count = {}
Count.__index = Count

local SIZES = { 1, 2, 4, 8, 16, 32, 64, 128, 256 } -- texts of a batch

function count.new()
  local self = setmetatable({ texts = {}, tokens = {}, sizes = {}, batches = 0, all = 0,
    dropped = 0 }, Count)
  for i = 1, #SIZES do self.sizes[i] = 0 end
  return self
end

function Count:batch(batch)
  local name, texts, tokens = batch[1].job.model.name, 0, 0
  for _, piece in ipairs(batch) do
    for i = piece.first, piece.last do tokens = tokens + piece.job.counts[i] end
    texts = texts + piece.last - piece.first + 1
  end
  self.texts[name] = (self.texts[name] or 0) + texts
  self.tokens[name] = (self.tokens[name] or 0) + tokens
  self.batches, self.all = self.batches + 1, self.all + texts
  for i, size in ipairs(SIZES) do
    if texts <= size then self.sizes[i] = self.sizes[i] + 1 end
  end
end

function Count:drop() self.dropped = self.dropped + 1 end

-- Resident memory in bytes, where the system tells (Linux).
local function resident()
  local file = io.open '/proc/self/statm'
  if not file then return end
  local pages = file:read('*a'):match '^%d+ (%d+)'
  file:close()
  return pages and tonumber(pages) * 4096
end

local function by_model(lines, name, help, values)
  lines[#lines + 1] = ('# HELP %s %s\n# TYPE %s counter'):format(name, help, name)
  for model, n in pairs(values) do
    lines[#lines + 1] = ('%s{model="%s"} %d'):format(name, model:gsub('[\\"\n]', '\\%0'), n)
  end
end

function Count:text()
  local lines = {}
  local function add(...) lines[#lines + 1] = string.format(...) end
  by_model(lines, 'sembed_texts_total', 'Texts encoded.', self.texts)
  by_model(lines, 'sembed_tokens_total', 'Tokens encoded.', self.tokens)
  add '# HELP sembed_batch_texts Texts encoded together.\n# TYPE sembed_batch_texts histogram'
  for i, size in ipairs(SIZES) do
    add('sembed_batch_texts_bucket{le="%d"} %d', size, self.sizes[i])
  end
  add('sembed_batch_texts_bucket{le="+Inf"} %d', self.batches)
  add('sembed_batch_texts_sum %d\nsembed_batch_texts_count %d', self.all, self.batches)
  add('# HELP sembed_dropped_total Requests whose client went away.\n'
    .. '# TYPE sembed_dropped_total counter\nsembed_dropped_total %d', self.dropped)
  local bytes = resident()
  if bytes then
    add('# HELP process_resident_memory_bytes Resident memory.\n'
      .. '# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %d', bytes)
  end
  return table.concat(lines, '\n') .. '\n'
end

return count
