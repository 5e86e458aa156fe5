-- Build tool: luajit lua/embed.lua OUTPUT.c SOURCE_DIR HEADER...
-- Writes one C file with the Lua library as bytecode (debug lines kept: stripped bytecode would
-- lose the places of errors), the recipes as text, and the cdef text collected from the headers.

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

local files = {}
local function add(name, bytes) files[#files + 1] = { name = name, bytes = bytes } end

local library = root .. '/lua/sembed/'
for _, path in ipairs(list(('find "%s" -name "*.lua" | sort'):format(library))) do
  local name = module_name(path:sub(#library + 1))
  -- A chunk name with "=" is how fail.lua knows sembed's own frames.
  local chunk = assert(loadstring(read(path), '=' .. name))
  add(name, string.dump(chunk))
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
