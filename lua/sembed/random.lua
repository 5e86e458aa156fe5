-- Random tensors from a key: the same key, place and shape give the same numbers everywhere.

local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local random = {}

-- i32[3]: (seed, step, stream). The step of a training run counts from 1; 0 is before it.
function random.key(seed, step, stream)
  return (tensor.make({ seed, step or 0, stream or 0 }, 'i32'))
end

local function key_of(key)
  return type(key) == 'number' and random.key(key) or key
end

-- Numbers of mean 0 and deviation 1 in the shape `dims`: se.random.normal(1, {2, 3}). `key` is a
-- key or a seed; `place` tells several draws with one key apart.
function random.normal(key, dims, place)
  return (op.functions.random_normal(key_of(key), { dims = dims, place = place or 0 }))
end

-- Numbers from 0 up to 1 (never 1); key and place as for normal.
function random.uniform(key, dims, place)
  return (op.functions.random_uniform(key_of(key), { dims = dims, place = place or 0 }))
end

return random
