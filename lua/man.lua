-- Build tool: luajit lua/man.lua TEMPLATE OUTPUT VERSION RECIPE...
-- Fills the man page's template: @VERSION@, and for @RECIPES@ each recipe with the comment that it
-- begins with, so that the page says what the recipes say.

local template, output, version = arg[1], arg[2], arg[3]
assert(version, 'usage: luajit man.lua TEMPLATE OUTPUT VERSION RECIPE...')

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end

-- What roff would take for its own: backslashes, and a dot or quote that begins a line.
local function escape(text)
  return (text:gsub('\\', '\\e'):gsub('%-', '\\-'):gsub('^([.\'])', '\\&%1'))
end

-- The recipe's head: comment lines up to the first line that is none.
local function head(path)
  local lines = {}
  for line in read(path):gmatch '(.-)\n' do
    local text = line:match '^%-%- ?(.*)$'
    if not text then
      if #lines > 0 or not line:match '^#!' and line ~= '' then break end
    else
      lines[#lines + 1] = text
    end
  end
  return lines
end

local recipes = {}
for i = 4, #arg do
  local name = arg[i]:match '([^/]+)%.lua$'
  recipes[#recipes + 1] = '.TP\n.B ' .. escape(name) .. '\n.nf'
  for _, line in ipairs(head(arg[i])) do
    recipes[#recipes + 1] = line == '' and '.sp' or escape(line)
  end
  recipes[#recipes + 1] = '.fi'
end

local fills = { VERSION = version, RECIPES = table.concat(recipes, '\n') }
local text = read(template):gsub('@(%u+)@', fills)
local file = assert(io.open(output, 'wb'))
assert(file:write(text))
assert(file:close())
