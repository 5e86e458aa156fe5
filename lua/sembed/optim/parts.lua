-- What an optimizer's step goes over: one part for each parameter or, where several processes
-- divide the work, one for all parameters of a group (Rajbhandari et al. 2020, "ZeRO", stage 1 and
-- 2): its gradients, laid one after another, are added over the shards, and each shard gets a part
-- of the sum, moves its part of the parameters by it, and all parts together are the new
-- parameters. So the replicas are equal, and what an optimizer remembers (Adam's moments) is
-- divided.
--
--   for _, part in ipairs(self.parts:open(which, grads)) do
--     ... part.p, part.g, part.decay, part.rate, part.m, part.v: tensors of one shape ...
--     self.parts:close(part, p, { m = m, v = v })
--   end

local groups = require 'sembed.optim.groups'
local op = require 'sembed.op'
local shard = require 'sembed.shard'
local tensor = require 'sembed.tensor'

local f = op.functions
local Parts = {}
Parts.__index = Parts

local MOST = 400 -- tensors of one vector: an op takes 512

local function count_of(t)
  local n = 1
  for _, size in ipairs(t:shape()) do n = n * size end
  return n
end

-- --- vectors of several parameters ---

local function new_vector(group)
  return { decay = group.decay, rate = group.rate, which = {}, at = {}, count = 0 }
end

-- The parameters that are not frozen, as vectors of those of one group each.
local function vectors_of(params, list)
  local vectors, open = {}, {}
  for i, p in ipairs(params) do
    local group = list[i]
    local key = group.decay .. ' ' .. group.rate
    if not group.frozen then
      if not open[key] or #open[key].which == MOST then
        open[key] = new_vector(group)
        vectors[#vectors + 1] = open[key]
      end
      local v = open[key]
      v.which[#v.which + 1], v.at[i] = i, v.count
      v.count = v.count + count_of(p)
    end
  end
  return vectors
end

local function zeros(count)
  local first, last = shard.range(count)
  return (tensor.vary(tensor.zeros({ last - first }), count))
end

-- --- all parts ---

-- kinds: names of what is remembered of each parameter.
local function new(params, list, kinds)
  local self = setmetatable({ params = params, groups = list, kinds = kinds }, Parts)
  self.vectors = shard.divides() and vectors_of(params, list)
  for _, kind in ipairs(kinds) do
    local own = {}
    self[kind] = own
    for i, p in ipairs(self.vectors and {} or params) do
      if not list[i].frozen then own[i] = tensor.zeros(p:shape()) end
    end
    for _, v in ipairs(self.vectors or {}) do v[kind] = zeros(v.count) end
  end
  return self
end

-- A vector's part for a step. A parameter without a gradient stays as it is, and so does what is
-- remembered of it: `moved` tells which elements are not such ones.
local function part_of(self, v, grads)
  local list, g, some, missing = {}, {}, {}, false
  for k, i in ipairs(v.which) do
    list[k] = self.params[i]
    g[k] = grads[i] or tensor.zeros_like(list[k])
    missing = missing or not grads[i]
  end
  for k, i in ipairs(missing and v.which or {}) do
    some[k] = tensor.full_like(list[k], grads[i] and 1 or 0)
  end
  local part = { vector = v, decay = v.decay, rate = v.rate, p = f.shard_divide(list),
    g = f.shard_divide(g), grads = grads }
  if missing then part.moved = f.greater(f.shard_divide(some), 0.5) end
  for _, kind in ipairs(self.kinds) do part[kind] = v[kind] end
  return part
end

-- The parts of a step: which: numbers of parameters, list: their gradients.
function Parts:open(which, list)
  local parts = {}
  if not self.vectors then
    for k, i in ipairs(which) do
      parts[k] = { i = i, p = self.params[i], g = list[k], decay = self.groups[i].decay,
        rate = self.groups[i].rate }
      for _, kind in ipairs(self.kinds) do parts[k][kind] = self[kind][i] end
    end
    return parts
  end
  local grads = {}
  for k, i in ipairs(which) do grads[i] = list[k] end
  for _, v in ipairs(self.vectors) do parts[#parts + 1] = part_of(self, v, grads) end
  return parts
end

-- Assigns a part's new values: p, and by kind what is remembered.
function Parts:close(part, p, values)
  if part.i then
    tensor.assign(self.params[part.i], p)
    for kind, value in pairs(values) do tensor.assign(self[kind][part.i], value) end
    return
  end
  local v = part.vector
  for kind, value in pairs(values) do
    tensor.assign(v[kind], part.moved and f.where(part.moved, value, v[kind]) or value)
  end
  local all = f.shard_gather(p)
  for _, i in ipairs(v.which) do
    if part.grads[i] then
      tensor.assign(self.params[i], f.fill_from(self.params[i], all, v.at[i]))
    end
  end
end

-- The norm over the gradients of all parts, on every shard.
function Parts.norm(_, parts)
  local list = {}
  for k, part in ipairs(parts) do list[k] = part.g end
  local norm = f.global_norm(list)
  return norm:is_varying() and f.sqrt(shard.sum(norm * norm)) or norm
end

-- --- saves ---

local function vector_with(self, i)
  for _, v in ipairs(self.vectors) do
    if v.at[i] then return v end
  end
end

-- What is remembered of a parameter, whole; nil for a frozen one.
local function whole(self, kind, i)
  if not self.vectors then return self[kind][i] end
  local v = vector_with(self, i)
  if not v then return end
  local p, at = self.params[i], v.at[i]
  return (f.shard_part(v[kind], at, at + count_of(p)):reshape(p:shape()))
end

-- Adds names ('m.NAME') and tensors, in order, to a save's lists.
function Parts:state(names, tensors)
  for i = 1, #self.params do
    for _, kind in ipairs(self.kinds) do
      local t = whole(self, kind, i)
      if t then
        names[#names + 1] = kind .. '.' .. groups.name(self.params, i)
        tensors[#tensors + 1] = t
      end
    end
  end
  return names, tensors
end

-- Takes what a save holds: get(name) -> tensor, whatever number of shards saved it.
function Parts:restore(get)
  for _, kind in ipairs(self.kinds) do
    for i, t in pairs(self[kind]) do
      tensor.assign(t, get(kind .. '.' .. groups.name(self.params, i)))
    end
    for _, v in ipairs(self.vectors or {}) do
      local list = {}
      for k, i in ipairs(v.which) do
        list[k] = get(kind .. '.' .. groups.name(self.params, i))
      end
      tensor.assign(v[kind], f.shard_divide(list))
    end
  end
end

return new
