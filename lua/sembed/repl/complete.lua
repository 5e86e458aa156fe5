-- What could stand at the cursor: names of the session, fields and methods of what stands before
-- a dot or colon, arguments of an op, keys of se.config, files within quotes; and how a call looks.

local core = require 'sembed.ffi'
local near = require 'sembed.repl.near'
local op = require 'sembed.op'
local signature = require 'sembed.signature'
local tokens = require 'sembed.repl.tokens'
local host = require 'sembed.host'

local complete = {}

local words = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch '%a+' do words[#words + 1] = word end

-- The result: one of `words` may stand from byte `from` (those before it stay) up to the cursor;
-- tail[word] follows if it is the only one; `call` is a text to be shown instead.
local function result(part, cursor, names, tail)
  local fitting = {}
  for _, name in ipairs(names) do
    local hidden = name:sub(1, 1) == '_' and part:sub(1, 1) ~= '_'
    if name:sub(1, #part) == part and not hidden then fitting[#fitting + 1] = name end
  end
  table.sort(fitting)
  return { from = cursor - #part, words = fitting, tail = tail or {} }
end

-- --- what stands before ---

local function is_sign(token, text) return token and token.kind == 'sign' and token.text == text end

local function is_separator(token) return is_sign(token, '.') or is_sign(token, ':') end

-- The names with dots that end at token i, as a path: "se.softmax"; and the token before them. An
-- expression in front of the path, as in f(x).y, gives no path.
local function path_at(list, i)
  if not list[i] or list[i].kind ~= 'name' then return nil end
  local path, first = list[i].text, i
  while is_separator(list[first - 1]) do
    local before = list[first - 2]
    if not before or before.kind ~= 'name' then return nil, path:match '[%w_]+$' end
    path, first = before.text .. list[first - 1].text .. path, first - 2
  end
  return path
end

-- The innermost bracket that is open at the end: its token's number, and the number of the bracket
-- around it.
local function open_bracket(list)
  local open = {}
  for i, token in ipairs(list) do
    local step = tokens.bracket_depth(token, 0)
    if step > 0 then open[#open + 1] = i end
    if step < 0 then open[#open] = nil end
  end
  return open[#open], open[#open - 1]
end

-- --- calls ---

local function parameters(f, is_method)
  local info, list = debug.getinfo(f, 'u'), {}
  for i = is_method and 2 or 1, info.nparams do list[#list + 1] = debug.getlocal(f, i) or '?' end
  if info.isvararg then list[#list + 1] = '...' end
  return table.concat(list, ', ')
end

-- The op that a call of `path` applies, or nil: se.softmax(, x:softmax(, f(x):softmax(
local function op_of(path, last, env)
  local name = last or path:match '[%w_]+$'
  if last or not op.specs[name] then return op.specs[name] end
  local before = path:match '^(.*)[.:][%w_]+$'
  local holder = before and near.follow(before, function(key) return env[key] end)
  if holder == rawget(package.loaded, 'sembed') or core.is_tensor(holder) then
    return op.specs[name]
  end
end

local function call_text(path, last, env)
  local spec = (path or last) and op_of(path, last, env)
  if spec then return signature.call(spec.name, op.signature_of(spec)) .. '\n' .. spec.doc end
  local f = path and near.follow(path, function(key) return env[key] end)
  if type(f) ~= 'function' then return end
  if debug.getinfo(f, 'S').what == 'C' then return path .. '(...)' end
  return ('%s(%s)'):format(path, parameters(f, path:find ':[%w_]+$'))
end

-- Names that may stand as keys of the table that is open: those of an op's arguments, of se.config.
local function option_names(list, env)
  local brace, around = open_bracket(list)
  if not is_sign(list[brace], '{') then return end
  local last = list[#list]
  if last.kind == 'name' then last = list[#list - 1] end
  if not (is_sign(last, '{') or is_sign(last, ',') or is_sign(last, ';')) then return end
  local path, final = path_at(list, brace - 1)
  if is_sign(list[brace - 1], '(') or is_sign(list[brace - 1], ',') then
    if not is_sign(list[around], '(') then return end
    path, final = path_at(list, around - 1)
  end
  if not path and not final then return end
  local names = {}
  if path and path:match 'config$' then
    for key in pairs(require('sembed.config').engine) do names[#names + 1] = key end
    return names
  end
  local spec = op_of(path, final, env)
  if not spec then return end
  for _, attr in ipairs(op.signature_of(spec).attrs) do names[#names + 1] = attr.name end
  for _, tensor in ipairs(op.signature_of(spec).tensors) do
    if tensor.optional then names[#names + 1] = tensor.name end
  end
  return names
end

-- --- names ---

-- Without calling or loading anything: se.train is not loaded because of its name.
local function member_of(value, name)
  if type(value) ~= 'table' then return value[name] end
  local found, meta = rawget(value, name), getmetatable(value)
  local index = type(meta) == 'table' and rawget(meta, '__index')
  if found == nil and type(index) == 'table' then return member_of(index, name) end
  return found
end

local function members(value, part, cursor)
  local names, tail = {}, {}
  for _, name in ipairs(near.keys(value)) do
    if name:match '^[%a_][%w_]*$' then
      names[#names + 1] = name
      local ok, member = pcall(member_of, value, name)
      if ok and type(member) == 'function' then tail[name] = '(' end
    end
  end
  return result(part, cursor, names, tail)
end

-- Behind a dot or colon: the members of what stands before; of an expression, a tensor's.
local function behind_separator(list, i, part, cursor, env)
  local before = list[i - 1]
  if not before then return result(part, cursor, {}) end
  local inner = is_sign(before, ')') and is_sign(list[i - 3], '(') and list[i - 2] or before
  if inner.kind == 'text' then return members('', part, cursor) end
  local path = path_at(list, i - 1)
  if path then
    local value = near.follow(path, function(key) return env[key] end)
    if value == nil then return result(part, cursor, {}) end
    return members(value, part, cursor)
  end
  local names, tail = {}, {}
  for name in pairs(require('sembed.tensor').methods) do
    names[#names + 1], tail[name] = name, '('
  end
  return result(part, cursor, names, tail)
end

local function globals(list, part, cursor, env)
  local options, tail = option_names(list, env), {}
  if options then
    for _, name in ipairs(options) do tail[name] = ' = ' end
    return result(part, cursor, options, tail)
  end
  local found = members(env, part, cursor)
  for _, word in ipairs(words) do
    if part ~= '' and word:sub(1, #part) == part then found.words[#found.words + 1] = word end
  end
  table.sort(found.words)
  return found
end

-- --- files and modules ---

local function files(part, cursor, quote)
  local folder, name = part:match '^(.*/)([^/]*)$'
  if not folder then folder, name = '', part end
  local names, tail = {}, {}
  for _, entry in ipairs(host.list(folder == '' and '.' or folder)) do
    if entry ~= './' and entry ~= '../' and (entry:sub(1, 1) ~= '.' or name:sub(1, 1) == '.') then
      names[#names + 1] = entry
      if entry:sub(-1) ~= '/' then tail[entry] = quote end
    end
  end
  local found = result('', cursor - #name, {}, tail)
  for _, entry in ipairs(names) do
    if entry:sub(1, #name) == name then found.words[#found.words + 1] = entry end
  end
  table.sort(found.words)
  return found
end

local function modules(part, cursor, quote)
  local names, tail = {}, {}
  for name in pairs(package.loaded) do
    names[#names + 1], tail[name] = name, quote
  end
  return result(part, cursor, names, tail)
end

local function in_quotes(list, cursor, env)
  local last, before = list[#list], list[#list - 1]
  local quote, part = last.text:match '^(["\'])(.*)$'
  if not quote then return result('', cursor, {}) end
  if is_sign(before, '(') then before = list[#list - 2] end
  local called = before and before.kind == 'name' and env[before.text]
  if called and (called == env.reload or called == _G.require) then
    return modules(part, cursor, quote)
  end
  return files(part, cursor, quote)
end

-- What `?` knows: paths as they are written, and the last part of each.
local function topics(part, cursor)
  local names, seen = {}, {}
  for _, entry in ipairs(require('sembed.help.index').all()) do
    for _, name in ipairs { entry.path, entry.name } do
      if not seen[name] then
        seen[name], names[#names + 1] = true, name
      end
    end
  end
  return result(part, cursor, names)
end

-- For the text before the cursor; see result().
function complete.at(before, env)
  local cursor = #before
  if before:match '^%s*!' then return files(before:match '[^%s!]*$', cursor, ' ') end
  if before:match '^%s*%?' then return topics(before:match '[%w_.:]*$', cursor) end
  local list = tokens.list(before)
  local last = list[#list]
  if last and last.kind == 'open' then return in_quotes(list, cursor, env) end
  local typed = last and last.last == cursor and (last.kind == 'name' or last.kind == 'word')
  local part, i = typed and last.text or '', typed and #list - 1 or #list
  if is_separator(list[i]) then return behind_separator(list, i, part, cursor, env) end
  if not typed then
    local bracket = open_bracket(list)
    if bracket and is_sign(list[bracket], '(') then
      local path, final = path_at(list, bracket - 1)
      local call = call_text(path, final, env)
      if call then return { call = call } end
    end
  end
  return globals(list, part, cursor, env)
end

return complete
