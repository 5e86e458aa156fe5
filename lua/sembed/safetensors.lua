-- Files of tensors, over core/io/safetensors.h.
--
--   local all = se.safetensors.read 'X.safetensors'            { name = tensor, ... }
--   se.safetensors.write('X.safetensors', { a = x, b = y })

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local C = core.C
local safetensors = {}
local File = {}
File.__index = File

local box = core.new 'se_safetensors *[1]'

-- An open file: .names in the order of the file, :get(name), :has(name).
function safetensors.open(path)
  core.check(C.se_safetensors_open(path, box))
  local handle = core.gc(box[0], C.se_safetensors_close)
  local names = {}
  for i = 0, tonumber(C.se_safetensors_count(handle)) - 1 do
    names[i + 1] = core.text(C.se_safetensors_name(handle, i))
  end
  return setmetatable({ path = path, handle = handle, names = names }, File)
end

-- true where the file has a tensor of that name.
function File:has(name)
  return C.se_safetensors_find(self.handle, name) >= 0
end

local function read(self, call, name)
  local i = C.se_safetensors_find(self.handle, name)
  if i < 0 then
    fail.raise('%s: %s', self.path, fail.unknown('tensor', name, self.names))
  end
  core.retry(call, self.handle, i, core.out)
  local t = core.own(core.out[0])
  core.watch_memory()
  return t
end

-- A tensor by its name: a leaf over the mapped file; an error with the nearest name where there is
-- none.
function File:get(name) return (read(self, C.se_safetensors_tensor, name)) end

-- The tensor as f32, whatever kind of real numbers the file holds.
function File:weight(name) return (read(self, C.se_safetensors_weight, name)) end

-- The text that the file's metadata has for a key; nil where it has none.
function File:metadata(key)
  local value = C.se_safetensors_metadata(self.handle, key)
  return value ~= nil and core.text(value) or nil
end

-- All tensors of a file by name.
function safetensors.load(path)
  local file, all = safetensors.open(require('sembed.run').path(path)), {}
  for _, name in ipairs(file.names) do all[name] = file:get(name) end
  return all
end

local strings = core.typeof 'const char *[?]'
local handles = core.typeof 'se_tensor *[?]'

-- Writes tensors in a given order: names and tensors are two lists; metadata: texts by key.
-- (jit.off: see ffi.lua.)
function safetensors.save(path, names, tensors, metadata)
  local n, keys = #names, {}
  if C.se_shard_index() > 0 then path = nil end -- computed, for what the first process writes
  for key in pairs(metadata or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  local c_names, c_tensors = strings(math.max(n, 1)), handles(math.max(n, 1))
  local c_keys, c_values = strings(#keys + 1), strings(#keys + 1)
  for i = 1, n do c_names[i - 1], c_tensors[i - 1] = names[i], tensors[i].c end
  for i, key in ipairs(keys) do c_keys[i - 1], c_values[i - 1] = key, metadata[key] end
  core.check(C.se_safetensors_write(path, n, c_names, c_tensors, #keys, c_keys, c_values))
end
jit.off(safetensors.save)

safetensors.read = safetensors.load

-- Writes tensors by name, whole or not at all; metadata, if any: texts by key.
function safetensors.write(path, tensors, metadata)
  if type(tensors) ~= 'table' then
    fail.raise('safetensors.write: { name = tensor, ... } is wanted: %s came', type(tensors))
  end
  local names, list = {}, {}
  for name, t in pairs(tensors) do
    if type(name) ~= 'string' or not core.is_tensor(t) then
      fail.raise('safetensors.write: "%s" is %s: tensors by name are wanted', tostring(name),
        core.is_tensor(t) and 'no name' or 'no tensor')
    end
    names[#names + 1] = name
  end
  for key, text in pairs(metadata or {}) do
    if type(key) ~= 'string' or type(text) ~= 'string' then
      fail.raise('safetensors.write: metadata "%s" is no text', tostring(key))
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do list[i] = tensors[name] end
  safetensors.save(require('sembed.run').path(path), names, list, metadata)
end

return safetensors
