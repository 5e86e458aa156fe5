-- How the numbers of a vector are stored, with the definitions of sentence-transformers
-- (quantize_embeddings), bit for bit:
--
--   float32        as they are
--   int8, uint8    256 steps between the least and the largest value of each column: `ranges`
--   binary, ubinary   a bit a column, 1 where the number is > 0; eight to a byte, the first one in
--                  the highest bit, as ubinary: 0..255, as binary: that - 128
--
--   local form = se.quantize.form('int8', dims, ranges)
--   form.bytes(x)   f32[n, dims] -> the rows as a string; form.columns numbers of form.size bytes

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local tensor = require 'sembed.tensor'

local quantize = {}

quantize.kinds = { 'float32', 'int8', 'uint8', 'binary', 'ubinary' }

-- name, how numpy and safetensors call it, the C type of a number
local kinds = {
  float32 = { numpy = '<f4', safetensors = 'F32', size = 4, ctype = 'const float *' },
  int8 = { numpy = '|i1', safetensors = 'I8', size = 1, ctype = 'const int8_t *' },
  uint8 = { numpy = '|u1', safetensors = 'U8', size = 1, ctype = 'const uint8_t *' },
  binary = { numpy = '|i1', safetensors = 'I8', size = 1, ctype = 'const int8_t *' },
  ubinary = { numpy = '|u1', safetensors = 'U8', size = 1, ctype = 'const uint8_t *' },
}

local floats, bytes_of = core.typeof 'float[?]', core.typeof 'uint8_t[?]'

-- f32[n, dims] -> pointer, n; the tensor has to be held while the pointer is used.
local function rows_of(x, dims)
  local data, shape = tensor.read(x)
  fail.unless(#shape == 2 and shape[2] == dims, 'quantize: rows of %d numbers are wanted', dims)
  return core.cast('const float *', data), shape[1]
end

local function plain(dims)
  return function(x)
    local data, n = rows_of(x, dims)
    local bytes = core.text(data, 4 * n * dims)
    core.hold(x)
    return bytes
  end
end

-- starts, steps: f32[dims]. Every number of the way is rounded to f32, as numpy does.
local function steps_of(ranges, dims)
  local least, largest = ranges.least, ranges.largest
  local steps, one = floats(dims), floats(1)
  for i = 0, dims - 1 do
    one[0] = largest[i] - least[i]
    steps[i] = one[0] / 255
    if steps[i] == 0 then steps[i] = 1 end
  end
  return least, steps
end

local function in_steps(dims, ranges, flip)
  local least, steps = steps_of(ranges, dims)
  local a, b = floats(1), floats(1)
  return function(x)
    local data, n = rows_of(x, dims)
    local out = bytes_of(math.max(n * dims, 1))
    for row = 0, n - 1 do
      local at = row * dims
      for i = 0, dims - 1 do
        a[0] = data[at + i] - least[i]
        b[0] = a[0] / steps[i]
        out[at + i] = bit.bxor(math.min(math.max(math.floor(b[0]), 0), 255), flip)
      end
    end
    core.hold(x)
    return core.text(out, n * dims)
  end
end

local function in_bits(dims, columns, flip)
  return function(x)
    local data, n = rows_of(x, dims)
    local out = bytes_of(math.max(n * columns, 1))
    for row = 0, n - 1 do
      for i = 0, columns - 1 do
        local byte, at = 0, row * dims + 8 * i
        for k = 0, math.min(8, dims - 8 * i) - 1 do
          if data[at + k] > 0 then byte = byte + 2 ^ (7 - k) end
        end
        out[row * columns + i] = bit.bxor(byte, flip)
      end
    end
    core.hold(x)
    return core.text(out, n * columns)
  end
end

-- true for int8 and uint8, whose steps depend on the data.
function quantize.needs_ranges(kind) return kind == 'int8' or kind == 'uint8' end

-- How rows of `dims` numbers are stored as `kind` (quantize.kinds; an error with the nearest name
-- for another): { name, dims, columns, size and row_bytes in bytes, bytes(x) -> the rows of f32[n,
-- dims] as a string }. ranges: what quantize.ranges collected, for int8 and uint8.
function quantize.form(kind, dims, ranges)
  local known = kinds[kind]
  if not known then fail.raise('output: %s', fail.unknown('form', kind, quantize.kinds)) end
  local form = { name = kind, dims = dims, columns = dims }
  for key, value in pairs(known) do form[key] = value end
  local flip = (kind == 'int8' or kind == 'binary') and 128 or 0 -- x - 128 in 8 bits
  if kind == 'float32' then
    form.bytes = plain(dims)
  elseif quantize.needs_ranges(kind) then
    fail.unless(ranges and ranges.dims == dims, 'quantize: %s needs ranges of %d columns', kind,
      dims)
    form.bytes = in_steps(dims, ranges, flip)
  else
    form.columns = math.ceil(dims / 8)
    form.bytes = in_bits(dims, form.columns, flip)
  end
  form.row_bytes = form.columns * form.size
  return form
end

-- --- ranges ---

local Ranges = {}
Ranges.__index = Ranges

-- The least and the largest value of each of `dims` columns, of no rows yet: ranges:add(x) widens
-- them.
function quantize.ranges(dims)
  local self = { dims = dims, rows = 0, least = floats(dims), largest = floats(dims) }
  for i = 0, dims - 1 do self.least[i], self.largest[i] = math.huge, -math.huge end
  return setmetatable(self, Ranges)
end

-- Takes rows f32[n, dims] into the ranges.
function Ranges:add(x)
  local data, n = rows_of(x, self.dims)
  for row = 0, n - 1 do
    for i = 0, self.dims - 1 do
      local value = data[row * self.dims + i]
      if value < self.least[i] then self.least[i] = value end
      if value > self.largest[i] then self.largest[i] = value end
    end
  end
  core.hold(x)
  self.rows = self.rows + n
end

-- Two rows of f32, least and largest: the bytes behind the head of a .npy file.
function Ranges:bytes()
  return core.text(self.least, 4 * self.dims) .. core.text(self.largest, 4 * self.dims)
end

-- A .npy file of shape (2, dims), float32.
function quantize.load_ranges(path, dims)
  local text = require('sembed.files').read(path)
  local head = text:sub(1, 6) == '\147NUMPY' and text:match("^.-({.-})")
  if not head then fail.raise('%s: no .npy file', path) end
  local version = text:byte(7)
  local at = (version == 1 and 10 or 12) + text:byte(9) + 256 * text:byte(10)
  local rows, columns = head:match "'shape': %((%d+), (%d+)%)"
  if not (head:find("'<f4'", 1, true) and head:find("'fortran_order': False", 1, true)
    and tonumber(rows) == 2 and tonumber(columns) == dims and #text == at + 8 * dims) then
    fail.raise('%s: ranges are float32 of shape (2, %d): the file says %s', path, dims, head)
  end
  local ranges = quantize.ranges(dims)
  core.copy(ranges.least, text:sub(at + 1, at + 4 * dims), 4 * dims)
  core.copy(ranges.largest, text:sub(at + 4 * dims + 1), 4 * dims)
  return ranges
end

return quantize
