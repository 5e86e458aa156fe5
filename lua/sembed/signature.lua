-- The argument strings of the op table (core/op.h), parsed with lpeg:
-- "x weight bias? axis:axis=-1 dims:ints={1,2} keep:bool=false" ->
-- { tensors = { {name, optional, variadic} ... }, attrs = { {name, kind, default} ... } }

local lpeg = require 'lpeg'

local P, R, S, C, Cc, Cg, Ct = lpeg.P, lpeg.R, lpeg.S, lpeg.C, lpeg.Cc, lpeg.Cg, lpeg.Ct

local word = (R('az', 'AZ', '09') + '_') ^ 1
local digits = R '09' ^ 1
local number = S '+-' ^ -1 * digits * (P '.' * digits) ^ -1 * (S 'eE' * S '+-' ^ -1 * digits) ^ -1
local numeral = C(number) / tonumber
local list = P '{' * Ct((numeral * P ',' ^ -1) ^ 0) * '}'
local value = list + numeral + P 'true' * Cc(true) + P 'false' * Cc(false) + C(word)

local attribute = Ct(Cg(C(word), 'name') * ':' * Cg(C(word), 'kind')
  * ('=' * Cg(value, 'default')) ^ -1)
local tensor = Ct(Cg(C(word), 'name')
  * (P '?' * Cg(Cc(true), 'optional') + P '*' * Cg(Cc(true), 'variadic')) ^ -1)
local space = P ' ' ^ 0
local grammar = space
  * Cg(Ct((tensor * -P ':' * space) ^ 0), 'tensors')
  * Cg(Ct((attribute * space) ^ 0), 'attrs') * -1
grammar = Ct(grammar)

local signature = {}

function signature.parse(args)
  local found = grammar:match(args)
  if not found then error(('signature: cannot be read: "%s"'):format(args), 0) end
  local last = found.tensors[#found.tensors]
  found.variadic = last and last.variadic or false
  return found
end

local tensor_word, attribute_word = tensor * -1, attribute * -1

-- Where an args string cannot be read: the first word of it, or nil.
function signature.unreadable(args)
  for text in args:gmatch '%S+' do
    if not tensor_word:match(text) and not attribute_word:match(text) then return text end
  end
end

local function show(v)
  if type(v) == 'table' then return '{' .. table.concat(v, ', ') .. '}' end
  return tostring(v)
end

-- An attribute's default as text, nil where it must be given. An axis counts from 0 in the op table
-- and from 1 in Lua; -1 is the last in both. Ops made in Lua (define.lua) count from 1 from the
-- start: parsed.from_one.
function signature.default(parsed, attr)
  local v = attr.default
  if v == nil then return nil end
  if parsed.from_one or attr.kind ~= 'axis' or v < 0 then return show(v) end
  return show(v + 1)
end

-- How a call looks: "sum(x, axes = {}, keep = false)".
function signature.call(name, parsed)
  local parts = {}
  for _, t in ipairs(parsed.tensors) do
    parts[#parts + 1] = t.variadic and '{' .. t.name .. ', ...}' or
      (t.optional and '[' .. t.name .. ']' or t.name)
  end
  for _, a in ipairs(parsed.attrs) do
    parts[#parts + 1] = a.default == nil and a.name .. ':' .. a.kind
      or ('%s = %s'):format(a.name, signature.default(parsed, a))
  end
  return ('%s(%s)'):format(name, table.concat(parts, ', '))
end

return signature
