-- Arrays in numpy's .npy format, over core/io/npy.h. What is written is version 1.0.
--
--   local x = se.npy.read 'X.npy'             any array: f32, i32 or bool
--   se.npy.write('X.npy', x)
--
--   local file = se.npy.open 'VECTORS.npy'    mapped, whatever its size
--   file.rows, file.dims, file.descr          numbers, numpy's name of the type
--   file:part(first, count)                   f32[count, dims], rows from 0; no copy for float32

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local run = require 'sembed.run'

local C = core.C
local npy = {}
local File = {}
File.__index = File

local HEAD = 128 -- bytes, a multiple of 64 as the format asks

-- What stands before the rows of an array: descr is numpy's name of the type ('<f4'). It has the
-- same length for any number of rows, so that it can be written again when that is known.
function npy.head(descr, rows, columns)
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': (%.0f, %d), }"):format(descr,
    rows, columns)
  return '\147NUMPY\1\0' .. string.char(HEAD - 10, 0) .. text .. (' '):rep(HEAD - 11 - #text)
    .. '\n'
end

local box = core.new 'se_npy *[1]'

-- An array in a file as .rows, .dims and .descr, mapped and not read; the path is relative to the
-- recipe.
function npy.open(path)
  path = run.path(path)
  core.check(C.se_npy_open(path, box))
  local handle = core.gc(box[0], C.se_npy_close)
  return setmetatable({
    path = path, handle = handle, rows = tonumber(C.se_npy_rows(handle)),
    dims = tonumber(C.se_npy_dims(handle)), descr = core.text(C.se_npy_descr(handle)),
  }, File)
end

-- f32[count, dims]: `count` rows from row `first` on, counted from 0.
function File:part(first, count)
  core.retry(C.se_npy_part, self.handle, first, count, core.out)
  local t = core.own(core.out[0])
  core.watch_memory()
  return t
end

local turned = core.new 'bool[1]'

-- A whole array: float16 and float64 become f32, whole numbers i32.
function npy.read(path)
  core.retry(C.se_npy_read, run.path(path), turned, core.out)
  local x = core.own(core.out[0])
  core.watch_memory()
  if not turned[0] then return x end
  local axes = {} -- Fortran's order
  for i = x:rank(), 1, -1 do axes[#axes + 1] = i end
  return (x:permute(axes))
end

-- Writes a tensor of any shape, whole or not at all. numpy has no bf16: cast that to f32 first.
function npy.write(path, x)
  if not core.is_tensor(x) then
    fail.raise('npy.write: a path and a tensor are wanted: %s came', type(x))
  end
  core.compute(C.se_npy_write, run.path(path), x.c)
  core.hold(x)
end

return npy
