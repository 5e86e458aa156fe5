-- Any Lua value in any place of any op or tensor function: a result or a message, never a crash,
-- and no message that tells of our own code (a field of nil, an FFI type). Runs itself a second
-- time, with a limit on memory, and looks at how that ended.
local se = require 'sembed'
local check = require 'check'
local tensor = require 'sembed.tensor'

local cfg = se.config { calls = 0, only = '' }
local CALLS = 150

-- --- values ---

local state = 1
local function dice(n)
  state = state * 16807 % 2147483647
  return state % n + 1
end

local function pick(list) return list[dice(#list)] end

local numbers = { 0, 1, 2, 3, -1, -2, 7, 0.5, -0.25, 1e9, 2 ^ 31, -2 ^ 31, 2 ^ 53, 2 ^ 63, -2 ^ 63,
  1e300, math.huge, -math.huge, 0 / 0 }
local dtypes = { 'f32', 'bf16', 'i32', 'bool' }

local function a_tensor()
  local dims = {}
  for i = 1, dice(4) - 1 do dims[i] = pick { 0, 1, 2, 3, 3, 5 } end
  local x = se.random.uniform(dice(100), dims) * 6 - 2
  if dice(20) == 1 then
    for i = 1, #dims do dims[i] = math.max(dims[i], 1) end
    return (se.tensor(1.5):broadcast_to { dims = { 2 ^ 33, unpack(dims) } })
  end
  return (x:cast(pick(dtypes)))
end

local function released()
  local x
  se.scope('gone', function() x = se.tensor { 1, 2 } * 2 end)
  return x
end

local names = { 'axis', 'axes', 'keep', 'dims', 'x', 'k', 'n', 'eps', 'start', 'stop', 'low',
  'nonsense' }
local value
local kinds = {
  a_tensor, a_tensor, a_tensor, a_tensor, a_tensor,
  function() return pick(numbers) end,
  function() return dice(4) - 1 end,
  function() return pick { true, false } end,
  function() return nil end,
  function() return pick { '', 'f32', 'x', 'ij,jk->ik', '...', '\0', ('x'):rep(10000), '%s%d' } end,
  function() return pick { print, coroutine.create(print), io.stdout, newproxy(true) } end,
  released,
  function() return {} end,
  function() -- a list
    local list = {}
    for i = 1, dice(8) - 1 do list[i] = value() end
    return list
  end,
  function() -- of whole numbers
    local list = {}
    for i = 1, dice(8) - 1 do list[i] = dice(9) - 5 end
    return list
  end,
  function() -- options
    local t = {}
    for _ = 1, dice(3) do t[pick(names)] = value() end
    return t
  end,
  function() -- a table in itself
    local t = {}
    t[1], t.axis = t, t
    return t
  end,
}
function value() return pick(kinds)() end

-- --- functions ---

local function targets()
  local list = {}
  for _, name in ipairs(se.op.names) do list[#list + 1] = { name, se[name] } end
  for _, name in ipairs { 'tensor', 'zeros', 'ones', 'full', 'eval', 'grad', 'keep', 'guard',
    'vary', 'is_tensor', 'einsum', 'unique', 'allclose', 'array_equal', 'meshgrid',
    'masked_select', 'nonzero', 'arange', 'chunk', 'flatten', 'full_like', 'ones_like',
    'repeat_interleave', 'unbind', 'zeros_like', 'is_close' } do
    list[#list + 1] = { name, se[name] }
  end
  for name, f in pairs(se.random) do
    if type(f) == 'function' then list[#list + 1] = { 'random.' .. name, f } end
  end
  for name, f in pairs(tensor.methods) do
    if not se.op.specs[name] then list[#list + 1] = { 'method ' .. name, f } end
  end
  for _, name in ipairs { '+', '-', '*', '/', '^', '%', '..', '<', 'index', 'assign', 'tostring',
    '#' } do
    local text = name == 'index' and 'local a, b = ... return a[b]'
      or name == 'assign' and 'local a, b = ... return a:assign(b)'
      or name == 'tostring' and 'return tostring((...))'
      or name == '#' and 'return #(...)'
      or ('local a, b = ... return a %s b'):format(name)
    local f = assert(loadstring(text, '=call'))
    list[#list + 1] = { 'operator ' .. name, function(a, b)
      if not se.is_tensor(a) and not se.is_tensor(b) then a = a_tensor() end
      return f(a, b)
    end }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

-- What a message of ours never says.
local function is_raw(message)
  if message:find('^call:') then return false end -- Lua's own operators and functions, at our line
  return message:find 'attempt to' or message:find 'cannot convert' or message:find 'bad argument'
    or message:find 'ctype' or message:find 'cdata' or message:find 'invalid C' or message == ''
end

local function try(name, f, arguments, problems)
  local ok, result = pcall(f, unpack(arguments, 1, 12))
  if ok and se.is_tensor(result) then
    ok, result = pcall(function()
      local text = tostring(result)
      if result:dtype() == 'f32' and se.is_tensor(arguments[1]) then
        local g = se.grad(result:sum(), arguments[1])
        if g then se.eval(g) end
      end
      return text
    end)
  end
  if ok then return end
  local message = tostring(result)
  if is_raw(message) and not name:find '^operator [.<]' then problems[#problems + 1] = message end
end

local function run(calls)
  local all = 0
  for i, target in ipairs(targets()) do
    state = 1000 + i
    local problems = {}
    if cfg.only == '' or cfg.only == target[1] then
      for _ = 1, calls do
        local arguments, most = {}, dice(12) == 1 and 12 or dice(6) - 1
        for k = 1, most do arguments[k] = value() end
        if dice(3) > 1 then arguments[1] = a_tensor() end
        se.scope('nonsense', try, target[1], target[2], arguments, problems)
        tensor.drop_pending()
      end
    end
    if problems[1] then
      all = all + 1
      print(('%s: %d messages of our own code, the first: %s'):format(target[1], #problems,
        problems[1]))
    end
  end
  if all > 0 then error('no messages for a reader', 0) end
end

if cfg.calls > 0 then
  run(cfg.calls)
  print 'all answered'
else
  local output, status = check.run(('%s calls=%d memory=300M'):format(debug.getinfo(1,
    'S').source:sub(2), CALLS))
  check.ok(status == 0 and output:find 'all answered', 'status %s: %s', status, output:sub(-3000))
  check.done()
end
