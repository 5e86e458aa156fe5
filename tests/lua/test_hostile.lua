-- Model folders that lie, miss parts or bomb: an error that names the file, or a model that works.
local se = require 'sembed'
local check = require 'check'

local PARTS = { 'config.json', 'modules.json', 'sentence_bert_config.json', 'tokenizer.json',
  'config_sentence_transformers.json', 'tokenizer_config.json', 'special_tokens_map.json',
  'vocab.txt', 'model.safetensors', '1_Pooling/config.json' }

local folder = check.folder()
assert(os.execute(('mkdir %s/1_Pooling'):format(folder)) == 0)
local whole = {}
for _, name in ipairs(PARTS) do whole[name] = check.read(check.data 'tiny-mpnet/' .. name) end
local function put(name, text) check.write(folder .. '/' .. name, text) end
for _, name in ipairs(PARTS) do put(name, whole[name]) end

-- Opens the folder and encodes a text: true and the vector, or false and a message that names a
-- place in the folder.
local function try(what)
  local ok, vector = pcall(function()
    local v = se.model.open(folder):encode { 'A small test.' }
    return (v:bytes())
  end)
  if ok then return true, vector end
  local message = tostring(vector)
  check.ok(message:find(folder, 1, true), '%s: the message names no file: %s', what, message)
  check.ok(not message:find('sembed%.[%w_.]+:%d+:'), '%s: an error inside the library: %s', what,
    message)
  check.ok(#message < 1000, '%s: a message of %d bytes', what, #message)
  return false, message
end

local ok, vector = try 'the whole folder'
check.ok(ok, 'the whole folder: %s', vector)

-- --- each part missing ---

-- What there is in its place; the others are needed.
local defaults = {
  ['modules.json'] = 'a Transformer, mean pooling',
  ['sentence_bert_config.json'] = 'as many tokens as there are positions',
  ['config_sentence_transformers.json'] = 'no prompts',
  ['tokenizer.json'] = 'vocab.txt', ['vocab.txt'] = 'tokenizer.json',
  ['tokenizer_config.json'] = 'what tokenizer.json says',
  ['special_tokens_map.json'] = 'what tokenizer.json says',
  ['1_Pooling/config.json'] = 'mean pooling',
}

for _, name in ipairs(PARTS) do
  os.remove(folder .. '/' .. name)
  local loads, message = try(name .. ' is missing')
  if not defaults[name] then
    check.ok(not loads and message:find(name, 1, true), '%s is missing: %s', name,
      loads and 'it loads' or message)
  end
  put(name, whole[name])
end
os.remove(folder .. '/tokenizer.json')
os.remove(folder .. '/vocab.txt')
check.ok(not try 'neither tokenizer.json nor vocab.txt', 'no tokenizer at all')
put('tokenizer.json', whole['tokenizer.json'])
put('vocab.txt', whole['vocab.txt'])

-- --- JSON bombs ---

local function nested(open, inner, close, n) return open:rep(n) .. inner .. close:rep(n) end
local bombs = {
  ['nothing'] = '', ['a 0 byte'] = '\0', ['another value'] = '7', ['a list'] = '[]',
  ['an empty object'] = '{}', ['null'] = 'null', ['a text'] = '"{}"', ['not UTF-8'] = '{"\255": 1}',
  ['deep lists'] = nested('[', '', ']', 1000000),
  ['deep objects'] = nested('{"a":', '1', '}', 300000), ['deep and open'] = ('['):rep(1000000),
  ['lists in a key'] = '{"x": ' .. nested('[', '', ']', 100000) .. '}',
  ['a number of a million digits'] = '{"vocab_size": ' .. ('9'):rep(1000000) .. '}',
  ['an infinite number'] = '{"hidden_size": 1e999}', ['NaN'] = '{"hidden_size": NaN}',
  ['the same key twice'] = '{"a": 1, "a": 2}', ['a long text'] = '"' .. ('x'):rep(3000000) .. '"',
  ['many keys'] = (function()
    local keys = {}
    for i = 1, 50000 do keys[i] = ('"k%d": []'):format(i) end
    return '{' .. table.concat(keys, ',') .. '}'
  end)(),
  ['a lone surrogate'] = '{"a": "\\ud800"}', ['a key with a 0 byte'] = '{"a\\u0000b": 1}',
}
for _, name in ipairs(PARTS) do
  if name:match '%.json$' then
    for what, text in pairs(bombs) do
      put(name, text)
      local loads, message = try(name .. ': ' .. what)
      check.ok(loads or message:find('json', 1, true), '%s: %s: %s', name, what, message)
    end
    local text = whole[name]
    for i = 1, 40 do -- cut, and bytes changed, always at the same places
      put(name, text:sub(1, math.floor(#text * i / 41)))
      try(('%s cut to %d/41'):format(name, i))
      local at = 1 + (i * 7919) % #text
      put(name, text:sub(1, at - 1) .. string.char((i * 37) % 256) .. text:sub(at + 1))
      try(('%s with another byte %d'):format(name, at))
    end
    put(name, text)
  end
end

-- --- numbers and kinds in config.json ---

for key in whole['config.json']:gmatch '"([%w_]+)":' do
  for _, value in ipairs { '-1', '0', '1', '0.5', '1e300', '2147483648', '9007199254740993',
    '-9223372036854775808', 'null', 'true', '"a"', '[]', '{}' } do
    local old = '"' .. key .. '":%s*[^,\n}]+'
    put('config.json', (whole['config.json']:gsub(old, ('"%s": %s'):format(key, value))))
    try(('config.json: %s = %s'):format(key, value))
  end
end
put('config.json', whole['config.json'])

-- --- damaged weights and words ---

for i = 1, 60 do
  local text = whole['model.safetensors']
  local at = i <= 30 and 1 + (i * 7919) % 20000 or i - 30
  put('model.safetensors', text:sub(1, at - 1) .. string.char((i * 37) % 256) .. text:sub(at + 1))
  try(('model.safetensors with another byte %d'):format(at))
  put('model.safetensors', text:sub(1, math.floor(#text * i / 61)))
  ok = try(('model.safetensors cut to %d/61'):format(i))
  check.ok(not ok, 'a file that is cut off does not load')
end
put('model.safetensors', whole['model.safetensors'])

local again, same = try 'the whole folder again'
check.ok(again and same == vector, 'the whole folder again')

check.done()
