-- A file of vectors that grows row by row and can be gone on with after any stop:
--
--   OUT.part        the rows so far; becomes OUT when it is complete
--   OUT.part.json   up to where OUT.part is on the disk, and from where in the input to go on
--   OUT.part.starts  (safetensors of token vectors) where each text begins
--   OUT.lock        which process is at it; another one is refused
--
-- The rows are on the disk before OUT.part.json says so; what OUT.part has beyond that is cut off.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local formats = require 'sembed.vectors.formats'
local json = require 'sembed.json'
local lock = require 'sembed.lock'
local run = require 'sembed.run'

local C = core.C
local Writer = {}
Writer.__index = Writer

local function must(self, ok, why)
  if not ok then fail.raise('%s: cannot write: %s', self.part, why) end
end

-- --- the state beside the file ---

local function save_state(self)
  must(self, self.file:flush())
  files.sync(self.part)
  if self.starts then
    must(self, self.starts:flush())
    files.sync(self.part .. '.starts')
  end
  files.write(self.part .. '.json', json.encode({ rows = self.rows, texts = self.texts,
    bytes = self.bytes, place = self.place, counts = self.counts, job = self.job,
    command = run.line() }, { indent = 2 }) .. '\n')
  self.saved = tonumber(C.se_seconds())
end

-- Every fact of the job must be what it was; the message says which are not.
local function same_job(part, was, now)
  local differ, keys = {}, {}
  for key in pairs(was) do keys[key] = true end
  for key in pairs(now) do keys[key] = true end
  for key in pairs(keys) do
    if was[key] ~= now[key] then
      differ[#differ + 1] = ('  %s=%s, now it is %s'):format(key, tostring(was[key]),
        tostring(now[key]))
    end
  end
  if not differ[1] then return end
  table.sort(differ)
  fail.raise('%s was begun with\n%s\ngo on with what it was, or begin anew with force=true', part,
    table.concat(differ, '\n'))
end

-- --- opening ---

local function open(path, mode)
  local file, why = io.open(path, mode)
  if not file then fail.raise('%s', why) end
  file:setvbuf('full', 2 ^ 18)
  return file
end

-- Writes bytes to one of its files; a full disk is an error with the name.
function Writer:put(file, text)
  must(self, file:write(text))
end

-- Opens a file at its end after cutting it to `bytes`.
local function reopen(path, bytes)
  if not files.exists(path) then fail.raise('%s is gone: begin anew with force=true', path) end
  files.cut(path, bytes)
  local file = open(path, 'r+b')
  file:seek 'end'
  return file
end

local function go_on(self, state)
  same_job(self.part, state.job, self.job)
  self.rows, self.texts, self.bytes = state.rows, state.texts, state.bytes
  self.place, self.counts, self.resumed = state.place, state.counts, true
  self.saved = tonumber(C.se_seconds())
  self.file = reopen(self.part, self.bytes)
  if self.ragged_starts then
    self.starts = reopen(self.part .. '.starts', 8 * (self.texts + 1))
  end
end

local function begin(self)
  self.file = open(self.part, 'wb')
  if self.ragged_starts then
    self.starts = open(self.part .. '.starts', 'wb')
    self:put(self.starts, ('\0'):rep(8))
  end
  local head = self.format.head(self.form, { rows = 0, texts = self.ragged and 0 or nil })
  self:put(self.file, head)
  self.bytes = #head
  save_state(self)
end

-- What is there already decides: gives the state to go on with, or true for a finished file.
local function look(self, resume, force)
  fail.unless(resume == '' or resume == 'auto', 'resume=%s: auto is what there is', resume)
  local state = files.exists(self.part .. '.json') and json.load(self.part .. '.json')
  if force and resume == '' then return nil end
  if state and state.texts > 0 and files.exists(self.part) then
    if resume == 'auto' then return state end
    fail.raise('%s holds an unfinished job: go on with\n  %s\nor begin anew with force=true',
      self.part, run.line { resume = 'auto' })
  end
  if files.exists(self.path) then
    if resume == 'auto' then return true end
    fail.raise('%s is there already: force=true writes over it', self.path)
  end
end

local function stream(self, resume)
  if resume == 'auto' then fail.raise('%s: only a file can be gone on with', self.path) end
  if not self.format.streams then
    fail.raise('%s: this format needs a file; jsonl and raw can be written there', self.path)
  end
  self.streaming, self.part = true, self.path == '-' and 'standard output' or self.path
  self.file = self.path == '-' and io.stdout or open(self.path, 'wb')
  return self
end

-- options: path ("-": standard output), format (a name, or '' for what the path says), form
-- (quantize.lua), ragged (token vectors), job (facts that must not change, plain values), save (how
-- many seconds of work may be lost: 5), resume, force. Gives nil where a finished file is there and
-- resume = 'auto'.
local function create(options)
  local path = options.path
  fail.unless(not C.se_shard_many(),
    'vectors.create: one process writes a file of vectors: several were started')
  local self = setmetatable({
    path = path, part = path .. '.part', form = options.form, job = options.job or {},
    ragged = options.ragged or false, every = options.save or 5,
    rows = 0, texts = 0, bytes = 0, counts = {},
  }, Writer)
  self.format, self.format_name = formats.of(path, options.format)
  if self.ragged and not self.format.ragged then
    fail.raise('%s: vectors of tokens are written as jsonl or safetensors', path)
  end
  self.ragged_starts = self.ragged and self.format.starts or false
  if files.is_folder(path) then fail.raise('%s is a folder: a file is wanted', path) end
  if path == '-' or (files.exists(path) and not files.is_file(path)) then
    return (stream(self, options.resume))
  end
  lock.take(path)
  local found = look(self, options.resume or '', options.force)
  if found == true then
    files.remove(self.part .. '.json') -- left by a stop at the very end
    return nil
  end
  if found then go_on(self, found) else begin(self) end
  return self
end

-- --- growing ---

-- x: f32[n, dims], one row a text.
function Writer:add(x)
  local bytes = self.form.bytes(x)
  local n = #bytes / self.form.row_bytes
  local text = self.format.body(self.form, bytes, n)
  self:put(self.file, text)
  self.rows, self.texts, self.bytes = self.rows + n, self.texts + n, self.bytes + #text
end

local int64s = core.typeof 'int64_t[?]'

-- x: f32[tokens, dims] of several texts; counts: tokens of each; names: every token as JSON.
function Writer:add_tokens(x, counts, names)
  local bytes = self.form.bytes(x)
  local text = bytes
  if self.ragged_starts then
    local ends, at = int64s(#counts), self.rows
    for i, n in ipairs(counts) do
      at = at + n
      ends[i - 1] = at
    end
    self:put(self.starts, core.text(ends, 8 * #counts))
  else
    text = self.format.ragged(self.form, bytes, counts, names)
  end
  self:put(self.file, text)
  self.rows, self.texts = self.rows + #bytes / self.form.row_bytes, self.texts + #counts
  self.bytes = self.bytes + #text
end

-- All rows so far belong to texts before `place`; counts: numbers to keep with them.
function Writer:mark(place, counts)
  self.place, self.counts = place, counts
  if self.streaming then
    must(self, self.file:flush())
  elseif tonumber(C.se_seconds()) - self.saved >= self.every then
    save_state(self)
  end
end

-- Leaves the job so that it can be gone on with.
function Writer:pause()
  if not self.streaming then save_state(self) end
  return not self.streaming
end

-- --- the end ---

local PIECE = 2 ^ 20

local function append_starts(self)
  must(self, self.starts:close())
  local path = self.part .. '.starts'
  local file = open(path, 'rb')
  for piece in function() return file:read(PIECE) end do self:put(self.file, piece) end
  file:close()
end

-- OUT.part becomes OUT. Returns rows and texts.
function Writer:close()
  if self.streaming then
    must(self, self.file:flush())
    if self.path ~= '-' then must(self, self.file:close()) end
    return self.rows, self.texts
  end
  save_state(self)
  if self.ragged_starts then append_starts(self) end
  self.file:seek('set', 0)
  self:put(self.file, self.format.head(self.form, { rows = self.rows,
    texts = self.ragged and self.texts or nil }))
  must(self, self.file:close())
  files.sync(self.part)
  files.rename(self.part, self.path)
  files.sync(files.folder_of(self.path))
  files.remove(self.part .. '.json')
  if self.ragged_starts then files.remove(self.part .. '.starts') end
  return self.rows, self.texts
end

return create
