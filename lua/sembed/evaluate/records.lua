-- Records of several fields from a file of lines: TSV without quotes, or JSON lines; gzip and zstd
-- are seen by their first bytes, "-" is standard input. Empty lines are passed over.
--
--   for fields, place in records.of(source, choose) do ... end
--
-- A source's kind is told by its name (.tsv, .jsonl, .json), else by its first character: "{" or
-- "[" is JSON. `place` is "FILE:LINE" for messages. From TSV a record is a list of strings.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local json = require 'sembed.json'
local lines = require 'sembed.data.lines'

local records = {}

function records.split(line)
  local list = {}
  for part in (line .. '\t'):gmatch '([^\t]*)\t' do list[#list + 1] = part end
  return list
end

local function check_text(line, place)
  local good = tonumber(core.C.se_utf8_valid(line, #line))
  if good < #line then
    fail.raise('%s: not UTF-8: byte 0x%02X at offset %d', place, line:byte(good + 1), good)
  end
end

local function kind_of(name, line)
  local plain = name:gsub('%.gz$', ''):gsub('%.zst$', '')
  if plain:match '%.tsv$' then return 'tsv' end
  fail.unless(not plain:match '%.csv$', '%s: csv is not read here: tsv and JSON lines are', name)
  if plain:match '%.jsonl?$' or line:match '^%s*[%[{]' then return 'json' end
  return 'tsv'
end

-- source: { name = as the user wrote it, path = where it lies }. Gives the record and its place and
-- kind ('tsv' or 'json') for each line. source.read is lines.lua's.
function records.of(source)
  local next_line, kind
  next_line, source.read = lines(source.path)
  return function()
    local line, number
    repeat
      line, number = next_line()
      if not line then return nil end
      if number == 1 then line = line:gsub('^\239\187\191', '') end -- a byte order mark
    until line ~= ''
    local place = ('%s:%d'):format(source.name, number)
    if not kind then kind = kind_of(source.name, line) end
    check_text(line, place)
    if kind == 'tsv' then return records.split(line), place, kind end
    local record = json.parse(line, place)
    fail.unless(type(record) == 'table' and record ~= json.null,
      '%s: an object or an array is wanted', place)
    return record, place, kind
  end
end

-- The path as given, and where it lies: relative to the shell's folder or the recipe's.
function records.source(path)
  fail.unless(type(path) == 'string' and path ~= '', 'evaluate: a file is wanted')
  if path == '-' then return { name = 'standard input', path = '-' } end
  local run, files = require 'sembed.run', require 'sembed.files'
  return { name = path, path = files.absolute(run.path(path)) }
end

-- Names in a message: "a", "b" or "c".
function records.list(names)
  local quoted = {}
  for i, name in ipairs(names) do quoted[i] = ('"%s"'):format(name) end
  return table.concat(quoted, ', ')
end

return records
