-- Lua functions made from the op table: nothing about an op is written here a second time.
--
-- A call gives the tensors in order, then the attributes in order; a table at the end may name any
-- of them, or go on in order: se.sum(x, 1), x:sum { axes = 1, keep = true }, x:sum { 1, keep = true
-- }, se.attention(q, k, v, starts, { heads = 4, longest = 12, bias = b }). Where any number of
-- tensors is taken: se.concat({ a, b }, 1). The functions themselves are C (core/call.c).

local arguments = require 'sembed.arguments'
local core = require 'sembed.ffi'
local host = require 'sembed.host'

local op = { specs = {}, functions = {}, names = {} }

-- The arguments of an op as signature.lua reads them; spec: of op.specs.
op.signature_of = arguments.signature_of

-- What an op calls when its arguments cannot be taken.
local function refused(name, ...) arguments.refuse(op.specs[name], ...) end

-- What a se_op_info tells: { name, doc, args, outs, n_out, internal, composite }
function op.spec_of(info)
  return {
    name = core.text(info.name), args = core.text(info.args),
    doc = info.doc ~= nil and core.text(info.doc) or '',
    outs = info.outs ~= nil and core.text(info.outs) or nil,
    n_out = info.n_out, internal = info.internal, composite = info.composite,
    sample = info.sample ~= nil and core.text(info.sample) or nil,
    differentiable = info.differentiable, rowwise = info.rowwise,
    doubles = info.doubles,
  }
end

-- What se.NAME and x:NAME are for an op of the table: a function with its argument checks.
function op.function_of(spec)
  return (host.op_function(spec.name, core.layout, core.own, refused, core.check))
end

local info = core.new 'se_op_info'
for i = 0, core.C.se_op_list() - 1 do
  core.C.se_op_describe(i, info)
  local spec = op.spec_of(info)
  if not spec.internal then
    op.specs[spec.name] = spec
    op.names[#op.names + 1] = spec.name
    op.functions[spec.name] = op.function_of(spec)
  end
end
table.sort(op.names)

-- --- ops from outside ---

-- se.op.define { name = ..., args = ..., expand = function(x, ...) ... end }: an op made in Lua.
function op.define(fields) return (require('sembed.define')(fields)) end

-- se.op.load 'my_ops.so': the ops of a shared object.
function op.load(path) return require('sembed.load')(path) end

-- se.op.check 'softmax': tests an op from its sample.
function op.check(name) return (require('sembed.check')(name)) end

return op
