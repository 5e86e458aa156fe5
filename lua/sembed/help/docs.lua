-- The words behind help and manual: the comments of the library (scan.lua) and the op table's
-- files, gathered when the program was built (lua/embed.lua); worked pages and recipes. With
-- SEMBED_LUA the comments and pages are those of that folder.

local host = require 'sembed.host'
local scan = require 'sembed.help.scan'

local docs = {}
local built -- { modules = what scan.module gives by name, groups = a list of { name, head, ops } }
local modules = {} -- those looked at, with by_line beside
local folder = os.getenv 'SEMBED_LUA'

local function read(path)
  local file = io.open(path, 'rb')
  if not file then return nil end
  local text = file:read '*a'
  file:close()
  return text
end

local function all()
  built = built or assert(loadstring(host.embedded 'docs', '=docs'))()
  return built
end

-- A module's head and entries by its name, 'sembed.train'; also by_line: an entry by its line. nil
-- where there is no such module.
function docs.module(name)
  if modules[name] then return modules[name] end
  local part = name == 'sembed' and 'sembed/init' or name:gsub('%.', '/')
  local text = folder and read(('%s/%s.lua'):format(folder, part))
  local found = text and scan.module(text) or all().modules[name]
  if not found then return nil end
  found.by_line = {}
  for _, entry in ipairs(found.entries) do found.by_line[entry.line] = entry end
  modules[name] = found
  return found
end

-- The entry of a function, by where it was defined: in the library, or in a file of the user's.
function docs.of(f)
  local info = debug.getinfo(f, 'S')
  local name = info.source:match '^=(sembed[%w_.]*)$'
  if name then
    local found = docs.module(name)
    return found and found.by_line[info.linedefined]
  end
  local text = info.source:sub(1, 1) == '@' and read(info.source:sub(2))
  for _, entry in ipairs(text and scan.module(text).entries or {}) do
    if entry.line == info.linedefined then return entry end
  end
end

-- The op table by the files of core/ops: { { name, head, ops = a list of names } ... }
function docs.groups() return all().groups end

local function names(pattern)
  local list = {}
  for _, name in ipairs(host.embedded()) do list[#list + 1] = name:match(pattern) end
  table.sort(list)
  return list
end

-- The names of the worked pages and of the recipes, sorted; their texts.
function docs.pages() return names '^manual/(.*)%.md$' end
function docs.recipes() return names '^recipes/(.*)%.lua$' end
function docs.page(name)
  local path = ('manual/%s.md'):format(name)
  return folder and read(('%s/%s'):format(folder, path)) or host.embedded(path)
end
function docs.recipe(name) return host.embedded(('recipes/%s.lua'):format(name)) end

-- What a recipe's head says, and the text of the table that it gives to se.config: its keys with
-- their defaults; '' where it takes none.
function docs.recipe_parts(name)
  local text = docs.recipe(name)
  return scan.head(text), text:match 'se%.config%s*(%b{})' or ''
end

return docs
