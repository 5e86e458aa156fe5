-- What this run of the program is: which recipe, with which words and keys. Filled by program.lua.

local run = {
  file = nil,    -- the recipe's path or name; nil at the prompt and for -e
  folder = '.',  -- where the recipe lies (an absolute path): paths in it are relative to this
  source = '',   -- its text, saved with every checkpoint
  words = {},    -- words from the shell, in order
  keys = {},     -- key=value from the shell: strings
  order = {},    -- the keys in the order given
  called = 'sembed',  -- how the shell called the program: build/sembed, say
  command = 'sembed',
  program = '',  -- the program's own path
}

-- Prints the recipe's manual, for `sembed NAME --help`: the comment at its head, and the keys that
-- every recipe knows. A recipe that cannot do without keys calls it where none came.
function run.print_manual()
  local lines = {}
  for line in (run.source:gsub('^#[^\n]*\n', '') .. '\n'):gmatch '(.-)\n' do
    local text = line:match '^%-%- ?(.*)$'
    if not text then break end
    lines[#lines + 1] = text
  end
  if not lines[1] then lines[1] = (run.file or 'this recipe') .. ' has no comment at its head.' end
  lines[#lines + 1] = '\nEvery recipe: threads=N memory=8G seed=N profile=true device=cpu '
    .. 'precision=f32|bf16|int8'
  io.write(table.concat(lines, '\n'), '\n')
  run.configured = true -- whatever keys came
end

local function from_shell(path)
  for _, value in pairs(run.keys) do
    local list = ',' .. value .. ','
    for _, names in ipairs { list, (list:gsub('%+', ',')) } do
      if names:find(',' .. path .. ',', 1, true) or names:find('=' .. path .. ',', 1, true) then
        return true
      end
    end
  end
  for _, word in ipairs(run.words) do
    if word == path then return true end
  end
end

-- A path to read: relative to the current folder if it or a folder above it came from the shell (as
-- a key's value, or in a list with commas, NAME=PATH and LEFT+RIGHT too), else to the recipe.
-- hf:ORG/NAME is fetched (hub.lua).
function run.path(path)
  if path:sub(1, 3) == 'hf:' then return (require('sembed.hub').folder(path)) end
  if path:sub(1, 1) == '/' or run.folder == '.' then return path end
  local part = path
  while part do
    if from_shell(part) then return path end
    part = part:match '^(.*)/[^/]*$'
  end
  return run.folder .. '/' .. path
end

local function quoted(text)
  if text:match '^[%w_@%%+=:,./-]+$' then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The line to type to run this again with some keys changed; changes: { key = value } in any order.
function run.line(changes)
  local parts, left = { run.command }, {}
  for _, word in ipairs(run.words) do parts[#parts + 1] = quoted(word) end
  for key, value in pairs(changes or {}) do left[key] = tostring(value) end
  for _, key in ipairs(run.order) do
    parts[#parts + 1] = key .. '=' .. quoted(left[key] or run.keys[key])
    left[key] = nil
  end
  local rest = {}
  for key in pairs(left) do rest[#rest + 1] = key end
  table.sort(rest)
  for _, key in ipairs(rest) do parts[#parts + 1] = key .. '=' .. quoted(left[key]) end
  return table.concat(parts, ' ')
end

return run
