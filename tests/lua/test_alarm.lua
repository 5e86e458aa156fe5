-- A loss that is no number, infinite or far too large ends a run: it tells the step, the op and its
-- line, and saves the batch; the last save stays whole and is gone on from.
local se = require 'sembed'
local check = require 'check'
local runs = require 'runs'

local base, small, lines_of = runs.base, runs.small, runs.lines

local vocab = check.data 'tiny-mpnet/vocab.txt'
local tokenizer = se.tokenizer.open(vocab)
local function talk_of(path)
  return (se.data.pairs { path, columns = { 'a', 'b' }, seed = 1, tokenizer = tokenizer,
    length = 32 })
end

-- The pairs of each step's batch, as a run of that seed draws them.
local talk = talk_of(check.data 'tiny-mpnet/pairs.jsonl')
local drawn = {}
for step = 1, 9 do
  talk:draw(16)
  talk:done()
  drawn[step] = talk:drawn()
end

local function is_batch(path, step)
  local rows = lines_of(path)
  check.equal(#rows, 16, path .. ': lines')
  for i, row in ipairs(rows) do
    check.equal(row.pair, tonumber(drawn[step].pair[i - 1]) + 1, ('%s: pair %d'):format(path, i))
    check.equal(row.a, talk:text('a', row.pair), path .. ': a')
    check.equal(row.b, talk:text('b', row.pair), path .. ': b')
    check.ok(row.set == nil and row.decoded == nil, 'one data set, from its source')
  end
end

small 'whole'
for name, case in pairs {
  loss = { 'bad=7 save=3', 7, { 'step 7: mul (', 'small_run.lua:21) made 1 NaN of 1 values' } },
  inf = { 'bad=7 save=3 by=inf', 7, { 'step 7: ', ' made ' } },
  vectors = { 'bad=7 save=3 at=encode', 7, { 'step 7: mul (', 'small_run.lua:21) made 512 NaN' } },
  chunks = { 'bad=7 save=3 at=encode chunk=4', 7,
    { 'step 7: chunk: mul (', 'small_run.lua:21) made 128 NaN of 128' } },
  chunked = { 'bad=7 save=3 chunk=4', 7, { 'step 7: mul (', 'small_run.lua:21) made 1 NaN' } },
  large = { 'bad=7 save=3 by=1e9', 7,
    { 'step 7: the loss is ', 'e+09, beyond loss_limit=1e+06' } },
  limit = { 'bad=7 save=3 by=30 loss_limit=50', 7, { 'beyond loss_limit=50' } },
  last = { 'bad=12 save=6 by=1e9 steps=12', 12, { 'step 12: the loss is ' } },
  first = { 'bad=1', 1, { 'step 1: mul (' } },
} do
  local keys, step, wanted = unpack(case)
  local text = small(name, keys, 1)
  for _, words in ipairs(wanted) do
    check.ok(text:find(words, 1, true), '%s: "%s" is missing: %s', name, words, text)
  end
  local path = ('%s/%s/bad-batch-%d.jsonl'):format(base, name, step)
  check.ok(text:find('its batch of 16 pairs is in ' .. path, 1, true), '%s: %s', name, text)
  if step <= 9 then is_batch(path, step) end
  local log = lines_of(('%s/%s/log.jsonl'):format(base, name))
  local last = log[#log]
  check.equal(last.step, step, name .. ': the log\'s last line')
  check.ok(last.error:find(wanted[1], 1, true), '%s: %s', name, last.error)
  check.equal(last.batch, path, name .. ': the batch')
  -- The save before it is what an undisturbed run goes on from.
  small(name, (keys:gsub('bad=%d+', '')) .. ' resume=auto')
  if not keys:find 'chunk' then
    check.ok(check.read(('%s/%s/model.safetensors'):format(base, name))
      == check.read(base .. '/whole/model.safetensors'), '%s: other weights', name)
  end
  log = lines_of(('%s/%s/log.jsonl'):format(base, name))
  check.equal(#log, 12, name .. ': lines of the log')
end

-- A saved batch is data.
local again = se.data.pairs { base .. '/loss/bad-batch-7.jsonl', columns = { 'a', 'b' } }
check.equal(again:count(), 16, 'pairs')

-- Without a folder: the message alone.
local text, status = check.run(runs.recipe .. ' bad=3')
check.equal(status, 1, 'no folder: status')
check.ok(text:find('step 3: mul (', 1, true) and not text:find('batch of', 1, true), '%s', text)

-- Several data sets: pairs count over all of them. A source that is gone: what the tokens say.
local function copy_of(name, first, last)
  local lines = {}
  for i = first, last do
    lines[#lines + 1] = se.json.encode { talk:text('a', i), talk:text('b', i) }
  end
  return (check.write(base .. '/' .. name, table.concat(lines, '\n') .. '\n'))
end
local one, two = copy_of('one.jsonl', 1, 20), copy_of('two.jsonl', 21, 60)
local both = se.data.mixture.open { { one, weight = 1 }, { two, weight = 1 },
  columns = { 'a', 'b' }, tokenizer = tokenizer, length = 32, mixed = true, seed = 3,
  tokens = base .. '/tokens' }
both:draw(12)
local sets = {}
for _, row in ipairs(both:rows_of(both:drawn())) do
  check.equal(row.a, talk:text('a', row.pair), 'mixture: a')
  check.equal(row.set, row.pair > 20 and 2 or 1, 'mixture: set')
  sets[row.set] = true
end
check.ok(sets[1] and sets[2], 'both sets are drawn from')
os.remove(two)
for _, row in ipairs(both:rows_of(both:drawn())) do
  check.equal(row.decoded, row.set == 2 or nil, 'decoded')
  local ids = tokenizer:encode(talk:text('b', row.pair), 32)
  check.equal(row.b, row.set == 1 and talk:text('b', row.pair) or tokenizer:decode(ids), 'b')
end

-- A number that is logged instead of a tensor; a limit that is none.
local function train(cfg, value)
  for step in se.train.steps(talk, cfg) do se.train.log { step = step, loss = value } end
end
check.fails(function() train({ steps = 2, batch = 4 }, 0 / 0) end, 'step 1: the loss is nan')
check.fails(function() train({ steps = 2, batch = 4 }, -1 / 0) end, 'step 1: the loss is -inf')
check.fails(function() train({ steps = 2, batch = 4, loss_limit = 2 }, -3) end, 'loss_limit=2')
check.fails(function() train({ steps = 2, batch = 4, loss_limit = 0 }, 1) end, 'loss_limit=0')
train({ steps = 2, batch = 4 }, 1e6)
check.done()
