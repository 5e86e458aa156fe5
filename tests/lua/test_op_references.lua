-- Every op next to PyTorch: the cases of tests/make/ops_reference.py.
local check = require 'check'
local reference = require 'reference'

local cases = reference.run(check.data 'ops/cases.json')

check.ok(#cases > 500, '%d cases', #cases)
check.done()
