-- The vectors of all tokens of some texts, special tokens included: what the last layer gives,
-- before pooling (sentence-transformers' output_value='token_embeddings').
--
--   local x, counts, names = se.vectors.tokens(model, texts, { batch = 64, length = 128 })
--
-- x: f32[tokens, hidden], counts: tokens of each text, names: each token as JSON text.

local json = require 'sembed.json'
local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local known = {} -- id -> JSON, for the last tokenizer
local of

local function name_of(tokenizer, id)
  if of ~= tokenizer then known, of = {}, tokenizer end
  local name = known[id]
  if not name then
    name = json.encode { tokenizer:token(id) or '' }
    name = name:sub(2, -2)
    known[id] = name
  end
  return name
end

return function(model, texts, options)
  local parts, counts, names, tokenizer = {}, {}, {}, model.tokenizer
  for first = 1, #texts, options.batch do
    local some = {}
    for i = first, math.min(first + options.batch - 1, #texts) do
      some[#some + 1] = (options.prompt or '') .. texts[i]
    end
    parts[#parts + 1] = tensor.scope('tokens', function()
      local packed = tokenizer:pack(some, options.length)
      local c = packed.arrays
      for i = 0, packed.count - 1 do counts[#counts + 1] = c.starts[i + 1] - c.starts[i] end
      for i = 0, packed.tokens - 1 do names[#names + 1] = name_of(tokenizer, c.ids[i]) end
      local x = tensor.keep(model(packed))
      tensor.eval(x)
      return x
    end)
  end
  local x = parts[1]
  if #parts > 1 then
    x = op.functions.concat(parts, 1)
    tensor.eval(x)
  end
  return x, counts, names
end
