-- Holds the direction of dependencies: luajit tests/check_includes.lua [ROOT]
-- Reads every #include of core/ and tokenizer/ and every require of lua/ and recipes/ and prints
-- those that look upward. First it plants violations in a made-up tree and insists on finding them.
--
--   recipes -> lua/sembed -> (FFI) core/sembed.h -> exec -> ops -> node -> buf, type, base

-- One row a layer: the files in it, the files it may include, the library headers it alone may use.
-- The first row that matches a file is its layer; every layer may include itself. Lua patterns over
-- paths; `own` and `may` are lists of names from this table.
local layers = {
  { name = 'base', files = { '^core/base%.[ch]$' } },
  { name = 'slab', files = { '^core/slab%.[ch]$' }, may = { 'base' } },
  { name = 'turn', files = { '^core/turn%.[ch]$' }, may = { 'base' } },
  { name = 'type', files = { '^core/type%.[ch]$' }, may = { 'base' } },
  { name = 'arena', files = { '^core/arena%.[ch]$' }, may = { 'base' } },
  { name = 'buf', files = { '^core/buf%.[ch]$' }, may = { 'type', 'base' } },
  { name = 'op.h', files = { '^core/op%.h$' }, may = { 'type', 'base' } },
  { name = 'node',
    files = { '^core/op%.c$', '^core/signature%.c$', '^core/node%.[ch]$', '^core/grad%.[ch]$',
      '^core/build%.[ch]$', '^core/hlo%.[ch]$', '^core/hlo_ops%.c$', '^generated/op_table%.inc$' },
    may = { 'op.h', 'buf', 'slab', 'type', 'base', 'shard' } },
  { name = 'kernels', files = { '^core/kernels/.+%.[ch]$' }, may = { 'op.h', 'type', 'base' } },
  { name = 'ops', files = { '^core/ops/.+%.[ch]$' },
    may = { 'node', 'op.h', 'kernels', 'buf', 'type', 'base', 'shard' } },
  { name = 'sha', files = { '^core/io/sha%.[ch]$' }, may = { 'io', 'base' } },
  { name = 'exec', files = { '^core/exec/.+%.[ch]$', '^core/exec/all%.def$' },
    may = { 'ops', 'node', 'op.h', 'kernels', 'arena', 'buf', 'type', 'base', 'shard', 'sha' } },
  { name = 'shard', files = { '^core/shard/.+%.[ch]$' }, may = { 'base' } },
  { name = 'sembed.h', files = { '^core/sembed%.h$' }, may = { 'op.h', 'type', 'base' } },
  { name = 'handles', -- what sembed.h declares
    files = { '^core/tensor%.[ch]$', '^core/eval%.[ch]$', '^core/print%.[ch]$',
      '^core/rate%.c$', '^core/load%.c$', '^core/summary%.c$', '^core/device%.c$' },
    may = { 'sembed.h', 'exec', 'ops', 'node', 'op.h', 'kernels', 'arena', 'buf', 'slab', 'type',
      'base', 'shard' } },
  { name = 'io', files = { '^core/io/.+%.[ch]$' },
    may = { 'sha', 'sembed.h', 'node', 'op.h', 'buf', 'type', 'base' } },
  { name = 'data', files = { '^core/data/.+%.[ch]$' }, may = { 'tokenizer.h', 'io', 'base' } },
  { name = 'serve', files = { '^core/serve/.+%.[ch]$' }, may = { 'base' } },
  { name = 'tokenizer.h', files = { '^tokenizer/tokenizer%.h$' }, may = { 'base' } },
  { name = 'tokenizer', files = { '^tokenizer/.+%.[ch]$' }, may = { 'tokenizer.h', 'base' } },
  { name = 'program',
    files = { '^core/main%.c$', '^core/embed%.[ch]$', '^core/call%.[ch]$', '^core/bind%.c$',
      '^core/terminal%.[ch]$' },
    may = { 'turn', 'tokenizer.h', 'sembed.h', 'op.h', 'type', 'base' } },
  { name = 'examples', files = { '^recipes/examples/.+%.c$' } }, -- only installed headers: <op.h>
}

-- Libraries that only some files know. Others (the C library, POSIX) are free.
local libraries = {
  { headers = { 'lua.h', 'lauxlib.h', 'lualib.h', 'luajit.h' },
    files = { '^core/main%.c$', '^core/embed%.c$', '^core/call%.c$', '^core/bind%.c$',
      '^core/terminal%.[ch]$' } },
  { headers = { 'blis.h', 'blis/blis.h', 'cblas.h' }, files = { '^core/kernels/gemm%.c$' } },
  { headers = { 'mpi.h' }, files = { '^core/shard/mpi%.c$' } },
  { headers = { 'pjrt_c_api.h', 'xla/pjrt/c/pjrt_c_api.h' },
    files = { '^core/exec/pjrt%.[ch]$' } },
  { headers = { 'utf8proc.h' }, files = { '^tokenizer/', '^core/data/' } },
  { headers = { 'jansson.h' }, files = { '^core/io/', '^core/data/', '^tokenizer/' } },
  { headers = { 'zlib.h', 'zstd.h' }, files = { '^core/io/', '^core/data/' } },
  { headers = { 'curl/curl.h' }, files = { '^core/io/' } },
  { headers = { 'microhttpd.h' }, files = { '^core/serve/' } },
  { headers = { 'omp.h' },
    files = { '^core/base%.c$', '^core/kernels/', '^core/exec/', '^core/data/', '^tokenizer/' } },
  { headers = { 'cmocka.h' }, files = {} },
}

-- Modules that a Lua file of the library may require beside sembed.*.
local lua_modules = { lpeg = true, bit = true, jit = true, ['table.new'] = true,
  ['table.clear'] = true, ['string.buffer'] = true }

-- Files that load modules by a name that a person gives.
local may_compute = { ['lua/sembed/session/reload.lua'] = true }

local function matches(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:find(pattern) then return true end
  end
  return false
end

local function layer_of(path)
  for _, layer in ipairs(layers) do
    if matches(path, layer.files) then return layer end
  end
end

local function may_include(layer, other)
  if layer == other then return true end
  for _, name in ipairs(layer.may or {}) do
    if name == other.name then return true end
  end
  return false
end

-- Where #include "name" in `path` leads: beside the file, under core/, tokenizer/, or generated.
local function resolve(files, path, name)
  local beside = path:match '^(.*/)' .. name
  for _, candidate in ipairs { beside, 'core/' .. name, 'tokenizer/' .. name } do
    if files[candidate] then return candidate end
  end
  if name == 'op_table.inc' then return 'generated/' .. name end
end

local function check_c(files, path, text, report)
  local layer = layer_of(path)
  if not layer then return report(path, 0, 'belongs to no layer of tests/check_includes.lua') end
  local own, first = path:match '([^/]+)%.c$', true
  own = own and files[path:gsub('%.c$', '.h')] and own .. '.h'
  local line_number = 0
  for line in (text .. '\n'):gmatch '(.-)\n' do
    line_number = line_number + 1
    local quoted = line:match '^%s*#%s*include%s*"([^"]+)"'
    local system = line:match '^%s*#%s*include%s*<([^>]+)>'
    if quoted then
      local target = resolve(files, path, quoted)
      local other = target and layer_of(target)
      if not target then
        report(path, line_number, ('"%s" is in none of core/, tokenizer/ and beside the file')
          :format(quoted))
      elseif not other or not may_include(layer, other) then
        report(path, line_number, ('%s may not include %s'):format(layer.name, target))
      end
    end
    if system then
      for _, library in ipairs(libraries) do
        for _, header in ipairs(library.headers) do
          if header == system and not matches(path, library.files) then
            report(path, line_number, ('<%s> is not for this file'):format(system))
          end
        end
      end
    end
    if first and (quoted or system) then
      first = false
      local name = quoted and quoted:match('[^/]+$'):gsub('_private%.h$', '.h')
      if own and name ~= own then
        report(path, line_number, "the first include is not the file's own header, " .. own)
      end
    end
  end
end

-- Comments away, line breaks kept. Good enough for our own sources: no string holds "--".
local function without_comments(text)
  text = text:gsub('%-%-%[(=*)%[.-%]%1%]', function(all) return (all:gsub('[^\n]', '')) end)
  return (text:gsub('%-%-[^\n]*', ''))
end

local function check_lua(files, path, text, report)
  local recipe = path:find '^recipes/' ~= nil
  local line_number = 0
  for line in (without_comments(text) .. '\n'):gmatch '(.-)\n' do
    line_number = line_number + 1
    -- `require` as a word of its own, not a field x.require
    for rest in line:gmatch '%f[%w_.]require%f[^%w_]%s*[(,]?%s*()' do
      local name = line:match('^[\'"]([^\'"]*)[\'"]', rest)
      local computed = not name or line:find('^[\'"][^\'"]*[\'"]%s*%.%.', rest) ~= nil
      local library = (name == 'sembed' or (name or ''):find '^sembed%.') and not recipe
      local folder = path:match '^(recipes/.*/)' or 'recipes/'
      local beside = name and files[folder .. name:gsub('%.', '/') .. '.lua']
      if name == 'ffi' then
        if path ~= 'lua/sembed/ffi.lua' then
          report(path, line_number, "only lua/sembed/ffi.lua requires 'ffi'")
        end
      elseif computed and not library then
        if not may_compute[path] then
          report(path, line_number, 'requires a computed name')
        end
      elseif recipe and name ~= 'sembed' and not beside then
        report(path, line_number, ("a recipe requires 'sembed' and files beside it, not '%s'")
          :format(name))
      elseif not recipe and not library and not lua_modules[name] then
        report(path, line_number, ("the library does not require '%s'"):format(name))
      end
    end
  end
end

-- files: path -> text. Returns the violations as lines, and how many files were read.
local function check(files)
  local found, n, paths = {}, 0, {}
  local function report(path, line, what)
    found[#found + 1] = ('%s:%d: %s'):format(path, line, what)
  end
  for path in pairs(files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    if path:find '%.[ch]$' then
      check_c(files, path, files[path], report)
      n = n + 1
    elseif path:find '%.lua$' and not path:find '^tokenizer/' then
      check_lua(files, path, files[path], report)
      n = n + 1
    end
  end
  return found, n
end

-- --- the check is able to fail ---

local function sound_tree()
  return {
    ['core/base.h'] = '', ['core/base.c'] = '#include "base.h"\n#include <omp.h>\n',
    ['core/type.h'] = '#include "base.h"\n', ['core/op.h'] = '#include "type.h"\n',
    ['core/node.h'] = '#include "op.h"\n', ['core/sembed.h'] = '#include "op.h"\n',
    ['core/exec/exec.h'] = '#include "node.h"\n',
    ['core/kernels/kernel.h'] = '#include "op.h"\n#include <omp.h>\n',
    ['core/kernels/gemm.c'] = '#include "kernel.h"\n#include <blis.h>\n',
    ['core/ops/matmul.c'] = '#include "op.h"\n#include "node.h"\n#include "kernels/kernel.h"\n',
    ['core/call.c'] = '#include "op.h"\n#include <lua.h>\n',
    ['core/main.c'] = '#include "base.h"\n#include <lua.h>\n',
    ['tokenizer/tokenizer.h'] = '#include "base.h"\n',
    ['tokenizer/tokenizer.c'] = '#include "tokenizer.h"\n#include <stdio.h>\n',
    ['lua/sembed/ffi.lua'] = "local ffi = require 'ffi' -- require 'socket'\n",
    ['lua/sembed/init.lua'] = "return require('sembed.' .. name), pcall(require, 'lpeg')\n",
    ['recipes/a.lua'] = "local se = require 'sembed'\nlocal b = require('b')\n",
    ['recipes/b.lua'] = '--[[ the name\nrequire "socket" ]]\nreturn x.require "y"\n',
  }
end

-- { file, text to put in its place, what the complaint must say }
local planted = {
  { 'core/ops/matmul.c', '#include "exec/exec.h"\n', '1: ops may not include core/exec/exec.h' },
  { 'core/ops/matmul.c', '#include <stdio.h>\n#  include <lua.h>\n', '2: <lua.h> is not for' },
  { 'core/ops/matmul.c', '#include <mpi.h>\n', '<mpi.h> is not for' },
  { 'core/ops/matmul.c', '#include <blis.h>\n', '<blis.h> is not for' },
  { 'core/ops/matmul.c', '#include "nothing.h"\n', 'is in none of' },
  { 'core/kernels/kernel.h', '#include "node.h"\n', 'kernels may not include core/node.h' },
  { 'core/kernels/kernel.h', '#include "../ops/matmul.c"\n', 'is in none of' },
  { 'core/base.h', '#include "type.h"\n', 'base may not include core/type.h' },
  { 'core/base.c', '#include <stdio.h>\n#include "base.h"\n', "the file's own header" },
  { 'core/exec/exec.h', '#include "sembed.h"\n', 'exec may not include core/sembed.h' },
  { 'core/call.c', '#include "node.h"\n', 'program may not include core/node.h' },
  { 'core/main.c', '#include "exec/exec.h"\n', 'program may not include core/exec/exec.h' },
  { 'tokenizer/tokenizer.h', '#include "op.h"\n', 'tokenizer.h may not include core/op.h' },
  { 'core/other/new.c', '', 'belongs to no layer' },
  { 'lua/sembed/init.lua', 'local ffi = require("ffi")\n', "requires 'ffi'" },
  { 'lua/sembed/init.lua', "local ok = pcall(require, 'socket')\n", "not require 'socket'" },
  { 'lua/sembed/init.lua', '\nlocal x = require(name)\n', '2: requires a computed name' },
  { 'recipes/a.lua', "local x = require 'sembed.ffi'\n", "not 'sembed.ffi'" },
  { 'recipes/a.lua', "local x = require 'ffi'\n", "requires 'ffi'" },
  { 'recipes/a.lua', "local x = require 'missing'\n", "not 'missing'" },
}

local sound = check(sound_tree())
assert(#sound == 0, 'self-test: complains about a sound tree: ' .. tostring(sound[1]))
for _, case in ipairs(planted) do
  local tree = sound_tree()
  tree[case[1]] = case[2]
  local found = check(tree)
  assert(#found == 1 and found[1]:find(case[1] .. ':', 1, true) and found[1]:find(case[3], 1, true),
    ('self-test: %s planted in %s gave: %s'):format(case[2], case[1], table.concat(found, '; ')))
end

-- --- the tree itself ---

local root = arg[1] or '.'
local files = {}
local list = 'cd "%s" && find core tokenizer lua/sembed recipes -type f'
local pipe = assert(io.popen(list:format(root)))
for path in pipe:lines() do
  local source = path:find '%.[ch]$' or path:find '%.lua$'
  files[path] = source and assert(io.open(root .. '/' .. path, 'rb')):read '*a' or ''
end
pipe:close()

local found, n = check(files)
for _, line in ipairs(found) do print(line) end
print(('%d files, %d planted violations found, %d in the tree'):format(n, #planted, #found))
if n == 0 then print('no source files under ' .. root) end
os.exit(#found == 0 and n > 0 and 0 or 1)
