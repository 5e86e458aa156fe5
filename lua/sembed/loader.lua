-- require 'sembed.x': the first thing that main.c runs. SEMBED_LUA=DIR takes DIR/sembed/x.lua,
-- else the bytecode embedded in the program.

local host = package.preload['sembed.host'] and require 'sembed.host'
local folder = os.getenv 'SEMBED_LUA'

local function from_folder(name)
  local part = name == 'sembed' and 'sembed/init' or name:gsub('%.', '/')
  local path = ('%s/%s.lua'):format(folder, part)
  local file = io.open(path, 'rb')
  if not file then return ('\n\tno file "%s" (SEMBED_LUA)'):format(path) end
  local text = file:read('*a')
  file:close()
  return assert(loadstring(text, '=' .. name))
end

local function search(name)
  if name ~= 'sembed' and name:sub(1, 7) ~= 'sembed.' then return end
  if folder then return from_folder(name) end
  local bytes = host.embedded(name)
  if not bytes then return ('\n\tno embedded module "%s"'):format(name) end
  return assert(loadstring(bytes, '=' .. name))
end

table.insert(package.loaders, 2, search)
