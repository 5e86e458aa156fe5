-- Files of vectors: how each format begins, what a row is in it, how it ends. A head is as long
-- whatever the number of rows, so that it can be written again when that is known.
--
--   format.head(form, shape)    bytes at the start; shape: { rows, texts } (ragged: tokens)
--   format.body(form, bytes, n) n rows, as quantize.lua makes them -> bytes of the file
--   ragged = true: takes token vectors (writer.lua)

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local npy = require 'sembed.npy'

local formats = {}

local function as_is(_, bytes) return bytes end
local function nothing() return '' end

-- --- raw: the rows and nothing else ---

formats.raw = { head = nothing, body = as_is, streams = true }

-- --- numpy's .npy ---

local function npy_head(form, shape) return npy.head(form.numpy, shape.rows, form.columns) end

formats.npy = { head = npy_head, body = as_is }

-- --- safetensors: "embeddings"; of token vectors also "starts", where each text begins ---

local SAFETENSORS = 512 -- the JSON is filled up with spaces, as the format allows

local function safetensors_head(form, shape)
  local bytes = shape.rows * form.row_bytes
  local starts = ''
  if shape.texts then
    starts = (',"starts":{"dtype":"I64","shape":[%.0f],"data_offsets":[%.0f,%.0f]}'):format(
      shape.texts + 1, bytes, bytes + 8 * (shape.texts + 1))
  end
  local json = ('{"__metadata__":{"format":"pt","output":"%s"},"embeddings":{"dtype":"%s",'
    .. '"shape":[%.0f,%d],"data_offsets":[0,%.0f]}%s}'):format(form.name, form.safetensors,
    shape.rows, form.columns, bytes, starts)
  local length = SAFETENSORS - 8
  return string.char(length % 256, math.floor(length / 256), 0, 0, 0, 0, 0, 0) .. json
    .. (' '):rep(length - #json)
end

formats.safetensors = { head = safetensors_head, body = as_is, ragged = true, starts = true }

-- --- JSON lines: {"embedding":[...]} ---

-- The numbers of row i as JSON: nine digits give an f32 back.
local function row_text(form, data, i)
  local parts, at = {}, i * form.columns
  local format = form.size == 4 and '%.9g' or '%d'
  for k = 0, form.columns - 1 do
    local x = data[at + k]
    if x ~= x or x == math.huge or x == -math.huge then
      fail.raise('jsonl: a number is %s: JSON has finite numbers only', tostring(x))
    end
    parts[k + 1] = format:format(x)
  end
  return '[' .. table.concat(parts, ',') .. ']'
end

local function jsonl_body(form, bytes, n)
  local data, lines = core.cast(form.ctype, bytes), {}
  for i = 0, n - 1 do lines[i + 1] = '{"embedding":' .. row_text(form, data, i) .. '}\n' end
  core.hold(bytes)
  return table.concat(lines)
end

-- A text's tokens as lines of their own would have no order: one object a text.
local function jsonl_ragged(form, bytes, counts, tokens)
  local data, lines, at, first = core.cast(form.ctype, bytes), {}, 0, 0
  for i, n in ipairs(counts) do
    local rows, names = {}, {}
    for k = 1, n do
      rows[k], names[k] = row_text(form, data, at), tokens[first + k]
      at = at + 1
    end
    first = first + n
    lines[i] = '{"tokens":[' .. table.concat(names, ',') .. '],"embeddings":['
      .. table.concat(rows, ',') .. ']}\n'
  end
  core.hold(bytes)
  return table.concat(lines)
end

formats.jsonl = { head = nothing, body = jsonl_body, ragged = jsonl_ragged, streams = true }

-- --- which ---

local endings = { npy = 'npy', safetensors = 'safetensors', jsonl = 'jsonl', ndjson = 'jsonl',
  f32 = 'raw', raw = 'raw', bin = 'raw' }
local names = { 'npy', 'safetensors', 'jsonl', 'raw' }

-- The format that a key or else a file's name asks for.
function formats.of(path, name)
  if name == '' or name == nil then
    name = endings[(path:match '%.([^./]+)$' or ''):lower()]
    if not name then
      fail.raise('%s: the name says no format: .npy, .safetensors, .jsonl, .f32 do, or '
        .. 'out_format=', path)
    end
  end
  for _, known in ipairs(names) do
    if known == name then return formats[name], name end
  end
  return fail.raise('out_format: %s', fail.unknown('format', name, names))
end

return formats
