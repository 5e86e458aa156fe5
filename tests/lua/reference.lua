-- Cases of tests/make/reference.py: a Lua expression, where its inputs come from, and what PyTorch
-- gives for it in float64, with gradients. How much may differ is told there.

local se = require 'sembed'

local reference = {}

-- --- inputs ---

local function draw(seed, count)
  local state, out = seed * 7919 + 1, {}
  for i = -2, count do
    state = state * 16807 % 2147483647
    if i > 0 then out[i] = state % 65536 end
  end
  return out
end

local function number(v) return type(v) == 'string' and tonumber(v) or v end

local function count_of(dims)
  local n = 1
  for _, d in ipairs(dims) do n = n * d end
  return n
end

-- The elements of an input, row by row.
local function elements(input)
  local dtype, dims, low, high, seed = input[2], input[3], input[4], input[5], input[6]
  local n, list = count_of(dims), {}
  local k = seed and draw(seed, n)
  for i = 1, n do
    if not k then
      list[i] = number(low[#low == 1 and 1 or i])
    elseif dtype == 'bool' then
      list[i] = k[i] >= 32768
    else
      local v = (high - low) * k[i] / 65536
      list[i] = low + (dtype == 'i32' and math.floor(v) or v)
    end
  end
  return list
end

local function leaf(list, dims, dtype)
  if count_of(dims) > 0 then return (se.tensor(list, dtype):reshape { dims = dims }) end
  return (se.zeros(dims):cast(dtype))
end

-- The tensor that a case's input stands for.
function reference.input(input) return (leaf(elements(input), input[3], input[2])) end

-- A view: what to make of an input, and what its gradient is in terms of the leaf's.
local function itself(x) return x end
local function plain(list, dims, dtype) return leaf(list, dims, dtype), itself end

-- The same elements, lying in memory with the axes the other way round.
local function turned(list, dims, dtype)
  local rank, other, back, steps = #dims, {}, {}, {}
  if rank < 2 then return plain(list, dims, dtype) end
  local step = 1
  for i = rank, 1, -1 do
    steps[i], step = step, step * dims[i]
    other[rank + 1 - i], back[i] = dims[i], rank + 1 - i
  end
  local moved, place = {}, {}
  for i = 1, rank do place[i] = 0 end
  for at = 1, count_of(dims) do
    local from = 1
    for i = 1, rank do from = from + place[i] * steps[i] end
    moved[at] = list[from]
    for i = 1, rank do -- the first axis runs fastest here
      place[i] = place[i] + 1
      if place[i] < dims[i] then break end
      place[i] = 0
    end
  end
  return leaf(moved, other, dtype), function(x) return (x:permute { axes = back }) end
end

-- The same elements as the middle of something larger.
local function cut(list, dims, dtype)
  if #dims == 0 or count_of(dims) == 0 then return plain(list, dims, dtype) end
  local larger, width, out = {}, count_of(dims) / dims[1], {}
  for i, d in ipairs(dims) do larger[i] = i == 1 and d + 3 or d end
  for i = 1, width do out[i], out[width + i] = list[i], list[i] end
  for i = 1, #list do out[2 * width + i] = list[i] end
  for i = 1, width do out[#out + 1] = list[i] end
  return leaf(out, larger, dtype), function(x) return (x:slice(1, 2, 2 + dims[1])) end
end

local views = { { 'plain', plain }, { 'turned', turned }, { 'cut', cut } }

-- --- comparing ---

local function same(a, b) return a == b or (a ~= a and b ~= b) end

local MOST = 16 -- elements of a result that are stored
local SMALLEST = 2 ^ -126 -- below it f32 has fewer digits, or none

-- nil, or what is wrong. t: allowed differences in units of 2^-24; where it is not given, equal as
-- far as the nine digits tell.
local function compare(got, dtype, wanted, what)
  local flat = got:reshape(-1):totable(true) -- some ops give each shard its own
  local n, v, t = #flat, wanted.v, wanted.t
  local places = math.min(n, MOST)
  if #v ~= places then return ('%s: %d elements, %d are stored'):format(what, n, #v) end
  for i = 1, places do
    local at = n <= MOST and i or math.floor((i - 1) * (n - 1) / (MOST - 1)) + 1
    local x, e = flat[at], number(v[i])
    if type(x) == 'boolean' then x = x and 1 or 0 end
    local allowed = t and t[#t == 1 and 1 or i] * 2 ^ -24 + SMALLEST or 5e-9 * math.abs(e)
    if dtype ~= 'f32' and dtype ~= 'bf16' then allowed = 0 end
    local fits = math.abs(x - e) <= allowed -- false for NaN, too
    if not same(x, e) and not fits then
      return ('%s: element %d is %.9g, %.9g is wanted (allowed: %.2g)'):format(what, at, x, e,
        allowed)
    end
  end
end

local function compare_tensor(y, dtype, dims, wanted, what)
  if not se.is_tensor(y) then return ('%s: %s came'):format(what, type(y)) end
  local came = y:dtype() .. '[' .. table.concat(y:shape(), ',') .. ']'
  local type_wanted = dtype .. '[' .. table.concat(dims, ',') .. ']'
  if came ~= type_wanted then
    return ('%s: %s came, %s is wanted'):format(what, came, type_wanted)
  end
  return compare(y, dtype, wanted, what)
end

local function loss_of(outputs, case)
  local loss
  for n, wanted in ipairs(case.out) do
    if wanted.dtype == 'f32' then
      local weights = { 'c', 'f32', wanted.dims, -1, 1, 899 + n }
      local part = (outputs[n] * leaf(elements(weights), wanted.dims, 'f32')):sum()
      loss = loss and loss + part or part
    end
  end
  return loss
end

local function compare_grads(loss, case, leaves, problems)
  for name, wanted in pairs(case.grad) do
    local g = se.grad(loss, leaves[name].leaf)
    local what = 'gradient of ' .. name
    if g then
      problems[#problems + 1] = compare_tensor(leaves[name].view(g), 'f32', leaves[name].dims,
        wanted, what)
    else
      for _, v in ipairs(wanted.v) do
        if v ~= 0 then
          problems[#problems + 1] = what .. ' is missing'
          break
        end
      end
    end
  end
end

local function run_once(case, view, problems)
  local names, leaves, arguments = { 'se' }, {}, {}
  for i, input in ipairs(case['in']) do
    local x, look = view(elements(input), input[3], input[2])
    names[i + 1], arguments[i], leaves[input[1]] = input[1], look(x), {
      leaf = x, view = look, dims = input[3],
    }
  end
  local body = case.call:find 'return ' and case.call or 'return ' .. case.call
  local f = assert(loadstring('local ' .. table.concat(names, ', ') .. ' = ...\n' .. body))
  local outputs = { f(se, unpack(arguments)) }
  if #outputs ~= #case.out then
    problems[1] = ('%d results came, %d are wanted'):format(#outputs, #case.out)
  end
  for n, wanted in ipairs(case.out) do
    problems[#problems + 1] = compare_tensor(outputs[n], wanted.dtype, wanted.dims, wanted,
      'output ' .. n)
  end
  if case.grad and #problems == 0 then
    compare_grads(loss_of(outputs, case), case, leaves, problems)
  end
end

-- The problems of a case, as texts: with its inputs as they are, as permuted views and as slices.
function reference.problems(case)
  local all = {}
  for _, view in ipairs(views) do
    local problems = {}
    local ok, message = pcall(se.scope, 'a case', run_once, case, view[2], problems)
    if not ok then problems[1] = tostring(message) end
    for _, p in ipairs(problems) do all[#all + 1] = view[1] .. ' inputs: ' .. p end
  end
  return all
end

-- Runs all cases of a file; raises with every one that fails, and what it takes to try it alone.
function reference.run(path)
  local cases = se.json.load(path, 'an object').cases
  local failed = 0
  for i, case in ipairs(cases) do
    local problems = reference.problems(case)
    if #problems > 0 then
      failed = failed + 1
      local inputs = {}
      for k, input in ipairs(case['in']) do inputs[k] = se.json.encode(input) end
      print(('%s, case %d:%s %s\n  inputs: %s'):format(case.op, i, case.seed and
        (' (seed %d)'):format(case.seed) or '', case.call, table.concat(inputs, ' ')))
      for _, p in ipairs(problems) do print('  ' .. p) end
    end
  end
  if failed > 0 then error(('%d of %d cases fail'):format(failed, #cases), 0) end
  return cases
end

return reference
