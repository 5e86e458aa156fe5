-- The loop of a job that turns texts into vectors:
--
--   for chunk in se.vectors.chunks(texts, out, options) do
--     chunk:count(model)
--     out:add((model:encode(chunk.texts, options)))
--   end
--
-- A chunk is as many texts as take about two seconds, so that a stop is soon obeyed and the
-- progress moves; what is written does not depend on it, since a text's vector does not. Between
-- two chunks the writer is told how far the job is. Ctrl-C ends it there, with the line that goes
-- on.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local progress = require 'sembed.progress'
local run = require 'sembed.run'

local C = core.C
local SECONDS = 2     -- a chunk takes about this long, less where saves are more frequent
local LEAST_TEXTS = 8 -- or a batch, if that is less: a slow model is to be stopped soon, too
local MOST_TEXTS, MOST_BYTES = 8192, 16 * 2 ^ 20

local Chunk = {}
Chunk.__index = Chunk

local function clock() return tonumber(C.se_seconds()) end

-- --- what is shown ---

local function grouped(n) -- 1234567 -> 1,234,567
  local text = ('%.0f'):format(n)
  return (text:reverse():gsub('(%d%d%d)', '%1,'):reverse():gsub('^,', ''))
end

local function rate(n, seconds)
  local r = n / math.max(seconds, 1e-9)
  return r >= 100 and grouped(r) or ('%.3g'):format(r)
end

local function show(self)
  local seconds, read, size = clock() - self.began, self.texts:read(), self.texts:size()
  local line = ('%s texts  %s texts/s  %s tokens/s'):format(grouped(self.out.texts),
    rate(self.out.texts - self.first, seconds), rate(self.tokens, seconds))
  if size > 0 and read > self.read_first then
    line = line .. ('  %d %%  %s left'):format(100 * read / size,
      progress.clock(seconds * (size - read) / (read - self.read_first)))
  end
  progress.on_terminal('%s', line)
end

-- The last line: what was done, and what was cut.
local function report(self, rows, texts)
  local seconds, c, form = clock() - self.began, self.counts, self.out.form
  progress.clear()
  io.stderr:write(('%s texts%s -> %s, %s [%s, %d], in %s: %s texts/s, %s tokens/s\n'):format(
    grouped(texts), self.out.resumed and (' (%s of them now)'):format(grouped(texts - self.first))
    or '', self.out.path == '-' and 'standard output' or self.out.path, form.name, grouped(rows),
    form.columns, progress.clock(seconds), rate(texts - self.first, seconds),
    rate(self.tokens, seconds)))
  if c.cut_texts > 0 then
    io.stderr:write(('%s of them were cut to %d tokens: %s tokens in all, at most %s\n'):format(
      grouped(c.cut_texts), self.length, grouped(c.cut_tokens), grouped(c.cut_most)))
  end
end

-- --- counting ---

-- Counts the tokens of the texts, and those that their vectors do without. Tokenizing twice costs
-- far less than any model does.
function Chunk:count(model)
  local loop, c, list = self.loop, self.loop.counts, self.texts
  if loop.prompt ~= '' then
    list = {}
    for i, text in ipairs(self.texts) do list[i] = loop.prompt .. text end
  end
  local batch = model.tokenizer:batch(list, loop.length)
  local tokens = tonumber(batch.total)
  loop.tokens, c.tokens = loop.tokens + tokens, c.tokens + tokens
  for i = 0, #list - 1 do
    local cut = batch.cuts[i]
    if cut > 0 then
      if loop.strict then
        fail.raise('%s: the text has %d tokens, %d are taken (strict=true)', self.where[i + 1],
          loop.length + cut, loop.length)
      end
      c.cut_texts, c.cut_tokens = c.cut_texts + 1, c.cut_tokens + cut
      c.cut_most = math.max(c.cut_most, cut)
    end
  end
end

-- --- the loop ---

local function stop(self)
  progress.finish()
  C.se_interrupt_defer(false)
  C.se_interrupt_clear()
  local n = grouped(self.out.texts)
  if not self.out:pause() then fail.stop(('stopped after %s texts'):format(n)) end
  fail.stop(('stopped after %s texts; to go on:\n  %s'):format(n, run.line { resume = 'auto' }))
end

local function read(self)
  local texts, list, where, bytes = self.texts, {}, {}, 0
  while #list < self.size and bytes < MOST_BYTES do
    local text = texts()
    if not text then break end
    list[#list + 1] = text
    if self.strict then where[#where + 1] = texts:where() end
    bytes = bytes + #text
  end
  return setmetatable({ texts = list, where = where, loop = self }, Chunk)
end

-- Reading may wait for a slow pipe: there an interrupt acts at once.
local function next_chunk(self)
  C.se_interrupt_defer(false)
  local ok, chunk = pcall(read, self)
  C.se_interrupt_defer(true)
  if C.se_interrupted() then stop(self) end
  if not ok then
    C.se_interrupt_defer(false)
    self.out:pause()
    error(chunk, 0)
  end
  return chunk
end

local function close_chunk(self)
  local now = clock()
  self.out:mark(self.texts:tell(), self.counts)
  show(self)
  if C.se_interrupted() then stop(self) end
  local fits = self.chunk_texts * self.seconds / math.max(now - self.chunk_began, 1e-6)
  self.size = math.floor(math.min(MOST_TEXTS, 4 * self.size, math.max(self.least, fits)))
end

-- options: those of options.lua.
return function(texts, out, options)
  local self = {
    texts = texts, out = out, tokens = 0, counts = out.counts, first = out.texts,
    length = options.length, prompt = options.prompt or '', strict = options.strict,
    least = math.min(options.batch, LEAST_TEXTS), seconds = math.min(SECONDS, out.every),
  }
  self.size = self.least
  for _, key in ipairs { 'tokens', 'cut_texts', 'cut_tokens', 'cut_most' } do
    self.counts[key] = self.counts[key] or 0
  end
  if out.place then texts:go(out.place) end
  self.began, self.read_first = clock(), texts:read()
  return function()
    if self.chunk_began then close_chunk(self) end
    local chunk = next_chunk(self)
    self.chunk_began, self.chunk_texts = clock(), #chunk.texts
    if #chunk.texts > 0 then return chunk end
    report(self, out:close())
    C.se_interrupt_defer(false)
  end
end
