-- A step's value and gradients, as se.train.cached (train.lua) gives them: all texts at once, or in
-- chunks (cached.lua).

local fail = require 'sembed.fail'
local split_arguments = require 'sembed.train.arguments'
local tensor = require 'sembed.tensor'

return function(encode, loss, options)
  fail.unless(options and options.params, 'train.cached: { params = ... } is missing')
  local known = {}
  return function(...)
    local texts, apply = split_arguments(loss, ...)
    local vectors = {}
    local cached = require 'sembed.cached'
    if not cached.whole(options, texts) then
      return cached.run(encode, apply, options, known, texts)
    end
    for i, text in ipairs(texts) do vectors[i] = encode(text) end
    local value, seen = apply(vectors)
    return value, tensor.grad(value, options.params), seen or {}
  end
end
