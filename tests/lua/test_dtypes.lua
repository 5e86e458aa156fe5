-- Every op with other types than f32, over the calls of data/ops/cases.json whose inputs are f32.
--
-- bf16: what f32 gives of the same numbers, rounded once, bit for bit. i32 and bool: the numbers
-- that f32 gives, as i32 or as f32's result; or a message that says which type came and which is
-- wanted.
local se = require 'sembed'
local check = require 'check'
local reference = require 'reference'

local LARGE = 1000 -- products of such whole numbers fit i32, and their f32 are exact

local change = {
  bf16 = function(x) return x:bf16() end,
  i32 = function(x) return x:round():i32() end,
  bool = function(x) return se.greater(x, 0) end,
}

-- Why a case says nothing about a type; nil where it does.
local function left_out(case, dtype)
  if case.op == 'cast' then return 'it names the type' end
  if case.call:find '%):[%l_]+%(%)$' then return 'two ops: each rounds' end
  if case.call:find 'se%.tensor%(' then return 'f32 beside it' end
  if dtype == 'bf16' then return case.op == 'einsum' and 'several products: each rounds' or nil end
  if dtype == 'bool' and case.op == 'diff' then return 'diff of bool is where it changes' end
  if case.op == 'pad' or case.op == 'clip' or case.op == 'masked_fill' then
    return 'with numbers that i32 or bool may not have'
  end
  for _, input in ipairs(case['in']) do
    local most = 0
    if type(input[4]) == 'table' then
      for _, v in ipairs(input[4]) do
        local size = math.abs(tonumber(v))
        most = size <= LARGE and math.max(most, size) or 1 / 0 -- nan, too
      end
    else
      most = math.max(math.abs(input[4]), math.abs(input[5]))
    end
    if most > LARGE then return 'beyond i32' end
  end
end

-- The results of a case's call with these inputs, or nil and the message.
local function results(case, inputs)
  local names = { 'se' }
  for i, input in ipairs(case['in']) do names[i + 1] = input[1] end
  local f = assert(loadstring(('local %s = ...\nreturn %s'):format(table.concat(names, ', '),
    case.call)))
  local out = { pcall(f, se, unpack(inputs)) }
  if not out[1] then return nil, tostring(out[2]) end
  local list = { unpack(out, 2) }
  local ok, message = pcall(se.eval, list)
  if not ok then return nil, tostring(message) end
  return list
end

local function compare(what, y, wanted, dtype)
  if dtype == 'bf16' then
    if wanted:dtype() == 'f32' then wanted = wanted:bf16() end
    check.equal(y:dtype(), wanted:dtype(), what)
    check.ok(y:bytes(true) == wanted:bytes(true), '%s: not what f32 gives', what)
    return
  end
  local came = y:dtype()
  -- bf16 where another input is: i32 and bool come before it.
  check.ok(came == 'i32' or came == 'bf16' or came == dtype or came == wanted:dtype(),
    '%s: %s came', what, came)
  if came == 'bf16' then wanted = wanted:bf16() end
  local here, there = se.shard.sum(y:f32()), se.shard.sum(wanted:f32())
  check.ok(here:allclose(there, { rtol = 0, atol = 0, equal_nan = true }),
    '%s: not what f32 gives', what)
end

local seen, refused = { bf16 = 0, i32 = 0, bool = 0 }, {}
local function try(case, dtype)
  local others, floats, any = {}, {}, false
  for i, input in ipairs(case['in']) do
    local x = reference.input(input)
    others[i], floats[i] = x, x
    if input[2] == 'f32' then
      others[i], any = change[dtype](x), true
      floats[i] = others[i]:f32()
    end
  end
  if not any then return end
  local what = ('%s, %s: %s'):format(case.op, dtype, case.call)
  local list, message = results(case, others)
  if not list then
    check.ok(dtype ~= 'bf16', '%s: refused: %s', what, message)
    local says = message:find(dtype, 1, true) or message:find 'is 0' -- remainders of 0
    check.ok(says and not message:find 'attempt to', '%s: the message is: %s', what, message)
    refused[dtype .. ' ' .. case.op] = true
    return
  end
  for n, wanted in ipairs(assert(results(case, floats), what)) do
    compare(what, list[n], wanted, dtype)
  end
  seen[dtype] = seen[dtype] + 1
end

for _, case in ipairs(se.json.load(check.data 'ops/cases.json', 'an object').cases) do
  for dtype in pairs(change) do
    if not left_out(case, dtype) then se.scope('a case', try, case, dtype) end
  end
end
check.ok(seen.bf16 > 700 and seen.i32 > 400 and seen.bool > 200,
  'calls: %d of bf16, %d of i32, %d of bool', seen.bf16, seen.i32, seen.bool)

-- Arithmetic of single elements takes whole numbers, and so does all that only moves elements.
for _, name in ipairs { 'add', 'sub', 'mul', 'div', 'floor_divide', 'mod', 'pow', 'maximum', 'neg',
  'abs', 'sign', 'relu', 'gelu', 'exp', 'sum', 'mean', 'max', 'sort', 'concat', 'where', 'gather',
  'transpose' } do
  check.ok(not refused['i32 ' .. name], '%s refuses i32', name)
end
check.done()
