-- Every op has references (tests/make/ops_reference.py) at the edges: an empty tensor, tensors of
-- one element, an axis of size 1 that is stretched, and a tensor of several axes, which
-- test_op_references.lua also computes from a permuted and from a cut view. What an op cannot have
-- is said here, with the reason.
local se = require 'sembed'
local check = require 'check'

local cases = se.json.load('tests/data/ops/cases.json', 'an object').cases

local function count(dims)
  local n = 1
  for _, d in ipairs(dims) do n = n * d end
  return n
end

local function wide(dims) -- how many axes a permutation could tell apart
  local n = 0
  for _, d in ipairs(dims) do n = n + (d > 1 and 1 or 0) end
  return n
end

-- Whether broadcasting one of the two to the other stretches an axis.
local function stretches(a, b)
  if #a == 0 and #b == 0 then return false end
  for i = 1, math.max(#a, #b) do
    local x, y = a[#a + 1 - i] or 1, b[#b + 1 - i] or 1
    if x ~= y then return x == 1 or y == 1 end
  end
  return false
end

local looks = {
  empty = function(case)
    for _, input in ipairs(case['in']) do
      if count(input[3]) == 0 then return true end
    end
    return count(case.out[1].dims) == 0
  end,
  ['one element'] = function(case)
    return count((case['in'][1] or {})[3] or case.out[1].dims) == 1
  end,
  ['several axes'] = function(case)
    for _, input in ipairs(case['in']) do
      if wide(input[3]) > 1 then return true end
    end
    return false
  end,
  ['stretched'] = function(case)
    local inputs = case['in']
    for i = 2, #inputs do
      if stretches(inputs[1][3], inputs[i][3]) then return true end
    end
    return false
  end,
}

-- Ops whose tensors are broadcast against one another: the table does not say so, a trial does.
local function broadcasts(spec)
  local n = #se.op.signature_of(spec).tensors
  if n < 2 or se.op.signature_of(spec).variadic then return false end
  for _, attr in ipairs(se.op.signature_of(spec).attrs) do
    if attr.default == nil then return false end
  end
  local arguments = { se.ones(2, 1) }
  for i = 2, n do arguments[i] = se.ones(2, 3) end
  local ok, y = pcall(se[spec.name], unpack(arguments, 1, n))
  return ok and table.concat(y:shape(), ',') == '2,3'
end

local vectors = { ['several axes'] = 'takes vectors' }
local without = {
  diag = vectors, dot = vectors, outer = vectors, segment_ids = vectors,
  shard_part = vectors, shard_index = { empty = 'one number' },
  nearest = { empty = 'search.lua has no empty blocks', ['one element'] = 'nor blocks of one' },
}

local found = {}
for _, case in ipairs(cases) do
  local of = found[case.op] or {}
  found[case.op] = of
  for what, look in pairs(looks) do of[what] = of[what] or look(case) end
end

local problems = {}
for _, name in ipairs(se.op.names) do
  local spec, of, never = se.op.specs[name], found[name] or {}, without[name] or {}
  for what in pairs(looks) do
    local wanted = what ~= 'stretched' or broadcasts(spec)
    if #se.op.signature_of(spec).tensors == 0 or name:find '^random_' then -- a key of three numbers
      wanted = what == 'empty'
    end
    if wanted and not of[what] and not never[what] then
      problems[#problems + 1] = ('%s: no reference (%s)'):format(name, what)
    elseif never[what] and of[what] then
      problems[#problems + 1] = ('%s: has a reference (%s): it is no exception'):format(name, what)
    end
  end
end
for name in pairs(without) do
  if not se.op.specs[name] then problems[#problems + 1] = name .. ': there is no such op' end
end
table.sort(problems)
check.ok(#problems == 0, 'tests/make/ops_reference.py lacks cases:\n%s',
  table.concat(problems, '\n'))
check.done()
