-- What a student learns from a teacher: the teacher's vectors of the texts that are trained on.
--
--   local lesson = se.train.teacher(teacher, student, { 'talk.jsonl', seed = 1 })
--   local data, held = lesson.data:split(0.01)        the student's pairs, as of se.data.pairs
--   for step, batch in se.train.steps(data, cfg, { model = student, adam = adam }) do
--     local a, b = lesson:vectors(batch, 'a'), lesson:vectors(batch, 'b')
--     local value, grads = run(batch.a, batch.b, a, b) -- of se.loss.vector_mse()
--   lesson:encode(texts)                              the same for any texts
--
-- Options: those of se.data.pairs; fit (5000). The teacher reads the same texts with its own
-- tokenizer, without dropout, prompt or gradient. Where the student's vectors are narrower, they
-- learn the principal components of the teacher's (of the first `fit` texts of the first column);
-- where they are of unit length, so is what they learn. What the teacher gave once is remembered,
-- up to 1 GiB, or a quarter of the run's memory limit: from the second epoch on it has no work.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local pairs_of = require 'sembed.data.pairs'
local progress = require 'sembed.progress'
local tensor = require 'sembed.tensor'

local f, C = op.functions, core.C
local Lesson = {}
Lesson.__index = Lesson

local floats = core.typeof 'float[?]'

local TOKENS = 2048 -- that the teacher reads at once
local AT_ONCE = 200 -- texts, between two looks at the clock
local ROOM = 2 ^ 30 -- bytes of vectors that are remembered

-- The teacher's vectors as the student is to have them.
local function as_learned(self, x)
  if self.components then x = f.matmul(x, self.components:t()) end
  return self.student.normalize and f.normalize(x) or x
end

-- Texts in memory -> f32[n, dims], computed.
function Lesson:encode(texts)
  local x = tensor.scope('teacher', function()
    return (tensor.keep(as_learned(self, (self.teacher:encode(texts, { prompt = '' })))))
  end)
  tensor.eval(x)
  return x
end

-- Reads the texts of a batch that are not known, whose numbers (from 0) `rows` has.
local function read(self, packed, column, rows, names)
  local text = self.reader:like(packed, column, rows)
  tensor.scope('teacher', function()
    local x = require('sembed.cached').vectors(function(part)
      return as_learned(self, (self.teacher:vectors(part)))
    end, text, TOKENS)
    local data = tensor.read(x, true)
    for k, i in ipairs(rows) do
      local row = floats(self.dims)
      core.copy(row, data + (k - 1) * self.dims, 4 * self.dims)
      names.found[i] = row
      if self.bytes < self.room then
        self.known[names[i]], self.bytes = row, self.bytes + 4 * self.dims
      end
    end
    core.hold(x)
  end)
end

-- What the student is to give for a column of a batch: f32[my rows, dims].
function Lesson:vectors(batch, column)
  local packed, missing = batch[column], {}
  fail.unless(packed, 'train.teacher: %s',
    fail.unknown('column', tostring(column), self.data.columns))
  local names = self.reader:names(packed, column)
  names.found = {}
  for i = 0, packed.count - 1 do
    names.found[i] = self.known[names[i]]
    if not names.found[i] then missing[#missing + 1] = i end
  end
  if #missing > 0 then read(self, packed, column, missing, names) end
  local all = floats(packed.count * self.dims)
  for i = 0, packed.count - 1 do
    core.copy(all + i * self.dims, names.found[i], 4 * self.dims)
  end
  local x = tensor.from_memory('f32', { packed.count, self.dims }, all)
  return packed.rows and tensor.vary(x, packed.rows) or x
end

-- The principal components of the teacher's vectors, where the student has fewer numbers.
local function fit(self, wanted)
  local columns = self.data.columns
  local n = math.min(wanted, self.data:count())
  io.stderr:write(('the teacher reads %d texts: the student learns %d principal components of its '
    .. '%d numbers\n'):format(n, self.dims, self.teacher.dims))
  local texts, parts = self.data:texts(columns[1], 1, n), {}
  for first = 1, n, AT_ONCE do
    local some = { unpack(texts, first, math.min(first + AT_ONCE - 1, n)) }
    parts[#parts + 1] = self.teacher:encode(some, { prompt = '' })
    progress.show('%d of %d texts', first + #some - 1, n)
  end
  progress.clear()
  self.components, self.share = require 'sembed.pca'(tensor.join(parts), self.dims)
  tensor.keep(self.components)
end

return function(teacher, student, options)
  fail.unless(student.dims <= teacher.dims, "train.teacher: the student's vectors have %d numbers, "
    .. "the teacher's %d: as many or fewer are wanted", student.dims, teacher.dims)
  local function pairs_for(model)
    local own = {}
    for key, value in pairs(options) do own[key] = value end
    own.tokenizer, own.length, own.fit = model.tokenizer, options.length or model.length, nil
    return (pairs_of(own))
  end
  local limit = tonumber(C.se_memory_limit_now())
  local self = setmetatable({ teacher = teacher, student = student, dims = student.dims,
    data = pairs_for(student), reader = pairs_for(teacher), known = {}, bytes = 0,
    room = limit > 0 and limit / 4 or ROOM }, Lesson)
  if student.dims < teacher.dims then fit(self, options.fit or 5000) end
  return self
end
