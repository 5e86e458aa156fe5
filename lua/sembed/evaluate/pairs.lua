-- Pairs of texts that belong together: how well the first finds its second among the others'.
--
--   se.evaluate.pairs(model, 'test.jsonl.gz', { limit = 2000, block = 100, whole = true })
--
-- 1-of-100 accuracy (PolyAI's conversational-datasets): blocks of `block` pairs in the file's
-- order; each first text ranks the block's second texts. Rank = 1 + how many score higher + how
-- many score the same and stand before it: what argmax would say, and the same on every run; `ties`
-- says how many pairs have an equal score in their block. Pairs behind the last whole block do not
-- count, unless there is none. From ranks: accuracy (rank 1), mrr (mean of 1 / rank), recall@k.
-- whole = true ranks each among all pairs, too (accuracy_all, ...).
-- Similarity: cosine, or similarity = 'dot'. Of several positives ("pos": [...]) the first counts.
-- Memory: the vectors of one block; of all pairs with `whole`.

local Coder = require 'sembed.evaluate.coder'
local columns = require 'sembed.evaluate.columns'
local fail = require 'sembed.fail'
local metrics = require 'sembed.evaluate.metrics'
local op = require 'sembed.op'
local progress = require 'sembed.progress'
local records = require 'sembed.evaluate.records'
local tensor = require 'sembed.tensor'

local f = op.functions
local pairs_of = {}

local AT_ONCE = 500 -- pairs encoded between two rankings, about
local USUAL = { { 'context', 'response' }, { 'query', 'pos' }, { 'query', 'positive' },
  { 'anchor', 'positive' }, { 'question', 'answer' }, { 'sentence1', 'sentence2' },
  { 'text1', 'text2' } }

-- --- ranks from scores ---

local function count_up(n, shape)
  local list = {}
  for i = 1, n do list[i] = i - 1 end
  return tensor.make(list, 'i32'):reshape(shape)
end

-- scores (n, n), the right one on the diagonal -> i32[n] how many score higher, i32[n] how many the
-- same in an earlier column, the diagonal (n, 1), i32[n] how many the same, itself among them.
local function stand(scores)
  local n = scores:size(1)
  local own = (scores * f.one_hot(count_up(n, { n }), n)):sum { axes = 2, keep = true }
  local equal = f.equal(scores, own)
  local earlier = f.less(count_up(n, { 1, n }), count_up(n, { n, 1 }))
  return f.greater(scores, own):sum(2), f.logical_and(equal, earlier):sum(2), own, equal:sum(2)
end

-- Ranks of one block and how many of its pairs have an equal; a, b f32[n, dims].
function pairs_of.ranks(a, b)
  return tensor.scope('ranks', function()
    local higher, before, _, equal = stand(a:matmul(b:t()))
    local ranks, ties = (higher + before + 1):totable(), 0
    for _, n in ipairs(equal:totable()) do ties = ties + (n > 1 and 1 or 0) end
    return ranks, ties
  end)
end

local function add_to(list, t)
  for i, value in ipairs(t:totable()) do list[i] = (list[i] or 0) + value end
end

-- Ranks among all: a, b are lists of tensors with the same rows in each part.
function pairs_of.ranks_among_all(a, b, show)
  local all = {}
  for i = 1, #a do
    local ranks = {}
    tensor.scope('ranks', function()
      local higher, before, own = stand(a[i]:matmul(b[i]:t()))
      local rank = higher + before + 1
      tensor.eval(rank, own)
      add_to(ranks, rank)
      for j = 1, #b do
        if j ~= i then
          tensor.scope('tile', function()
            local scores = a[i]:matmul(b[j]:t())
            local over = j < i and f.greater_equal or f.greater
            add_to(ranks, over(scores, own):sum(2))
          end)
        end
      end
    end)
    for _, rank in ipairs(ranks) do all[#all + 1] = rank end
    if show then show(i, #a) end
  end
  return all
end

-- --- the task ---

local Task = {}
Task.__index = Task

local function rank_block(task, a, b, first, last)
  local ranks, ties = pairs_of.ranks(a:rows(first, last), b:rows(first, last))
  for _, rank in ipairs(ranks) do task.ranks[#task.ranks + 1] = rank end
  task.ties, task.used = task.ties + ties, task.used + #ranks
end

-- Encodes what was read and ranks its whole blocks; at the end what is left, if it is all there is.
function Task:flush(last)
  if #self.first == 0 then return end
  self.coder:expect(2 * #self.first)
  tensor.scope('pairs', function()
    local unit = self.similarity == 'cosine' or nil
    local a = self.coder:encode(self.first, 'query', unit)
    local b = self.coder:encode(self.second, 'document', unit)
    local n = #self.first
    for first = 1, n - n % self.block, self.block do
      rank_block(self, a, b, first, first + self.block - 1)
    end
    if last and self.used == 0 then rank_block(self, a, b, 1, n) end
    if self.whole then
      self.all_a[#self.all_a + 1], self.all_b[#self.all_b + 1] = tensor.keep(a), tensor.keep(b)
    end
  end)
  self.first, self.second = {}, {}
end

local function add_metrics(result, order, ranks, cutoffs, suffix)
  local function set(name, value)
    order[#order + 1] = name .. suffix
    result[name .. suffix] = value
  end
  set('accuracy', metrics.share_within(ranks, 1))
  set('mrr', metrics.mean_reciprocal_rank(ranks))
  for _, k in ipairs(cutoffs) do set('recall@' .. k, metrics.share_within(ranks, k)) end
end

local function read(task, source, options)
  local pick = columns.picker { count = 2, columns = options.columns, usual = USUAL }
  local limit = (options.limit or 0) > 0 and options.limit or math.huge
  local at_once = task.block * math.max(1, math.floor(AT_ONCE / task.block))
  for record, place, kind in records.of(source) do
    local values = pick(record, place, kind)
    if values then
      task.first[#task.first + 1] = columns.text(values[1], place)
      task.second[#task.second + 1] = columns.texts(values[2], place)[1]
      task.pairs = task.pairs + 1
      if task.pairs >= limit then break end
      if #task.first == at_once then task:flush() end
    end
  end
  task:flush(true)
end

-- How well the first text of each pair finds its second among the others': options: columns, limit
-- (the first N pairs), block, whole, similarity, batch, length, dims, query_prompt, document_prompt
-- and the same with _name.
function pairs_of.evaluate(model, path, options)
  options = options or {}
  local source, block = records.source(path), options.block or 100
  fail.unless(block >= 2 and block % 1 == 0, 'pairs: block=%s: a count of at least 2 is wanted',
    tostring(block))
  local task = setmetatable({
    coder = Coder.new(model, options, 'pairs', source), block = block,
    similarity = Coder.similarity(options), whole = options.whole, first = {}, second = {},
    ranks = {}, ties = 0, used = 0, pairs = 0, all_a = {}, all_b = {},
  }, Task)
  read(task, source, options)
  fail.unless(task.pairs > 0, '%s: no pairs in it', source.name)
  local values, order = {}, {}
  add_metrics(values, order, task.ranks, { 3, 5, 10 }, '')
  if task.whole then
    local ranks = pairs_of.ranks_among_all(task.all_a, task.all_b, function(i, n)
      progress.on_terminal('%s: ranking among all, %d %%', task.coder.label, 100 * i / n)
    end)
    add_metrics(values, order, ranks, { 3, 5, 10, 100 }, '_all')
  end
  return (task.coder:report { task = 'pairs', source = source.name, pairs = task.pairs,
    used = task.used, block = math.min(block, task.used), ties = task.ties,
    similarity = task.similarity, metrics = values, order = order })
end

return pairs_of
