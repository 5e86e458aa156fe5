-- se.op.check(name): tests an op from its `sample` (sample.lua), whether it came with sembed, was
-- loaded or was made in Lua. Stops with the first thing that is wrong; else gives a line that tells
-- what was compared:
--
--   types as the sample says; the same bits with 1, 2 and 5 threads; a row alone = the row among
--   others bit for bit (ops that say they are row-wise); a kernel = its expansion; gradients and
--   second derivatives = central differences, all in double; one element, nothing at all, and wrong
--   types and ranks: a result or a message.
--
-- Pending assigns are carried out first.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local gradients = require 'sembed.check.gradients'
local graph = require 'sembed.graph'
local make = require 'sembed.make'
local op = require 'sembed.op'
local sample = require 'sembed.check.sample'

local C = core.C
local f = op.functions
local bad, call = sample.bad, sample.call

-- --- values ---

local function type_text(t)
  return ('%s[%s]'):format(t:dtype(), table.concat(t:shape(), 'x'))
end

local function bytes_of(outputs)
  local all = {}
  graph.eval(outputs)
  for i, t in ipairs(outputs) do all[i] = t:bytes(true) end
  return all
end

local function check_types(spec, case, inputs)
  local outputs = call(spec, case, inputs)
  graph.eval(outputs)
  for i, wanted in ipairs(case.types or {}) do
    local came = outputs[i] and type_text(outputs[i]) or 'nothing'
    if came ~= wanted then bad(spec, case, 'output %d is %s, not %s', i, came, wanted) end
  end
end

local function check_threads(spec, case, inputs)
  local before = C.se_threads()
  C.se_threads_set(1)
  local ok, one = pcall(function() return bytes_of(call(spec, case, inputs)) end)
  for _, n in ipairs { 2, 5 } do
    C.se_threads_set(n)
    local fine, many = pcall(function() return bytes_of(call(spec, case, inputs)) end)
    for i, bytes in ipairs(ok and fine and one or {}) do
      if bytes ~= many[i] then
        C.se_threads_set(before)
        bad(spec, case, 'output %d: 1 and %d threads give different bits', i, n)
      end
    end
  end
  C.se_threads_set(before)
  if not ok then error(one, 0) end
end

local function rows_of(t)
  return t:rank() > 0 and t:size(1)
end

local function check_rows(spec, case, inputs)
  if not spec.rowwise or not case.rows or not inputs[1] then return end
  local all = call(spec, case, inputs)
  local n = rows_of(all[1])
  if not n or n < 2 or rows_of(inputs[1]) ~= n then return end
  for _, row in ipairs { 1, math.ceil(n / 2), n } do
    local alone, whole = {}, {}
    for i, x in ipairs(inputs) do
      alone[i] = x and rows_of(x) == n and x:rows(row, row) or x
    end
    local one = bytes_of(call(spec, case, alone))
    for i, y in ipairs(all) do whole[i] = rows_of(y) == n and y:rows(row, row) or false end
    for i, y in ipairs(whole) do
      if y and y:bytes(true) ~= one[i] then
        bad(spec, case, 'output %d: row %d alone has other bits', i, row)
      end
    end
  end
end

local function check_expansion(spec, case, inputs)
  if not spec.composite or spec.expand or not case.expand then return end
  local kernel = call(spec, case, inputs)
  C.se_prefer_expansion(true)
  local ok, expanded = pcall(call, spec, case, inputs)
  C.se_prefer_expansion(false)
  if not ok then error(expanded, 0) end
  for i, a in ipairs(kernel) do
    local b = expanded[i]
    if type_text(a) ~= type_text(b) then
      bad(spec, case, 'output %d: %s and, expanded, %s', i, type_text(a), type_text(b))
    end
    local exact = a:dtype() == 'i32' or a:dtype() == 'bool'
    if exact and a:bytes(true) ~= b:bytes(true) then
      bad(spec, case, 'output %d: the expansion differs', i)
    elseif not exact and make.count(a:shape()) > 0 then
      a, b = a:f32(), b:f32()
      local most = f.where(f.is_finite(a), a:abs(), 0):max():item(true)
      local same = f.logical_or(f.equal(a, b), f.logical_and(f.is_nan(a), f.is_nan(b)))
      local off = f.where(same, 0, (a - b):abs()):max():item(true)
      local allowed = kernel[i]:dtype() == 'bf16' and most / 128 or case.tolerance * most
      if off ~= off or off > allowed then
        bad(spec, case, 'output %d: the expansion is off by %g, %g is allowed', i, off, allowed)
      end
    end
  end
end

-- --- other shapes ---

-- What a message for a reader never says.
local function is_raw(message)
  return message == '' or message:find 'attempt to' or message:find 'bad argument'
    or message:find 'cannot convert' or message:find 'cdata'
end

-- A result, with its gradient, or a message.
local function try(spec, case, inputs)
  local ok, message = pcall(function()
    local outputs = call(spec, case, inputs)
    graph.eval(outputs)
    for i in ipairs(inputs) do
      local loss = case.grad and spec.differentiable and gradients.wanted(case, inputs, i)
        and gradients.loss_of(spec, case, inputs)
      local g = loss and graph.grad(loss, inputs[i])
      if g then graph.eval(g) end
    end
  end)
  if not ok and is_raw(tostring(message)) then
    bad(spec, case, 'other types and sizes give no message of its own: %s', tostring(message))
  end
end

-- The first case with every axis of size `size`, or the first axis alone.
local function resized(case, size, first_only)
  local inputs = {}
  for i, t in ipairs(case.order) do
    local dims = {}
    for k, d in ipairs(t and t.dims or {}) do dims[k] = (first_only and k > 1) and d or size end
    inputs[i] = t and sample.tensor(t.dtype, dims, function(k)
      return t.values and t.values[(k - 1) % #t.values + 1] or math.floor(t.low + 1)
    end)
  end
  return inputs
end

local DTYPES = { 'f32', 'i32', 'bool', 'bf16' }

local function check_others(spec, case)
  try(spec, case, resized(case, 1))
  try(spec, case, resized(case, 0))
  try(spec, case, resized(case, 0, true))
  for rank = 0, 3 do
    for _, dtype in ipairs(DTYPES) do
      local inputs = sample.draw(case, rank)
      for i = 1, #inputs do
        local dims = {}
        for k = 1, rank do dims[k] = k + 1 end
        local before = inputs[i]
        inputs[i] = sample.tensor(dtype, dims, function(k) return k % 2 end)
        try(spec, case, inputs)
        inputs[i] = before
      end
    end
  end
end

-- --- all of it ---

local function check_case(spec, case, k)
  local inputs = sample.draw(case, k)
  check_types(spec, case, inputs)
  check_threads(spec, case, inputs)
  check_rows(spec, case, inputs)
  check_expansion(spec, case, inputs)
end

return function(name)
  fail.unless(type(name) == 'string', 'op.check: a name is wanted: %s came', fail.kind(name))
  local spec = op.specs[name] or fail.raise('op.check: %s', fail.unknown('op', name, op.names))
  local cases = sample.read(spec)
  fail.unless(cases[1], 'op.check: %s has no sample to draw tensors from', name)
  fail.unless(spec.doubles or not spec.place or spec.expand, 'op.check: %s has no kernel over '
    .. 'doubles, in which gradients are compared: .cpu_rows = SE_KERNEL_OF(float, double)', name)
  graph.eval()
  local first, second = 0, 0
  for k, case in ipairs(cases) do
    graph.scope('the check', check_case, spec, case, k)
    if case.grad and spec.differentiable then
      local a, b = gradients.check(spec, case)
      first, second = first + a, second + b
    end
  end
  graph.scope('the check', check_others, spec, cases[1])
  if not spec.differentiable then
    return ('%s: %d cases; it has no gradient'):format(name, #cases)
  end
  return ('%s: %d cases, %d gradients, %d second derivatives'):format(name, #cases, first, second)
end
