-- Random tensors from a key: the same key, place and shape give the same numbers everywhere.
--
--   se.random.normal(key, { 2, 3 })     key: what random.key gives, or a seed
--   se.random.normal { 2, 3 }           from the running key: other numbers with every call
--
-- The n-th draw from the running key has the key (seed, n, -1), where the seed is that of the last
-- random.seed(SEED), else the program's (seed=SEED from the shell, 1 when nothing is said).
-- `place`, last everywhere, tells several draws with one key apart.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local op = require 'sembed.op'
local run = require 'sembed.run'
local tensor = require 'sembed.tensor'

local random = {}

local RUNNING = -1 -- the stream of running keys: those of training steps count from 0
local started, drawn = nil, 0

local function whole(what, name, value)
  if type(value) ~= 'number' or value % 1 ~= 0 or value < -2 ^ 31 or value >= 2 ^ 31 then
    fail.raise('%s: %s is %s: a whole number from -2147483648 to 2147483647 is wanted', what, name,
      type(value) == 'number' and tostring(value) or fail.kind(value))
  end
  return value
end

-- A key, i32[3]: (seed, step, stream). The step of a training run counts from 1; 0 is before it.
-- Without a seed: the next running key.
function random.key(seed, step, stream)
  if seed == nil then
    drawn = drawn + 1
    seed, step, stream = started or run.seed or 1, drawn, RUNNING
  end
  return (tensor.make({ whole('random.key', 'the seed', seed),
    whole('random.key', 'the step', step or 0), whole('random.key', 'the stream', stream or 0) },
    'i32'))
end

-- Starts the running key anew with this seed: the same draws follow.
function random.seed(seed)
  started, drawn = whole('random.seed', 'the seed', seed), 0
end

-- Where the running key is, as a save holds it: { seed = the last random.seed's, drawn = count }.
function random.state() return { seed = started, drawn = drawn } end

-- Goes on with the running key from such a state.
function random.restore(state)
  if type(state) ~= 'table' then
    fail.raise('random.restore: what random.state gave is wanted: %s came', fail.kind(state))
  end
  started = state.seed and whole('random.restore', 'the seed', state.seed)
  drawn = whole('random.restore', 'drawn', state.drawn)
end

-- A key comes first or not at all; sizes are lists, probabilities f32: neither looks like one.
local function is_key(value)
  return type(value) == 'number' or (core.is_tensor(value) and value:dtype() == 'i32')
end

local function key_of(key)
  return type(key) == 'number' and random.key(key) or key
end

-- The arguments with a key in front: the running key where none came first.
local function keyed(first, ...)
  if is_key(first) then return key_of(first), ... end
  return random.key(), first, ...
end

local function sizes(what, dims)
  if type(dims) ~= 'table' then
    fail.raise('random.%s: a list of sizes is wanted, as in random.%s { 2, 3 }: %s came', what,
      what, fail.kind(dims))
  end
  return dims
end

-- Numbers of mean 0 and deviation 1 in the shape `dims`: se.random.normal(1, {2, 3}), or
-- se.random.normal {2, 3} from the running key. `key` is a key or a seed; `place` tells several
-- draws with one key apart.
function random.normal(key, dims, place)
  key, dims, place = keyed(key, dims, place)
  return (op.functions.random_normal(key, { dims = sizes('normal', dims), place = place or 0 }))
end

-- Numbers from 0 up to 1 (never 1); key, dims and place as for normal.
function random.uniform(key, dims, place)
  key, dims, place = keyed(key, dims, place)
  return (op.functions.random_uniform(key, { dims = sizes('uniform', dims), place = place or 0 }))
end

-- Numbers like those of normal that lie from `low` (-2) to `high` (2); the key may be left out.
function random.truncated_normal(key, dims, low, high, place)
  key, dims, low, high, place = keyed(key, dims, low, high, place)
  return (op.functions.random_truncated_normal(key, {
    dims = sizes('truncated_normal', dims), low = low, high = high, place = place or 0,
  }))
end

-- Whole numbers, i32, from `low` up to `high`, which is left out: se.random.randint({3}, 0, 10).
-- The key may be left out.
function random.randint(key, dims, low, high, place)
  key, dims, low, high, place = keyed(key, dims, low, high, place)
  return (op.functions.random_integers(key, {
    dims = sizes('randint', dims), low = low, high = high, place = place or 0,
  }))
end

-- true with probability p, a number or a tensor that is broadcast: se.random.bernoulli({3}, 0.5).
-- Of a tensor p alone it is as large as p. The key may be left out.
function random.bernoulli(key, dims, p, place)
  key, dims, p, place = keyed(key, dims, p, place)
  if core.is_tensor(dims) then dims, p, place = dims:shape(), dims, p end
  dims = sizes('bernoulli', dims)
  if core.is_tensor(p) and p:rank() > 0 then p = p:broadcast_to { dims = dims } end
  return (op.functions.random_bernoulli(key, p, { dims = dims, place = place or 0 }))
end

-- Of each row (the last axis) of logits a place, from 0, drawn with probability softmax(logits);
-- `draws` adds an axis of so many. The key may be left out.
function random.categorical(key, logits, draws, place)
  key, logits, draws, place = keyed(key, logits, draws, place)
  return (op.functions.random_categorical(key, logits, { draws = draws, place = place or 0 }))
end

-- 0 to n - 1 in any order: se.random.permutation(9), or (key, 9). x:take(ids) brings rows into it.
function random.permutation(key, n, place)
  if n == nil then key, n = random.key(), key end
  return (op.functions.random_permutation(key_of(key), { n = n, place = place or 0 }))
end

return random
