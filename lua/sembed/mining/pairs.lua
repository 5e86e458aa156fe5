-- A file of pairs for mining: for a, list in se.search.pairs(path, a_key, b_key) do ... end
--
-- A line is [a, b, ...] or an object with a_key and b_key, or, where these are '', with one of the
-- pairs of keys below. list: the texts that belong to a; b may be one text or several.

local fail = require 'sembed.fail'
local json = require 'sembed.json'
local lines = require 'sembed.data.lines'

local KNOWN = { { 'query', 'pos' }, { 'anchor', 'positive' }, { 'context', 'response' } }

local function both(v, keys)
  if type(v) ~= 'table' then return end
  if v[1] ~= nil then return v[1], v[2] end
  for _, key in ipairs(keys) do
    if v[key[1]] ~= nil and v[key[2]] ~= nil then return v[key[1]], v[key[2]] end
  end
end

return function(path, a_key, b_key)
  local keys, next_line = a_key ~= '' and { { a_key, b_key } } or KNOWN, lines(path)
  return function()
    local line, number = next_line()
    if not line then return nil end
    local where = ('%s:%d'):format(path, number)
    local a, b = both(json.parse(line, where), keys)
    local list = type(b) == 'table' and b or { b }
    for i = 0, math.max(#list, 1) do
      if type(i == 0 and a or list[i]) ~= 'string' then
        fail.raise('%s: a pair of texts is wanted: [a, b], or an object with the keys a= and b=',
          where)
      end
    end
    return a, list
  end
end
