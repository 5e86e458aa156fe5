-- Texts of files that people have, one after another (core/data/texts.h says which and how):
--
--   for text, line in se.data.texts { path, field = 'text' } do ... end
--   local texts = se.data.texts { 'a.csv.gz', 'b.csv.zst', field = 'body' }
--   for text in texts do ... texts:where() ... texts:read() / texts:size() ... end
--
-- Options: the files ("-" is standard input); field (of JSON lines: a key, "a.b.0" goes into
-- objects and arrays, "" for lines that are strings); column (of tsv and csv: a name of the header
-- line or a number from 1; field where it is not given); header (true: skip a first line where
-- the column is a number); format (lines, jsonl, tsv, csv; else the name tells). `line` is the
-- line in its file at which the text begins. Errors are "FILE:LINE: what".

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local run = require 'sembed.run'

local C = core.C
local Texts = {}
Texts.__index = Texts

local strings = core.typeof 'const char *[?]'
local box, place = core.new 'se_texts *[1]', core.new 'se_texts_place'
local text_box, size_box = core.new 'const char *[1]', core.new 'size_t[1]'

-- The next text and its line; nil at the end.
function Texts:__call()
  local handle = self.handle
  if not handle then return nil end
  core.check(C.se_texts_next(handle, text_box, size_box))
  if text_box[0] == nil then
    self.place = self:tell()
    self:close()
    return nil
  end
  return core.text(text_box[0], size_box[0]), tonumber(C.se_texts_line(handle))
end

-- "FILE:LINE" of the last text.
function Texts:where()
  if not self.handle then return self.names[#self.names] end
  return ('%s:%d'):format(core.text(C.se_texts_file(self.handle)),
    tonumber(C.se_texts_line(self.handle)))
end

-- Bytes read so far of all files as they lie on disk.
function Texts:read()
  return self.handle and tonumber(C.se_texts_read(self.handle)) or self.bytes
end

-- Bytes of all files as they lie on disk, 0 where that is not known.
function Texts:size() return self.bytes end

-- The place behind the last text, for Texts:go: { file, line, offset } in plain numbers.
function Texts:tell()
  if not self.handle then return self.place end
  C.se_texts_tell(self.handle, place)
  return { file = tonumber(place.file), line = tonumber(place.line),
    offset = tonumber(place.offset) }
end

-- Goes on behind the place that Texts:tell gave, before the first text is read.
function Texts:go(to)
  place.file, place.line, place.offset = to.file, to.line, to.offset
  core.check(C.se_texts_go(self.handle, place))
end

-- Lets go of the files; the end of the texts does so, too.
function Texts:close()
  if self.handle then C.se_texts_close(core.gc(self.handle, nil)) end
  self.handle = nil
end

return function(options)
  if type(options) == 'string' then options = { options } end
  local names, list = {}, strings(math.max(#options, 1))
  for i, path in ipairs(options) do
    names[i] = path == '-' and path or run.path(path)
    list[i - 1] = names[i]
  end
  local column = options.column
  if column == nil or column == '' then column = options.field or 'text' end
  fail.unless(type(column) == 'string' or type(column) == 'number',
    'data.texts: a column is a name or a number: %s came', type(column))
  core.check(C.se_texts_open(#names, list, options.format or '', tostring(column),
    options.header or false, box))
  local handle = core.gc(box[0], C.se_texts_close)
  return setmetatable({ handle = handle, names = names,
    bytes = tonumber(C.se_texts_size(handle)) }, Texts)
end
