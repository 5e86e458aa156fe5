-- se.op.load: ops in C from a shared object, compiled against op.h alone.
--
--   cc -shared -fPIC -O2 my_ops.c -o my_ops.so $(pkg-config --cflags sembed)
--   local hard_swish = se.op.load 'my_ops.so'
--
-- The file exports its ops with SE_OP_EXPORT (op.h). From then on they are like those that come
-- with sembed: se.NAME, x:NAME, `? NAME`, argument checks, gradients, profile, se.op.check. Gives
-- the functions of all ops of the file, in its order; when anything about it is wrong, none of its
-- ops is there. A path is relative to the recipe, as everywhere. What is loaded stays: a file that
-- was compiled anew is loaded by a new run.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local offer = require 'sembed.offer'
local op = require 'sembed.op'
local run = require 'sembed.run'

local C = core.C
local box = core.new 'se_op_file *[1]'

local function specs_of(file)
  local info, specs = core.new 'se_op_info', {}
  for i = 0, C.se_op_file_list(file) - 1 do
    C.se_op_file_describe(file, i, info)
    specs[#specs + 1] = op.spec_of(info)
  end
  return specs
end

return function(path)
  fail.unless(type(path) == 'string', 'op.load: a path is wanted: %s came', fail.kind(path))
  core.check(C.se_op_file_open(files.absolute(run.path(path)), box))
  local file = core.gc(box[0], C.se_op_file_close)
  local specs, functions = specs_of(file), {}
  for _, spec in ipairs(specs) do offer.check_free('op.load: ' .. path, spec.name) end
  core.check(C.se_op_file_take(file))
  core.gc(file, nil)
  for _, spec in ipairs(specs) do
    if not spec.internal then
      spec.place = path
      local f = op.function_of(spec)
      offer.add(spec, f)
      functions[#functions + 1] = f
    end
  end
  return unpack(functions)
end
