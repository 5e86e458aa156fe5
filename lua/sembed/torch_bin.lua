-- Files of PyTorch (pytorch_model.bin), over core/io/torch_bin.h. Read only, and nothing in them is
-- ever executed.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local C = core.C
local torch_bin = {}
local File = {}
File.__index = File

local box = core.new 'se_torch_bin *[1]'

-- An open file: .names in the order of the file, :weight(name), :has(name).
function torch_bin.open(path)
  core.check(C.se_torch_bin_open(path, box))
  local handle = core.gc(box[0], C.se_torch_bin_close)
  local names = {}
  for i = 0, tonumber(C.se_torch_bin_count(handle)) - 1 do
    names[i + 1] = core.text(C.se_torch_bin_name(handle, i))
  end
  return setmetatable({ path = path, handle = handle, names = names }, File)
end

function File:has(name) return C.se_torch_bin_find(self.handle, name) >= 0 end

-- As f32, whatever kind of real numbers the file holds.
function File:weight(name)
  local i = C.se_torch_bin_find(self.handle, name)
  if i < 0 then fail.raise('%s: %s', self.path, fail.unknown('tensor', name, self.names)) end
  core.retry(C.se_torch_bin_weight, self.handle, i, core.out)
  local t = core.own(core.out[0])
  core.watch_memory()
  return t
end

return torch_bin
