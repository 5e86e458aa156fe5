-- Gradients of an op against central differences, all in double: for se.op.check (check.lua).

local core = require 'sembed.ffi'
local graph = require 'sembed.graph'
local make = require 'sembed.make'
local op = require 'sembed.op'
local sample = require 'sembed.check.sample'

local C = core.C
local f = op.functions
local bad = sample.bad
local PLACES = 12 -- of each tensor at which gradients are compared
local STEP = 1e-5 -- of the differences
local SECOND = 100 -- elements of a case up to which second derivatives are compared

local gradients = {}

local data_box = core.new 'const void *[1]'
local double_pointer = core.typeof 'const double *'

-- Element i, from 1, of an f32 tensor while doubles are computed.
local function double_at(t, i)
  core.compute(C.se_tensor_data, t.c, true, data_box)
  local value = core.cast(double_pointer, data_box[0])[i - 1]
  core.hold(t)
  return value
end

-- sum over the f32 outputs of output . weights; nil where there is none.
function gradients.loss_of(spec, case, inputs)
  local total
  for i, y in ipairs(sample.call(spec, case, inputs)) do
    if y:dtype() == 'f32' then
      sample.seed(77 + i)
      local w = sample.tensor('f32', y:shape(), function() return sample.uniform(-1, 1) end)
      local part = f.sum(f.mul(y, w))
      total = total and f.add(total, part) or part
    end
  end
  return total
end

-- Is the gradient of input i compared?
function gradients.wanted(case, inputs, i)
  local t = case.order[i]
  return inputs[i] and not (t and t.no_grad) and inputs[i]:dtype() == 'f32'
end

-- What is differentiated: the loss, or the sum of its gradients' squares. nil: nothing.
local function target_of(spec, case, inputs, second)
  local loss = gradients.loss_of(spec, case, inputs)
  if not second or not loss then return loss end
  local total
  for i in ipairs(inputs) do
    local g = gradients.wanted(case, inputs, i) and graph.grad(loss, inputs[i])
    if g then
      local part = f.sum(f.mul(g, g))
      total = total and f.add(total, part) or part
    end
  end
  return total
end

-- The target where element `at` of input i is `step` more.
local function value_at(spec, case, inputs, i, at, step, second)
  return graph.scope('the check', function()
    local moved = { unpack(inputs) }
    local unit = sample.tensor('f32', inputs[i]:shape(), function(k) return k == at and 1 or 0 end)
    moved[i] = f.add(inputs[i], f.mul(unit, step))
    local target = target_of(spec, case, moved, second)
    return target and double_at(target, 1) or 0
  end)
end

local function check_place(spec, case, inputs, i, at, got, second)
  local up = value_at(spec, case, inputs, i, at, STEP, second)
  local down = value_at(spec, case, inputs, i, at, -STEP, second)
  local wanted = (up - down) / (2 * STEP)
  -- The step's square times the third derivative, and the rounding of a sum divided by the step.
  local allowed = 2e-6 * math.max(math.abs(wanted), 1)
    + 4e-10 * math.max(math.abs(up), math.abs(down))
  if math.abs(got - wanted) <= allowed then return end
  bad(spec, case, '%s of %s at element %d: %.9g, by differences %.9g',
    second and 'second derivative' or 'gradient', case.order[i].name, at, got, wanted)
end

-- Compares at some places of each input; gives their number.
local function check_gradients(spec, case, second)
  local inputs, places = sample.draw(case, 1), 0
  local target = target_of(spec, case, inputs, second)
  for i, x in ipairs(inputs) do
    if target and gradients.wanted(case, inputs, i) then
      local ok, g = pcall(graph.grad, target, x)
      if not ok and not second then error(g, 0) end
      local n = make.count(x:shape())
      for k = 1, ok and math.min(PLACES, n) or 0 do
        local at = n <= PLACES and k or (k * 7919 + 13) % n + 1
        check_place(spec, case, inputs, i, at, g and double_at(g, at) or 0, second)
        places = places + 1
      end
    end
  end
  return places
end

local function elements(case)
  local n = 0
  for _, t in ipairs(case.tensors) do n = n + make.count(t.dims) end
  return n
end

-- Runs g(...) while f32 tensors are doubles; none of them lives on.
local function in_double(g, ...)
  C.se_real_set_f64(true)
  local result = { pcall(graph.scope, 'the check', g, ...) }
  C.se_real_set_f64(false)
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2)
end

local function differentiate(spec, case)
  local first = check_gradients(spec, case, false)
  return first, elements(case) <= SECOND and check_gradients(spec, case, true) or 0
end

-- Compares gradients and second derivatives of the case; how many of each.
function gradients.check(spec, case)
  return in_double(differentiate, spec, case)
end

return gradients
