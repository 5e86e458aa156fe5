-- Arrays in numpy's .npy format (version 1.0), float32, written block by block: the number of rows
-- is put into the header at the end, so memory does not grow with the file.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local tensor = require 'sembed.tensor'

local npy = {}
local Writer = {}
Writer.__index = Writer

local HEADER = 128 -- bytes, a multiple of 64 as the format asks

local function header(rows, dims)
  local text = ("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }"):format(rows, dims)
  local room = HEADER - 10 - 1
  return '\147NUMPY\1\0' .. string.char((HEADER - 10) % 256, math.floor((HEADER - 10) / 256))
    .. text .. (' '):rep(room - #text) .. '\n'
end

-- PATH.part becomes PATH when it is complete.
function npy.create(path, dims)
  local file, why = io.open(path .. '.part', 'wb')
  if not file then fail.raise('%s', why) end
  local self = setmetatable({ path = path, file = file, dims = dims, rows = 0 }, Writer)
  self:put(header(0, dims))
  return self
end

function Writer:put(bytes)
  local ok, why = self.file:write(bytes)
  if not ok then fail.raise('%s.part: %s', self.path, why) end
end

function Writer:add(x)
  local data, shape = tensor.read(x)
  fail.unless(#shape == 2 and shape[2] == self.dims, 'npy: rows of %d numbers are wanted',
    self.dims)
  self:put(core.text(data, 4 * shape[1] * shape[2]))
  core.hold(x)
  self.rows = self.rows + shape[1]
end

-- Returns the number of rows.
function Writer:close()
  self.file:seek('set', 0)
  self:put(header(self.rows, self.dims))
  local ok, why = self.file:close()
  if ok then ok, why = os.rename(self.path .. '.part', self.path) end
  if not ok then fail.raise('%s: %s', self.path, why) end
  return self.rows
end

return npy
