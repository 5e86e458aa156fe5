-- Arrays in numpy's .npy format, version 1.0.

local npy = {}

local HEAD = 128 -- bytes, a multiple of 64 as the format asks

-- What stands before the rows of an array: descr is numpy's name of the type ('<f4'). It has the
-- same length for any number of rows, so that it can be written again when that is known.
function npy.head(descr, rows, columns)
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': (%.0f, %d), }"):format(descr,
    rows, columns)
  return '\147NUMPY\1\0' .. string.char(HEAD - 10, 0) .. text .. (' '):rep(HEAD - 11 - #text)
    .. '\n'
end

return npy
