-- Token files from Lua, data sets by weight, and `sembed tokens`.
local se = require 'sembed'
local check = require 'check'

local base = check.folder()
local tokenizer = se.tokenizer.open(check.data 'tiny-mpnet')

local function write(name, n, word)
  local lines = {}
  for i = 1, n do lines[i] = ('["%s %d", "reply %d"]'):format(word, i, i) end
  se.files.write(base .. '/' .. name, table.concat(lines, '\n') .. '\n')
  return base .. '/' .. name
end

local a, b = write('a.jsonl', 100, 'alpha'), write('b.jsonl', 300, 'beta')
se.files.write(base .. '/data_config.json',
  '[{"name": "a.jsonl", "lines": 100, "weight": 3}, {"name": "b.jsonl", "weight": 1}]')

-- Made once, found the second time; a changed source is made again.
local tokens = base .. '/tokens'
local options = { tokenizer = tokenizer, length = 16, tokens = tokens }
local path, made = se.data.tokens.make({ a }, {}, options)
check.equal(made.made, 100, 'made')
check.equal(select(2, se.data.tokens.make({ a }, {}, options)).made, 0, 'made again')
write('a.jsonl', 101, 'alpha')
local same, more = se.data.tokens.make({ a }, {}, options)
check.equal(same, path, 'the name')
check.equal(more.made, 101, 'made of a changed source')
se.data.tokens.verify(path)

-- Texts of the pairs, from their source.
local one = se.data.pairs { a, tokenizer = tokenizer, length = 16, tokens = tokens }
check.equal(one:count(), 101, 'pairs')
check.equal(one:text('context', 7), 'alpha 7', 'a text')
check.fails(function() one:text('contxt', 1) end, 'context')
check.fails(function() one:text('context', 102) end, 'no pair 102 of 101')
local train, held = one:split(0.2)
check.equal(train:count() + held.of, 101, 'parts')
check.equal(held:count(), held.of, 'held out')
check.ok(held.of > 5 and held.of < 50, '%d held out', held.of)

-- A batch is of one data set; with mixed = true rows come from several.
local function kinds(talk, rows)
  local seen = {}
  local text = talk:draw(rows).context
  talk:done()
  local ids, starts = text.ids:totable(), text.starts:totable()
  for i = 1, rows do
    local word = tokenizer:decode({ unpack(ids, starts[i] + 1, starts[i + 1]) }, true)
    local kind = word:match '^be' and 'beta' or 'alpha'
    seen[kind] = (seen[kind] or 0) + 1
  end
  return seen
end
local function mixture(more_options)
  local o = { base .. '/data_config.json', tokenizer = tokenizer, length = 16, tokens = tokens }
  for key, value in pairs(more_options or {}) do o[key] = value end
  return se.data.mixture.open(o)
end
local whole, mixed = mixture(), mixture { mixed = true }
check.equal(whole:count(), 401, 'pairs of both')
local batches, rows = { alpha = 0, beta = 0 }, { alpha = 0, beta = 0 }
for _ = 1, 200 do
  for kind, n in pairs(kinds(whole, 8)) do
    check.equal(n, 8, 'one data set a batch')
    batches[kind] = batches[kind] + 1
  end
  for kind, n in pairs(kinds(mixed, 8)) do rows[kind] = rows[kind] + n end
end
-- Three quarters, within four standard errors.
check.ok(math.abs(batches.alpha / 200 - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 200), 'batches')
check.ok(math.abs(rows.alpha / 1600 - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 1600), 'rows')

-- Going on where it was.
local state = mixed:state()
local next_batch = table.concat(mixed:draw(8).context.ids:totable(), ' ')
local again = mixture { mixed = true, seed = 5 }
again:restore(state)
check.equal(table.concat(again:draw(8).context.ids:totable(), ' '), next_batch, 'after restoring')
check.fails(function() one:restore(state) end, 'belongs to 2 data sets, expected 1')

-- Which texts of a batch are equal.
se.files.write(base .. '/c.jsonl', '["x", "y"]\n["y", "z"]\n["x", "w"]\n')
local masked = se.data.pairs { base .. '/c.jsonl', tokenizer = tokenizer, tokens = tokens,
  duplicates = 'mask' }
local batch = masked:draw(3)
local left, right = batch.context.same:totable(), batch.response.same:totable()
local equal = 0
for i = 1, 3 do
  for j = 1, 3 do
    equal = equal + (left[i] == right[j] and 1 or 0) + (i < j and left[i] == left[j] and 1 or 0)
  end
end
check.equal(equal, 2, 'equal texts: x twice, y in both columns')
check.fails(function() se.data.pairs { a, tokenizer = tokenizer, duplicates = 'ship' } end, 'skip')

-- Mistakes.
check.fails(function() se.data.mixture.open { tokenizer = tokenizer } end, 'a list of data sets')
check.fails(function() se.data.mixture.open { { a, weight = -1 }, tokenizer = tokenizer } end,
  'data set 1: weight is -1')
se.files.write(base .. '/bad.json', '[{"name": "a.jsonl"}]')
check.fails(function() se.data.mixture.read(base .. '/bad.json') end, 'entry 1: weight is nil')

-- From the shell: standard input leaves no file; a folder that cannot be made is an error.
local text, status = check.run(('tokens model=%s in=%s/data_config.json tokens=%s/shell check=true')
  :format(check.data 'tiny-mpnet', base, base))
check.equal(status, 0, text)
check.ok(text:find('101 pairs in ', 1, true) and text:find('300 pairs in ', 1, true), '%s', text)
check.equal(#se.files.list(base .. '/shell'), 2, 'token files')

-- A data set with columns of its own: `tokens` makes the file that a mixture reads.
se.files.write(base .. '/c.jsonl', '{"q": "what", "r": "that"}\n')
se.files.write(base .. '/own.json', '[{"name": "a.jsonl", "weight": 1}, '
  .. '{"name": "c.jsonl", "weight": 1, "columns": ["q", "r"]}]')
text, status = check.run(('tokens model=%s in=%s/own.json tokens=%s/own length=16'):format(
  check.data 'tiny-mpnet', base, base))
check.equal(status, 0, text)
check.equal(se.data.mixture.open { base .. '/own.json', tokenizer = tokenizer, length = 16,
  tokens = base .. '/own' }:count(), 102, 'pairs of both')
check.equal(#se.files.list(base .. '/own'), 2, 'no other token files')
text, status = check.run(('tokens model=%s in=%s tokens=%s/no'):format(check.data 'tiny-mpnet', b,
  a))
check.equal(status, 1, 'a folder that cannot be')
check.ok(text:find('a.jsonl', 1, true), '%s', text)

check.done()
