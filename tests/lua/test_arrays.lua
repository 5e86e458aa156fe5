-- Arrays in and out: numpy's .npy (tests/make/npy.py wrote those that are read) and safetensors.

local se = require 'sembed'
local check = require 'check'

local function dims(x) return table.concat(x:shape(), ',') end

-- --- what numpy wrote ---

local function path(name) return check.data('npy/' .. name .. '.npy') end

local function check_array(name, dtype, first)
  local x = se.npy.read(path(name))
  check.equal(x:dtype(), dtype, name)
  check.equal(dims(x), '2,3,4', name)
  local wanted = (se.iota(24) + first):reshape(2, 3, 4):cast(dtype)
  check.equal(x:bytes(), wanted:bytes(), name)
end
for _, name in ipairs { 'f2', 'f4', 'f8', 'fortran' } do check_array(name, 'f32', -5) end
for _, name in ipairs { 'i1', 'i2', 'i4', 'i8' } do check_array(name, 'i32', -5) end
for _, name in ipairs { 'u1', 'u2', 'u4', 'u8' } do check_array(name, 'i32', 0) end

local b = se.npy.read(path 'b1')
check.equal(b:dtype() .. dims(b), 'bool2,3,4', 'bool')
for i, v in ipairs(b:reshape(-1):totable()) do check.equal(v, (i - 6) % 3 == 0, 'bool') end

check.equal(se.npy.read(path 'scalar'):item(), 2.5, 'scalar')
check.equal(se.npy.read(path 'scalar'):rank(), 0, 'scalar')
check.equal(dims(se.npy.read(path 'empty')), '0,3', 'empty')
check.equal(se.npy.read(path 'vector')[2]:item(), -2, 'vector')
check.fails(function() return (se.npy.read(path 'large')) end, 'test_arrays.lua', 'large.npy',
  'offset 136: 2147483648, expected a number of 32 bits')
check.fails(function() return (se.npy.read(path 'largest')) end, 'expected a number of 32 bits')
check.fails(function() return (se.npy.read(path 'complex')) end, 'complex.npy', "type '<c16'")
check.fails(function() return (se.npy.read(path 'none')) end, 'none.npy: cannot read')

-- --- there and back ---

local function folder_of(name) return check.folder() .. '/' .. name end

local x = se.tensor { { 1.5, -2, 3 }, { 0, 5, 6e30 } }
local all = {
  matrix = x, turned = x:t(), scalar = se.tensor(7), empty = se.zeros(2, 0, 3),
  whole = se.tensor({ -2147483648, 0, 2147483647 }, 'i32'), flags = se.greater(x, 1),
  six = se.iota(6):reshape { 1, 2, 1, 3, 1, 1 },
}

local file = folder_of 'x.npy'
for name, value in pairs(all) do
  se.npy.write(file, value)
  local back = se.npy.read(file)
  check.equal(back:dtype() .. dims(back), value:dtype() .. dims(value), name)
  check.equal(back:bytes(), value:bytes(), name)
  local head = check.read(file):sub(1, 128)
  check.equal((#check.read(file) - #value:bytes()) % 64, 0, 'the place of the elements')
  check.ok(head:find("'fortran_order': False, 'shape': (", 1, true), 'the head: %s', head)
end
local first = se.npy.read(file)
se.npy.write(file, first * 2)
check.fails(function() return se.npy.write(file, x:cast 'bf16') end, 'x.npy: numpy has no bf16')
check.fails(function() return se.npy.write('/nowhere/at/all/x.npy', x) end, '/nowhere/at/all/x.npy')
check.fails(function() return se.npy.write(x, file) end, 'npy.write: a path and a tensor')

all.half = x:cast 'bf16'
file = folder_of 'x.safetensors'
se.safetensors.write(file, all, { made = 'here' })
local back = se.safetensors.read(file)
for name, value in pairs(all) do
  check.equal(back[name]:dtype() .. dims(back[name]), value:dtype() .. dims(value), name)
  check.equal(back[name]:bytes(), value:bytes(), name)
end
check.equal(se.safetensors.open(file):metadata 'made', 'here', 'metadata')
se.safetensors.write(file, {})
check.equal(next(se.safetensors.read(file)), nil, 'no tensors at all')
check.fails(function() return se.safetensors.write(file, { x }) end, '"1" is no name')
check.fails(function() return se.safetensors.write(file, { x = 1 }) end, '"x" is no tensor')
check.fails(function() return se.safetensors.write(file, x) end, '{ name = tensor, ... } is wanted')
check.fails(function() return se.safetensors.write(file, all, { a = 1 }) end, 'metadata "a"')
check.fails(function() return se.safetensors.read '/nowhere/x.safetensors' end, '/nowhere')

-- --- zeros in memory that held something else ---

for _, n in ipairs { 1000, 524287, 524288, 1300001 } do -- from 524288 on the system lends them
  for _ = 1, 3 do
    se.scope('used', function() se.eval((se.iota(n) + 1):sqrt(), se.iota(n) + 1) end)
    se.scope('zeros', function() check.equal(se.zeros(n):abs():max():item(), 0, n .. ' zeros') end)
  end
end

check.done()
