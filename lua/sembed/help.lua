-- Help at the prompt, from the op table: `?` and `? name`.

local fail = require 'sembed.fail'
local op = require 'sembed.op'
local signature = require 'sembed.signature'

local GENERAL = [[
x = se.tensor({{1, 2}, {3, 4}})     a tensor; axes count from 1, -1 is the last
y = (x:matmul(x:t()) + 1):tanh()    a graph: nothing is computed yet
y                                   showing a value computes it
se.grad(y:sum(), x)                 gradients are tensors too
m = se.model.mpnet 'FOLDER'         a model; m:encode { 'a text', 'another' }
for step, batch in se.train.steps(...) do ... end    see recipes/reddit_mpnet.lua
? NAME                              what an op does: ? softmax
ops: %s]]

local function wrap(names, width)
  local lines, line = {}, ''
  for _, name in ipairs(names) do
    if #line + #name + 1 > width then
      lines[#lines + 1], line = line, '    '
    end
    line = line .. ' ' .. name
  end
  lines[#lines + 1] = line
  return table.concat(lines, '\n')
end

return function(name)
  if name == '' then return (GENERAL:format(wrap(op.names, 92))) end
  name = name:gsub('^se%.', '')
  local spec = op.specs[name]
  if not spec then return (fail.unknown('op', name, op.names)) end
  local call = signature.call(name, op.signature_of(spec))
  if spec.outs then call = call .. ' -> ' .. spec.outs:gsub(' ', ', ') end
  return call .. '\n' .. spec.doc
end
