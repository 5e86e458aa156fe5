-- Everything that can be asked for: an entry for each op, module, function, method, recipe and page
-- that a person can reach, found by walking through `se` itself, with the words of docs.lua.
--
--   entry.kind    'prompt', 'module', 'op', 'recipe', 'page', 'group', 'function' or 'method'
--   entry.path    how it is written: se.train.steps, Pairs:count, encode; entry.name: its last part
--   entry.args    '(data, cfg, parts)', '' where it is not called; entry.doc: text, '' for none
--   entry.parts   of a module or group: its entries, in order

local docs = require 'sembed.help.docs'
local op = require 'sembed.op'
local signature = require 'sembed.signature'

local index = {}

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    if type(key) == 'string' then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

-- The first sentence of a doc on one line, within `room` letters.
function index.brief(doc, room)
  local text = doc:gsub('\n%s*\n.*$', ''):gsub('%s+', ' ')
  text = (text:match '^(.-%.) ' or text):gsub('[.:]$', '')
  if #text > room then text = text:sub(1, room - 3):gsub('%s%S*$', '') .. '...' end
  return text
end

local function last_part(path) return path:match '([%w_]+)$' end

local function add(list, kind, path, args, doc)
  local entry = { kind = kind, path = path, name = last_part(path), args = args or '',
    doc = doc or '' }
  list[#list + 1] = entry
  return entry
end

-- --- ops ---

-- Ops are looked up anew each time: one made at the prompt is there as well.
local function op_entry(name)
  local spec = op.specs[name]
  local call = signature.call('', op.signature_of(spec))
  if spec.outs then call = call .. ' -> ' .. spec.outs:gsub(' ', ', ') end
  return { kind = 'op', path = 'se.' .. name, name = name, args = call, doc = spec.doc }
end

-- Groups of ops: those of core/ops by their files, then those made or loaded since.
function index.groups()
  local list, placed = {}, {}
  for _, group in ipairs(docs.groups()) do
    local entry = add({}, 'group', 'ops/' .. group.name, '', group.head)
    entry.parts = {}
    for _, name in ipairs(group.ops) do
      if op.specs[name] and not op.specs[name].place then
        entry.parts[#entry.parts + 1], placed[name] = op_entry(name), true
      end
    end
    if entry.parts[1] then list[#list + 1] = entry end
  end
  local rest = add({}, 'group', 'ops/others', '', 'Ops that this session made or loaded.')
  rest.parts = {}
  for _, name in ipairs(op.names) do
    if not placed[name] then rest.parts[#rest.parts + 1] = op_entry(name) end
  end
  if rest.parts[1] then list[#list + 1] = rest end
  return list
end

-- --- modules ---

-- The methods of the classes in a module's file: functions with a colon, metamethods aside.
local function add_methods(parts, module)
  for _, e in ipairs(module and module.entries or {}) do
    if e.dot == ':' and e.owner ~= module.returned and not e.name:find '^__' then
      add(parts, 'method', e.owner .. ':' .. e.name, e.args, e.doc)
    end
  end
end

local function module_names()
  local names = {}
  for name, value in pairs(package.loaded) do
    if name:find '^sembed' then names[value] = name end
  end
  return names
end

-- What a file says of a member of its module by name, for values that are no function of it.
local function named_entry(module, key)
  for _, e in ipairs(module and module.entries or {}) do
    if e.name == key and e.owner == (module.returned or e.owner) then return e end
  end
end

-- What tensor.lua says: methods stand there under the name `methods`.
local function tensor_file()
  local module = docs.module 'sembed.tensor'
  module.returned = 'methods'
  return module
end

-- What is said of a tensor's method, which checks its first argument and hands on.
local function method_entry(key)
  local raw = require('sembed.tensor')[key]
  return named_entry(tensor_file(), key) or (type(raw) == 'function' and docs.of(raw)) or nil
end

-- An entry's words, and those of the module that it hands on to.
local function with_module(e)
  local module = e.on and docs.module(e.on)
  return module and e.doc .. '\n\n' .. module.head or e.doc
end

local walk

local function add_member(list, parts, path, key, value, module, seen)
  local kind = type(value)
  local full = path .. '.' .. key
  local e = kind == 'function' and docs.of(value) or nil
  if not e or e.doc == '' then
    e = named_entry(module, key) or method_entry(key) or e
  end
  if kind == 'function' and not module_names()[value] then
    -- The prompt has those of the session as names of its own.
    local typed = path == 'se.session' and key ~= 'open' and key or full
    return add(parts, typed == key and 'prompt' or 'function', typed, e and e.args or '(...)',
      e and with_module(e))
  end
  if kind == 'function' or module_names()[value] then return walk(list, full, value, seen) end
  if e and e.doc ~= '' then add(parts, 'function', full, '', e.doc) end
end

-- A module, or a table that loads its members when they are first asked for.
function walk(list, path, value, seen)
  if seen[value] then return end
  seen[value] = true
  local name = module_names()[value]
  local module = name and docs.module(name)
  local within = not name and named_entry(docs.module 'sembed', last_part(path))
  local entry = add(list, 'module', path, '', module and module.head or within and within.doc)
  entry.parts, entry.module = {}, name
  if type(value) == 'function' then
    local e = docs.of(value)
    entry.args = e and e.args or '(...)'
    local head = entry.doc == '' and '' or entry.doc .. '\n\n'
    if e then entry.doc = head .. e.doc end
  else
    local meta = getmetatable(value)
    local loaders = meta and type(meta) == 'table' and rawget(meta, 'loaders') or {}
    local keys = {}
    for key in pairs(loaders) do keys[key] = true end
    for key in pairs(value) do keys[key] = true end
    for _, key in ipairs(sorted_keys(keys)) do
      local member = value[key]
      if loaders[key] or module_names()[member] then
        local before = #list
        walk(list, path .. '.' .. key, member, seen)
        entry.parts[#entry.parts + 1] = list[before + 1]
      elseif not op.functions[key] or member ~= op.functions[key] then
        add_member(list, entry.parts, path, key, member, module, seen)
      end
    end
  end
  add_methods(entry.parts, module)
end

-- Methods of a table of functions, as those of tensors and of models.
local function methods_of(owner, head, methods, module)
  local entry = add({}, 'module', owner, '', head)
  entry.parts = {}
  for _, key in ipairs(sorted_keys(methods)) do
    local value = methods[key]
    if type(value) == 'function' and not key:find '^__' and value ~= op.functions[key] then
      local e = docs.of(value)
      if not e or e.doc == '' then
        e = named_entry(module, key) or method_entry(key) or e
      end
      local args = e and e.args:gsub('^%([%w_]+,? ?', '(') or '(...)'
      add(entry.parts, 'method', ('%s:%s'):format(owner, key), args, e and e.doc)
    end
  end
  return entry
end

local function tensor_methods()
  return methods_of('tensor', 'Methods of tensors. Every op whose first argument is a tensor is a '
    .. 'method as well: x:softmax().', require('sembed.tensor').methods, tensor_file())
end

local function model_methods()
  local encoder = require 'sembed.model.encoder'
  return methods_of('model', docs.module('sembed.model.encoder').head, encoder.class(),
    docs.module 'sembed.model.encoder')
end

-- --- all of it ---

local modules -- found once: they do not change

-- Modules in the order of their paths: `se` first; then the methods of tensors and of models.
function index.modules()
  if modules then return modules end
  modules = {}
  walk(modules, 'se', require 'sembed', {})
  for _, entry in ipairs { tensor_methods(), model_methods() } do modules[#modules + 1] = entry end
  return modules
end

function index.recipes()
  local list = {}
  for _, name in ipairs(docs.recipes()) do
    local head, keys = docs.recipe_parts(name)
    add(list, 'recipe', name, '', head).keys = keys
  end
  return list
end

function index.pages()
  local list = {}
  for _, name in ipairs(docs.pages()) do add(list, 'page', name, '', docs.page(name)) end
  return list
end

-- All entries as one list.
function index.all()
  local list = {}
  local function take(entries)
    for _, entry in ipairs(entries) do
      list[#list + 1] = entry
      for _, part in ipairs(entry.parts or {}) do
        if part.kind ~= 'module' then list[#list + 1] = part end
      end
    end
  end
  for _, entries in ipairs { index.modules(), index.groups(), index.recipes(), index.pages() } do
    take(entries)
  end
  return list
end

return index
