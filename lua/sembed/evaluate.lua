-- How good vectors are at finding their own partner.

local tensor = require 'sembed.tensor'

local evaluate = {}

-- 1-of-N accuracy (PolyAI's conversational-datasets): in blocks of `block` pairs (100), in order,
-- each context ranks the block's responses; it is right when its own response ranks first.
-- a, b: unit vectors (n, dims). Returns the share of right ones and how many pairs counted: pairs
-- beyond the last whole block do not, unless there is none.
function evaluate.one_of(a, b, block)
  block = block or 100
  local n = #a
  local used = n >= block and n - n % block or n
  local right = 0
  for first = 1, used, block do
    local last = math.min(first + block - 1, used)
    right = right + tensor.scope('one_of', function()
      local scores = a:rows(first, last):matmul(b:rows(first, last):t())
      local own, found = {}, scores:argmax(2)
      for i = 1, last - first + 1 do own[i] = i - 1 end
      return found:equal(tensor.make(own, 'i32')):sum():item()
    end)
  end
  return used > 0 and right / used or 0, used
end

return evaluate
