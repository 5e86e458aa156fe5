-- Rows first.. (from 0) of a tensor or of an opened file, as a tensor.

local core = require 'sembed.ffi'
local tensor = require 'sembed.tensor'

return function(x, first, count)
  if core.is_tensor(x) then return (tensor.slice_rows(x, first, count)) end
  return (x:part(first, count))
end
