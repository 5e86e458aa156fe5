-- An op's `sample`, read, and tensors drawn for it: for se.op.check (check.lua).
--
-- A sample is one or more cases separated by ";". A case is words separated by spaces:
--
--   x:f32[2x3]             a tensor named as in `args`; [] is a scalar, [0x3] is empty. f32 and
--                          bf16 are drawn from -2 to 2, i32 from 0 to 2
--   x:f32[2x3]@0.5..3      drawn from 0.5 up to 3
--   starts:i32[4]=0,2,2,5  these values, row-major
--   w:f32[3]!              no gradient is compared for this one
--   axis=-1 keep=true dtype=i32 axes={1,2}   attributes; those not mentioned have their default
--   -> f32[2] i32[]        the types that must come out
--   ~1e-4                  how far a fused kernel may be from the expansion (default 4e-6 of the
--                          largest value)
--   -grad -rows -expand    leaves that comparison out
--
-- An optional tensor that is not mentioned is left out; one that may come any number of times (xs*)
-- is repeated. Axes count from 0 in ops made in C and from 1 in those made in Lua.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local make = require 'sembed.make'
local op = require 'sembed.op'

local sample = {}

-- Stops the check of an op.
function sample.bad(spec, case, what, ...)
  fail.raise('op.check: %s (%s): %s', spec.name, case.text, what:format(...))
end
local bad = sample.bad

local function read_dims(text)
  local dims = {}
  for n in text:gmatch '%d+' do dims[#dims + 1] = tonumber(n) end
  return dims
end

-- x:f32[2x3]@0.5..3!
local function read_tensor(spec, case, word)
  local name, dtype, dims, rest = word:match '^([%w_]+):(%w+)%[([%dx]*)%](.*)$'
  if not name or not make.element[dtype] then
    bad(spec, case, 'cannot read "%s": NAME:f32[2x3] is wanted, of f32, i32, bool or bf16', word)
  end
  local whole = dtype == 'i32'
  local t = { name = name, dtype = dtype, dims = read_dims(dims), no_grad = rest:find '!' ~= nil,
    low = whole and 0 or -2, high = whole and 3 or 2 }
  rest = rest:gsub('!', '')
  local low, high = rest:match '^@(.-)%.%.(.+)$'
  local values = rest:match '^=(.+)$'
  if low then
    t.low, t.high = tonumber(low), tonumber(high)
  elseif values then
    t.values = {}
    for v in values:gmatch '[^,]+' do t.values[#t.values + 1] = tonumber(v) end
  end
  if (rest ~= '' and not low and not values) or not t.low or not t.high
    or (values and not t.values[1]) then
    bad(spec, case, 'cannot read the end of "%s"', word)
  end
  case.tensors[#case.tensors + 1] = t
end

-- From C's counting to Lua's.
local function axis_of(spec, value)
  return (not spec.expand and value >= 0) and value + 1 or value
end

local function read_attribute(spec, case, word)
  local name, text = word:match '^([%w_]+)=(.+)$'
  local parsed = op.signature_of(spec)
  local at = name and parsed.at[name]
  if not at or at < 0 then
    local known = {}
    for i, attribute in ipairs(parsed.attrs) do known[i] = attribute.name end
    local near = name and fail.nearest(name, known)
    bad(spec, case, 'no attribute in "%s"%s', word, near and ('; did you mean "%s"?'):format(near)
      or '')
  end
  local kind = parsed.attrs[at].kind
  local function number(v)
    v = tonumber(v) or bad(spec, case, 'cannot read "%s"', word)
    return (kind == 'axis' or kind == 'axes') and axis_of(spec, v) or v
  end
  local value
  if kind == 'bool' then
    value = text == 'true'
  elseif kind == 'dtype' then
    value = text
  elseif text:sub(1, 1) == '{' then
    value = {}
    for v in text:gmatch '[^{},]+' do value[#value + 1] = number(v) end
  else
    value = number(text)
  end
  case.attributes = case.attributes or {}
  case.attributes[name] = value
end

local LEFT_OUT = { ['-grad'] = 'grad', ['-rows'] = 'rows', ['-expand'] = 'expand' }

local function read_case(spec, text)
  local case = { text = text, tensors = {}, grad = true, rows = true, expand = true,
    tolerance = 4e-6 }
  for word in text:gmatch '%S+' do
    if word == '->' then
      case.types = {}
    elseif case.types then
      case.types[#case.types + 1] = word
    elseif LEFT_OUT[word] then
      case[LEFT_OUT[word]] = false
    elseif word:sub(1, 1) == '~' then
      case.tolerance = tonumber(word:sub(2)) or bad(spec, case, 'cannot read "%s"', word)
    elseif word:find ':' then
      read_tensor(spec, case, word)
    else
      read_attribute(spec, case, word)
    end
  end
  return case
end

-- The tensors of the call, in the order of `args`: order[i] is one of case.tensors, or false.
local function set_order(spec, case)
  local used, parsed = {}, op.signature_of(spec)
  case.order = {}
  for _, wanted in ipairs(parsed.tensors) do
    local found
    for _, t in ipairs(case.tensors) do
      if t.name == wanted.name and not used[t] and (not found or wanted.variadic) then
        used[t], found = true, true
        case.order[#case.order + 1] = t
      end
    end
    if not found then case.order[#case.order + 1] = false end
  end
  for _, t in ipairs(case.tensors) do
    if not used[t] then bad(spec, case, 'there is no tensor "%s"', t.name) end
  end
end

-- The cases of the op's sample: { { text, tensors, order, attributes, types, ... } ... }
function sample.read(spec)
  local cases = {}
  for text in (spec.sample or ''):gmatch '[^;]+' do
    text = text:match '^%s*(.-)%s*$'
    if text ~= '' then
      cases[#cases + 1] = read_case(spec, text)
      set_order(spec, cases[#cases])
    end
  end
  return cases
end

-- --- values ---

local state = 1
function sample.seed(n) state = (n * 7919 + 12345) % 2147483647 end

function sample.uniform(low, high)
  state = state * 16807 % 2147483647
  return low + (high - low) * state / 2147483647
end

local float_array, int_array = core.typeof 'float[?]', core.typeof 'int32_t[?]'
local byte_array = core.typeof 'uint8_t[?]'

-- A leaf of these values, given by a function of the place (from 1).
function sample.tensor(dtype, dims, value)
  local n = make.count(dims)
  local data = (dtype == 'i32' and int_array or dtype == 'bool' and byte_array or float_array)(
    math.max(n, 1))
  for i = 1, n do data[i - 1] = value(i) end
  if dtype ~= 'bf16' then return make.from_memory(dtype, dims, data) end
  return (make.from_memory('f32', dims, data):cast 'bf16')
end

-- Leaves for the case, in the order of the call; false where one is left out.
function sample.draw(case, seed)
  sample.seed(seed)
  local inputs = {}
  for i, t in ipairs(case.order) do
    inputs[i] = t and sample.tensor(t.dtype, t.dims, function(k)
      if t.values then return t.values[(k - 1) % #t.values + 1] end
      local v = sample.uniform(t.low, t.high)
      if t.dtype == 'bool' then return v > 0 and 1 or 0 end
      return t.dtype == 'i32' and math.floor(v) or v
    end)
  end
  return inputs
end

-- The outputs of a call with these inputs, as a list.
function sample.call(spec, case, inputs)
  local args, n = {}, #inputs
  if op.signature_of(spec).variadic then
    args[1], n = inputs, 1
  else
    for i = 1, n do args[i] = inputs[i] or nil end
  end
  if case.attributes then
    n = n + 1
    args[n] = case.attributes
  end
  return { op.functions[spec.name](unpack(args, 1, n)) }
end

return sample
