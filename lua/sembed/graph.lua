-- What happens to the graph: evaluation, assignment, gradients, scopes. Part of tensor.lua.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'

jit.off(true, true) -- see ffi.lua

local C = core.C
local graph = {}

local handles = core.typeof 'se_tensor *[?]'

local function handle_of(what, t)
  fail.unless(core.is_tensor(t), '%s: a tensor is wanted: %s came', what, fail.kind(t))
  return t.c
end

-- Computes the tensors and all pending assigns as one program: se.eval(x, y), or a list of them.
function graph.eval(...)
  local list, n = { ... }, select('#', ...)
  if type(list[1]) == 'table' then
    list, n = list[1], #list[1]
  end
  local box = handles(math.max(n, 1))
  for i = 1, n do
    local t = list[i]
    fail.unless(core.is_tensor(t), 'eval: argument %d is no tensor but a %s', i, fail.kind(t))
    box[i - 1] = t.c
  end
  core.compute(C.se_eval, n, box)
  core.watch_memory()
end

-- From here on the tensor `target` means `value`: a number or a tensor of its type and shape. What
-- was built of it before keeps the old value; it happens when something is computed.
function graph.assign(target, value)
  if type(value) == 'number' then value = make.full(target:shape(), value, target:dtype()) end
  fail.unless(core.is_tensor(target) and core.is_tensor(value), 'assign: two tensors are wanted')
  local file, line = fail.place()
  core.check(C.se_assign(target.c, value.c, file, line or 0))
end

-- The gradients of a loss (of the sum of its elements) with respect to a list of tensors: grads[i]
-- = d loss / d params[i], nil where no path leads from there to the loss, grads.n = #params. Of one
-- tensor alone, its gradient alone. They are nodes of the graph: nothing is computed yet.
function graph.grad(loss, params)
  handle_of('grad', loss)
  local single = core.is_tensor(params)
  if single then params = { params } end
  fail.unless(type(params) == 'table', 'grad: a tensor or a list of them is wanted: %s came',
    fail.kind(params))
  local n = #params
  local list, out = handles(math.max(n, 1)), handles(math.max(n, 1))
  for i = 1, n do list[i - 1] = handle_of('grad', params[i]) end
  core.retry(C.se_grad, loss.c, n, list, out)
  local grads = { n = n }
  for i = 1, n do
    if out[i - 1] ~= nil then grads[i] = core.own(out[i - 1]) end
  end
  if single then return grads[1] end
  return grads
end

-- Takes a value out of its step: it stays, and holds no graph.
function graph.keep(t)
  core.check(C.se_keep(handle_of('keep', t)))
  return t
end

-- The next eval fails, with the op and its line, if an element of t is not finite.
function graph.guard(t)
  core.check(C.se_guard(handle_of('guard', t)))
  return t
end

-- Marks a leaf as this shard's part of `rows` rows.
function graph.vary(t, rows)
  fail.unless(type(rows) == 'number', 'vary: a number of rows is wanted: %s came', fail.kind(rows))
  core.check(C.se_tensor_vary(handle_of('vary', t), rows))
  return t
end

function graph.drop_pending() C.se_pending_drop() end

-- Runs f in a scope of its own: tensors made in it and not kept are released at its end.
function graph.scope(label, f, ...)
  if core.before_compute then core.before_compute() end
  local depth = C.se_scope_open(label)
  local result = { n = select('#', ...), pcall(f, ...) }
  C.se_scope_close(depth)
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2)
end

return graph
