-- What a request says, checked: each function gives the value or refuses with a status and a
-- message for the client. A refusal is an error that holds a table; server:start catches it.

local json = require 'sembed.json'

local ask = {}
local Refusal = {}
ask.Refusal = Refusal

-- kind: TEI's error_type (validation, empty, tokenizer, backend); param: the member that is wrong.
function ask.refuse(status, message, param, kind)
  local refusal = { status = status, message = message, param = param, kind = kind }
  error(setmetatable(refusal, Refusal), 0)
end

function ask.is_refusal(value) return getmetatable(value) == Refusal end

local names = { string = 'a string', number = 'a number', boolean = 'true or false' }

local function kind_of(value)
  if value == nil or value == json.null then return 'null' end
  if type(value) == 'table' then return json.is_list(value) and 'a list' or 'an object' end
  return names[type(value)]
end

local function wrong(param, wanted, value)
  ask.refuse(422, ('%s: %s is wanted, not %s'):format(param, wanted, kind_of(value)), param)
end

-- The body as a Lua table.
function ask.body(request)
  local body, why = json.try(request.body, request.bytes, 'body')
  if why then ask.refuse(400, 'not JSON: ' .. why) end
  if kind_of(body) ~= 'an object' then
    ask.refuse(422, 'the body: an object is wanted, not ' .. kind_of(body))
  end
  return body
end

-- A member of a plain type; nil and null give the default.
function ask.member(body, name, kind, default)
  local value = body[name]
  if value == nil or value == json.null then return default end
  if type(value) ~= kind then wrong(name, names[kind], value) end
  return value
end

function ask.object(body, name)
  local value = body[name]
  if value == nil or value == json.null then return {} end
  if kind_of(value) ~= 'an object' then wrong(name, 'an object', value) end
  return value
end

function ask.whole(body, name, least, most)
  local value = ask.member(body, name, 'number')
  if value and (value % 1 ~= 0 or value < least or value > most) then
    ask.refuse(422, ('%s: a whole number from %d to %d is wanted'):format(name, least, most), name)
  end
  return value
end

-- A list that has something in it.
function ask.list(value, name)
  if kind_of(value) ~= 'a list' then wrong(name, 'a list', value) end
  if #value == 0 then ask.refuse(400, ('`%s` cannot be empty'):format(name), name, 'empty') end
  return value
end

local function check_ids(list, name, vocabulary)
  for _, id in ipairs(list) do
    if type(id) ~= 'number' then wrong(name, 'a list of token ids', id) end
    if id % 1 ~= 0 or id < 0 or id >= vocabulary then
      ask.refuse(422, ('%s: token ids are whole numbers from 0 to %d'):format(name,
        vocabulary - 1), name)
    end
  end
  return list
end

-- Token ids: [1, 2] or [[1, 2], [3]] -> lists of ids.
function ask.ids(value, name, vocabulary)
  ask.list(value, name)
  if type(value[1]) == 'number' then return { check_ids(value, name, vocabulary) } end
  for _, list in ipairs(value) do check_ids(ask.list(list, name), name, vocabulary) end
  return value
end

-- Texts: "a" or ["a", "b"] -> a list of strings. Where `vocabulary` is given, token ids may stand
-- in the place of texts -> nil and a list of lists.
function ask.texts(value, name, most, vocabulary)
  if type(value) == 'string' then return { value } end
  if kind_of(value) ~= 'a list' then wrong(name, 'a string or a list of strings', value) end
  ask.list(value, name)
  if #value > most then
    ask.refuse(413, ('%s: %d texts are more than the %d that one request may have'):format(name,
      #value, most), name)
  end
  if vocabulary and type(value[1]) ~= 'string' then
    local lists = ask.ids(value, name, vocabulary)
    return nil, lists
  end
  for i, text in ipairs(value) do
    if type(text) ~= 'string' then wrong(('%s[%d]'):format(name, i - 1), 'a string', text) end
  end
  return value
end

return ask
