-- Build tool: luajit lua/embed.lua OUTPUT.c SOURCE_DIR HEADER...
-- Writes one C file with the Lua library as bytecode (debug lines kept: stripped bytecode would
-- lose the places of errors), the recipes and the manual's pages as text, the cdef text collected
-- from the headers, and what the library's comments say (lua/sembed/help/).

local output, root = arg[1], arg[2]
assert(output and root, 'usage: luajit embed.lua OUTPUT.c SOURCE_DIR HEADER...')

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

local function list(command)
  local names = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do names[#names + 1] = line end
  pipe:close()
  return names
end

-- "tensor.lua" -> sembed.tensor, "init.lua" -> sembed
local function module_name(path)
  local name = path:gsub('%.lua$', ''):gsub('/', '.')
  return name == 'init' and 'sembed' or 'sembed.' .. name
end

-- The parts of the headers between the markers, without the visibility macro.
local function cdef(headers)
  local parts = {}
  for _, path in ipairs(headers) do
    local text = read(path)
    for part in text:gmatch('/%* sembed%-cdef%-begin %*/(.-)/%* sembed%-cdef%-end %*/') do
      parts[#parts + 1] = part:gsub('SE_API ', '')
    end
  end
  return (table.concat(parts, '\n'):gsub('/%*.-%*/', ''):gsub('\n%s*\n+', '\n'))
end

-- A value of plain tables, texts, numbers and booleans as Lua.
local function source(value)
  if type(value) ~= 'table' then
    return type(value) == 'string' and ('%q'):format(value) or tostring(value)
  end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = source(item) end
  local keys = {}
  for key in pairs(value) do
    if type(key) == 'string' then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    parts[#parts + 1] = ('[%q]=%s'):format(key, source(value[key]))
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

-- The ops of all.def by the files that define them, in the order of all.def. A definition is an
-- "se_op_NAME = {", or a macro of the file's own at the beginning of a line with the name first.
local function op_groups(folder)
  local file_of, groups, group_of = {}, {}, {}
  for _, path in ipairs(list(('find "%s" -name "*.c" | sort'):format(folder))) do
    local text = read(path)
    for name in text:gmatch 'se_op_([%l%d_]+) = {' do file_of[name] = path end
    for macro, name in text:gmatch '\n(%u[%u_]+)%(([%l%d_]+)[,)]' do
      if macro:sub(1, 3) ~= 'SE_' then file_of[name] = path end
    end
    local head = text:match '^/%* (.-)%s*%*/' or ''
    group_of[path] = { name = path:match '([^/]+)%.c$', ops = {},
      head = (head:gsub('\n %* ?', '\n')) }
  end
  for line in read(folder .. '/all.def'):gmatch '[^\n]+' do
    local path = line:find '^[%l%d_]+$' and file_of[line]
    if path then
      local group = group_of[path]
      if not group.ops[1] then groups[#groups + 1] = group end
      group.ops[#group.ops + 1] = line
    end
  end
  return groups
end

local files = {}
local function add(name, bytes) files[#files + 1] = { name = name, bytes = bytes } end

local library = root .. '/lua/sembed/'
local scan = dofile(library .. 'help/scan.lua')
local docs = { modules = {}, groups = op_groups(root .. '/core/ops') }
for _, path in ipairs(list(('find "%s" -name "*.lua" | sort'):format(library))) do
  local name = module_name(path:sub(#library + 1))
  -- A chunk name with "=" is how fail.lua knows sembed's own frames.
  local chunk = assert(loadstring(read(path), '=' .. name))
  add(name, string.dump(chunk))
  docs.modules[name] = scan.module(read(path))
end
add('docs', string.dump(assert(loadstring('return ' .. source(docs))), true))
for _, path in ipairs(list(('find "%s/lua/manual" -name "*.md" | sort'):format(root))) do
  add('manual/' .. path:match('([^/]+)$'), read(path))
end
for _, path in ipairs(list(('find "%s/recipes" -maxdepth 1 -name "*.lua" | sort'):format(root))) do
  add('recipes/' .. path:match('([^/]+)$'), read(path))
end
local headers = {}
for i = 3, #arg do headers[#headers + 1] = arg[i] end
add('cdef', cdef(headers))

local out = {
  '/* Written by lua/embed.lua; not to be edited. */\n#include <stddef.h>\n',
  'struct se_embedded { const char *name; const unsigned char *bytes; size_t n; };\n',
  'extern const struct se_embedded se_embedded[];\n',
}
for i, file in ipairs(files) do
  local bytes = file.bytes:gsub('.', function(c) return c:byte() .. ',' end)
  bytes = bytes:gsub(('%d+,'):rep(24), '%0\n')
  out[#out + 1] = ('static const unsigned char file_%d[] = {\n%s0};\n'):format(i, bytes)
end
out[#out + 1] = 'const struct se_embedded se_embedded[] = {\n'
for i, file in ipairs(files) do
  out[#out + 1] = ('    {"%s", file_%d, %d},\n'):format(file.name, i, #file.bytes)
end
out[#out + 1] = '    {NULL, NULL, 0}};\n'

local file = assert(io.open(output, 'wb'))
assert(file:write(table.concat(out)))
assert(file:close())
