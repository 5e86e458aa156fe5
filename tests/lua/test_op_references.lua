-- Every op next to PyTorch: the cases of tests/make/ops_reference.py.
local check = require 'check'
local reference = require 'reference'

local cases = reference.run(check.data 'ops/cases.json')

check.ok(#cases > 500, '%d cases', #cases)

local told = {}
for _, case in ipairs(cases) do told[case.op] = true end
for _, name in ipairs(require('sembed.op').names) do
  check.ok(told[name], '%s: tests/make/ops_reference.py has no case of it', name)
end
check.done()
