-- se.op.define: an op made in Lua, out of other ops.
--
--   se.op.define {
--     name = 'swish', args = 'x beta:num=1', doc = 'x * sigmoid(beta * x)',
--     expand = function(x, beta) return x * (x * beta):sigmoid() end,
--     sample = 'x:f32[2x3]; x:f32[4] beta=0.5 -> f32[4]',
--   }
--
-- From then on there are se.swish(x), x:swish(2), x:swish { beta = 2 } and `? swish`. `args` is
-- read as in core/op.h, but that axes count from 1 as everywhere in Lua. `expand` gets the tensors
-- (plain numbers as tensors, an optional one that was left out as nil, those of `xs*` as one list),
-- then the attributes; it returns one tensor, or one for each name in `outs`. The gradient follows
-- from it. `sample` is what se.op.check tests (sample.lua). `replace = true` takes the place of an
-- op of that name that was made in Lua, too.

local arguments = require 'sembed.arguments'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local offer = require 'sembed.offer'
local op = require 'sembed.op'
local signature = require 'sembed.signature'

local KNOWN = { name = 'string', args = 'string', doc = 'string', outs = 'string',
  sample = 'string', expand = 'function', replace = 'boolean' }
local MOST_ATTRIBUTES = 8 -- SE_MAX_ATTRS of op.h
local MOST_OUTPUTS = 4    -- SE_MAX_OUTPUTS

local function check_fields(fields)
  fail.unless(type(fields) == 'table' and not core.is_tensor(fields),
    'op.define: a table of fields is wanted: %s came', type(fields))
  local known = {}
  for key in pairs(KNOWN) do known[#known + 1] = key end
  for key, value in pairs(fields) do
    if not KNOWN[key] then fail.raise('op.define: %s', fail.unknown('field', key, known)) end
    fail.unless(type(value) == KNOWN[key], 'op.define: %s must be a %s: %s came', key, KNOWN[key],
      type(value))
  end
  for _, key in ipairs { 'name', 'args', 'doc', 'expand' } do
    fail.unless(fields[key] ~= nil, 'op.define: %s is missing', key)
  end
  local name = fields.name
  fail.unless(name:find '^[a-z][a-z0-9_]*$',
    'op.define: name must be small letters, digits and _, first a letter: "%s" came', name)
  fail.unless(not fields.doc:find '\n' and fields.doc ~= '', 'op.define: %s: doc must be one line',
    name)
end

local function check_word(name, word, seen)
  fail.unless(#word < 24, 'op.define: %s: args: "%s" is longer than 23 letters', name, word)
  fail.unless(not seen[word], 'op.define: %s: args: "%s" comes twice', name, word)
  seen[word] = true
end

local function check_kind(name, attr)
  for _, kind in ipairs(arguments.kinds) do
    if attr.kind == kind then return end
  end
  fail.raise('op.define: %s: args: %s: %s', name, attr.name,
    fail.unknown('kind', attr.kind, arguments.kinds))
end

-- Reads `args` into spec.signature.
local function read_arguments(spec)
  local name, args = spec.name, spec.args
  local text = signature.unreadable(args)
  if text then
    fail.raise('op.define: %s: args cannot be read at "%s": tensors first ("x bias? xs*"), then '
      .. 'attributes ("axis:axis=-1")', name, text)
  end
  local ok, parsed = pcall(op.signature_of, spec)
  fail.unless(ok, 'op.define: %s: args: tensors come first, then attributes: "%s" came', name, args)
  parsed.from_one = true
  local seen, optional = {}, nil
  for i, t in ipairs(parsed.tensors) do
    check_word(name, t.name, seen)
    fail.unless(not t.variadic or i == #parsed.tensors,
      'op.define: %s: args: %s* must be the last tensor', name, t.name)
    fail.unless(t.optional or t.variadic or not optional,
      'op.define: %s: args: %s comes after %s?, which may be left out', name, t.name, optional)
    optional = optional or (t.optional and t.name)
  end
  fail.unless(#parsed.attrs <= MOST_ATTRIBUTES,
    'op.define: %s: args: %d attributes, the most is %d', name, #parsed.attrs, MOST_ATTRIBUTES)
  for i, attr in ipairs(parsed.attrs) do
    check_word(name, attr.name, seen)
    check_kind(name, attr)
    if attr.default ~= nil then arguments.check_attribute(spec, i, attr.default) end
  end
end

local function read_outputs(spec)
  if not spec.outs then return end
  spec.n_out = 0
  for word in spec.outs:gmatch '%S+' do
    fail.unless(word:find '^[%a_][%w_]*$', 'op.define: %s: outs: "%s" is no name', spec.name, word)
    spec.n_out = spec.n_out + 1
  end
  fail.unless(spec.n_out >= 1 and spec.n_out <= MOST_OUTPUTS,
    'op.define: %s: outs has %d names, 1 to %d are wanted', spec.name, spec.n_out, MOST_OUTPUTS)
  if spec.n_out == 1 then spec.outs = nil end
end

-- The arguments of `expand`: n of them in a list.
local function prepare(spec, tensors, count, values)
  local parsed, args = spec.signature, {}
  local n = #parsed.tensors
  for i = 1, parsed.variadic and n - 1 or n do
    args[i] = arguments.tensor(spec, i, tensors[i])
  end
  if parsed.variadic then
    args[n] = {}
    for i = n, math.max(count, n) do args[n][i - n + 1] = arguments.tensor(spec, i, tensors[i]) end
  end
  for i, attr in ipairs(parsed.attrs) do
    local value = values[i]
    if value == nil then value = attr.default end
    arguments.check_attribute(spec, i, value)
    if type(value) == 'number' and (attr.kind == 'ints' or attr.kind == 'axes') then
      value = { value }
    end
    args[n + i] = value
  end
  return args, n + #parsed.attrs
end

local function check_results(spec, n, ...)
  local wanted = spec.n_out
  if n ~= wanted and n > 0 then
    fail.raise('%s: expand gave %d values; %d %s wanted%s', spec.name, n, wanted,
      wanted == 1 and 'is' or 'are', wanted == 1 and ' (outs names them where there are several)'
      or ': ' .. spec.outs)
  end
  for i = 1, wanted do
    local value = select(i, ...)
    if not core.is_tensor(value) then
      fail.raise('%s: expand must return %s: %s came', spec.name,
        wanted == 1 and 'a tensor' or ('a tensor for each of "%s"'):format(spec.outs),
        n == 0 and 'nothing' or type(value))
    end
  end
  return ...
end

local function count_results(spec, ...)
  return check_results(spec, select('#', ...), ...)
end

local function make(spec)
  return function(...)
    local args, n = prepare(spec, arguments.sort(spec, select('#', ...), { ... }))
    return count_results(spec, spec.expand(unpack(args, 1, n)))
  end
end

return function(fields)
  check_fields(fields)
  offer.check_free('op.define', fields.name, fields.replace)
  local file, line = fail.place()
  local spec = { name = fields.name, args = fields.args, doc = fields.doc, outs = fields.outs,
    sample = fields.sample, expand = fields.expand, n_out = 1, internal = false, composite = true,
    differentiable = true,
    place = ('%s:%d'):format(file or '-', line or 0) }
  read_arguments(spec)
  read_outputs(spec)
  local f = make(spec)
  offer.add(spec, f)
  return f
end
