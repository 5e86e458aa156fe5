-- The training loop's edges. The recipe owns the loop:
--
--   for step, batch in se.train.steps(talk, cfg, { model = model, adam = adam }) do
--     ... batch.response, batch.context: packed texts ...
--     se.train.log { step = step, loss = value, rate = rate(step) }
--   end
--
-- A step's tensors belong to it; its end computes what was logged and all assigns in one program,
-- and releases the rest. cfg: steps, batch, seed; and, where there is an out folder: out, save
-- (every how many steps, 0: at the end), keep (how many saves stay, 1 when not given, 0: all),
-- resume ('auto' or ''). With parts.evaluate, a function of
-- the step, cfg.evaluate says after how many steps it is called; 0: before and after alone;
-- cfg.best names the number of it whose best save is kept as OUT/best: 'one_of_100', the largest,
-- or '-loss', the least.

local about = require 'sembed.train.about'
local alarm = require 'sembed.train.alarm'
local checkpoint = require 'sembed.checkpoint'
local core = require 'sembed.ffi'
local device = require 'sembed.device'
local evaluation = require 'sembed.train.evaluation'
local fail = require 'sembed.fail'
local join = require 'sembed.optim.join'
local log = require 'sembed.log'
local progress = require 'sembed.progress'
local told = require 'sembed.train.record'
local saving = require 'sembed.train.saving'
local shard = require 'sembed.shard'
local tensor = require 'sembed.tensor'
local together = require 'sembed.train.together'
local watch = require 'sembed.train.watch'

local C = core.C
local train = {}

local current -- the run whose loop is open

-- --- a loop's end ---

local function forget(self)
  core.on_nonfinite, core.before_compute = nil, nil
  C.se_interrupt_defer(false)
  if current == self then current = nil end
end

-- The log of the steps before it is whole; the step itself is neither logged nor saved.
local function leave(self, end_scope)
  forget(self)
  if self.scope then end_scope(self.scope) end
  self.log:flush()
  progress.finish()
end

-- Leaves the loop that is open after an error: nothing of its step is kept.
function train.abandon()
  if current then leave(current, C.se_scope_close) end
end

-- `break` does not tell an iterator. The next that is computed, or the next loop, finds the loop
-- left; what was made in its last step and after it stays for as long as it is used.
local function leave_by_break()
  if current then leave(current, C.se_scope_leave) end
end

-- --- a step's end ---

-- The logged tensors are computed together with the step's assigns; the log gets handles of its own
-- that stay when the step is gone.
local function compute(self)
  local list, values = {}, {}
  for key, value in pairs(self.values or {}) do
    if core.is_tensor(value) then
      if key == 'loss' then tensor.guard(value) end
      value = tensor.keep(core.share(value))
      list[#list + 1] = value
    end
    values[key] = value
  end
  tensor.eval(list)
  return values
end

local function stop(self)
  current = nil
  saving.stop(self)
end

-- Ctrl-C ends an evaluation at once; the run that goes on does it again.
local function evaluate(self)
  checkpoint.guard(self.out, self.log.flush, self.log)
  C.se_interrupt_defer(false)
  local ok, found = pcall(self.evaluation.run, self.evaluation, self.step, self.log, self.began)
  C.se_interrupt_defer(true)
  if C.se_interrupted() then C.se_shard_interrupt() end
  if ok then shard.meet 'the end of an evaluation' end
  if C.se_shard_interrupted() then stop(self) end
  if not ok then error(found, 0) end
  if found then saving.take_measured(self, found) end
end

local function close_step(self)
  local record = told.of(self, compute(self))
  C.se_scope_close(self.scope)
  self.scope = nil
  self.parts.data:done()
  saving.take_named(self, record)
  checkpoint.guard(self.out, self.log.add, self.log, record)
  self.values = nil
  if C.se_shard_interrupted() then stop(self) end
  if self.evaluation:due(self.step) then evaluate(self) end
  saving.after_step(self)
end

-- The message of an error with what stands of the run, where a process was lost.
function train.what_stands(message)
  return (together.what_stands(message, current and current.out))
end

-- --- a step's beginning ---

-- This process's rows of the next batch; several devices that it has divide them.
local function batch_of(self)
  local B, data, devices = self.cfg.batch, self.parts.data, device.shards()
  local first, last = 0, B
  if devices <= 1 then first, last = shard.range(B) end
  local columns = data:draw(B, first, last)
  self.drawn = { [self.step] = data.drawn and data:drawn(),
    [self.step - 1] = self.drawn and self.drawn[self.step - 1] } -- the log is one step late
  local batch, tokens = {}, 0
  for i, name in ipairs(data.columns) do
    local text = columns[name]
    tokens = tokens + text.tokens
    text = text:divide(devices)
    batch[name] = text:with_key(self.seed, self.step, i - 1, first):vary(B)
  end
  self.tokens = together.tokens(self.step, self.drawn[self.step], tokens)
  return batch
end

local function open_step(self)
  self.step_began = tonumber(C.se_seconds())
  math.randomseed(self.seed + self.step / 2 ^ 21) -- so that a run that goes on draws the same
  self.scope = C.se_scope_open(('step %d'):format(self.step))
  return batch_of(self)
end

local function finish(self)
  self.log:flush()
  progress.finish()
  forget(self)
end

local function next_step(self)
  if self.scope then close_step(self) end
  if self.step == self.steps then
    finish(self)
    return nil
  end
  self.step = self.step + 1
  return self.step, open_step(self)
end

-- --- the loop ---

local function open_log(self)
  local limit = alarm.limit(self.cfg)
  local path = self.out and shard.process() == 0 and self.out .. '/log.jsonl' or nil
  return log.open(path, function(record)
    local wrong = alarm.wrong(record.loss, limit)
    if wrong then
      fail.raise('%s', alarm.tell(self, record.step, self.drawn[record.step], wrong))
    end
    local edge = record.step == self.first or record.step == self.steps
    progress.line(told.line(self, record), edge)
  end)
end

-- The first call of the iterator: until then nothing is changed, so that a recipe can look at the
-- model as it is before the training.
local function begin(self, path, state)
  leave_by_break()
  if path then saving.restore(self, path, state) end
  if self.out then
    checkpoint.guard(self.out, about.write, self.out, checkpoint.plain(self.cfg), self.parts,
      self.step)
    shard.meet 'the start of a run'
  end
  together.check(self.parts.model and self.parts.model.params)
  self.first = self.step + 1
  self.log = open_log(self)
  self.began = tonumber(C.se_seconds()) - self.before
  current = self
  core.on_nonfinite = function(message)
    if not self.scope then return message end -- not of a step: an evaluation's
    core.on_nonfinite = nil
    return alarm.tell(self, self.step, self.drawn[self.step], message)
  end
  core.before_compute = watch(self.iterator, leave_by_break)
  C.se_interrupt_defer(true)
  if self.evaluation:due(self.step) and not self.evaluation:done(self.step) then
    evaluate(self)
    saving.after_late_evaluation(self)
  end
  self.ahead = tonumber(C.se_seconds()) - self.began -- seconds before the first step of this run
end

-- The steps of a training: for step, batch in se.train.steps(data, cfg, parts) do ... end; step
-- from 1 to cfg.steps, batch: a packed text for each column of data. parts, which saves hold:
-- model, adam (or optimizer = ...), and also = { ... }, others with :state(), such as a learned
-- scale; and evaluate(step) -> { name = number } (train/evaluation.lua). An out folder that cannot
-- be used is refused at once. Gives a second value, too, for what was evaluated: first and last,
-- each { step = , name = number }.
function train.steps(data, cfg, parts)
  parts = parts or {}
  for _, key in ipairs { 'steps', 'batch' } do
    fail.unless(type(cfg[key]) == 'number' and cfg[key] >= 1 and cfg[key] % 1 == 0,
      'train.steps: %s=%s: a count is wanted', key, tostring(cfg[key]))
  end
  fail.unless(cfg.batch >= shard.count, 'train.steps: batch=%d: there are %d shards, and each '
    .. 'needs a row', cfg.batch, shard.count)
  local devices = math.max(device.shards(), 1)
  fail.unless(cfg.batch % devices == 0, 'train.steps: batch=%d does not divide by the %d devices: '
    .. 'each takes as many rows', cfg.batch, devices)
  local out = rawget(cfg, 'out')
  local states = { parts.adam or parts.optimizer }
  for _, part in ipairs(parts.also or {}) do states[#states + 1] = part end
  local self = {
    cfg = cfg, steps = cfg.steps, step = 0, before = 0, seed = rawget(cfg, 'seed') or 1,
    out = out ~= '' and out or nil,
    evaluation = evaluation.new(parts.evaluate, rawget(cfg, 'evaluate'), cfg.steps),
    parts = { data = data, model = parts.model, optimizer = join(states) },
  }
  local path, state
  if self.out then path, state = checkpoint.prepare(self.out, rawget(cfg, 'resume') or '') end
  self.iterator = function()
    if not self.first then begin(self, path, state) end
    if current ~= self then fail.raise('train.steps: this loop was left') end
    return next_step(self)
  end
  return self.iterator, self.evaluation.seen
end

-- Values of this step for the log and the progress line: numbers and tensors by name.
function train.log(values)
  fail.unless(current, 'train.log: only within a loop over train.steps')
  current.values = current.values or {}
  for key, value in pairs(values) do current.values[key] = value end
end

-- This step's value, a number or a tensor, where more is better (of a loss, its negative): when it
-- is above that of all steps before, the step is saved and OUT/best becomes a link to that save,
-- which stays until there is a better one, whatever cfg.keep says. The log has it as `best`. In the
-- loop, or in evaluate(step), where it is a number.
function train.best(value)
  fail.unless(current, 'train.best: only within a loop over train.steps')
  local number = type(value) == 'number'
  fail.unless(number or (current.scope and core.is_tensor(value)),
    'train.best: a number%s is wanted: %s came', current.scope and ' or a tensor' or '',
    fail.kind(value))
  if current.scope then train.log { best = value } else current.named = value end
end

-- Looks at the run before it costs anything: shows the first batch, padding and truncation, and the
-- memory and time to expect from one small step(batch).
function train.dry(data, cfg, tokenizer, step)
  require 'sembed.dry'(data, cfg, tokenizer, step)
end

-- For a student that is to give the vectors of a teacher:
function train.teacher(teacher, student, options)
  return (require 'sembed.train.teacher' (teacher, student, options))
end

-- --- gradients ---

-- A function run(text, ...) -> value, grads, seen, which encodes each text, takes loss(vector, ...)
-- -> value, seen (a table, {} where it gives none), and the gradients with respect to
-- options.params: the model's, and those of the loss, if it has any. Arguments that are no packed
-- texts are handed on to the loss: labels, f32[my rows]. options.chunk and options.tokens: at most
-- so many texts and tokens are encoded at once (cached.lua). Without them all texts are, or, under
-- a memory limit (memory=8G), as many tokens as fit.
function train.cached(encode, loss, options)
  return (require 'sembed.train.gradients' (encode, loss, options))
end

return train
