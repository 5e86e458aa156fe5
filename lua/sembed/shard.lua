-- What one shard knows of the others. A graph describes one shard; a batch's rows are divided among
-- them. On one shard gather, sum and mean change nothing but the mark "varying".

local op = require 'sembed.op'
local tensor = require 'sembed.tensor'

local f = op.functions
local shard = {
  count = 1, -- how many shards there are
}

-- The rows of all shards; the gradient goes back to the shard that each row came from.
function shard.gather(x) return (f.shard_gather(x)) end

-- The sum of x over all shards.
function shard.sum(x) return (f.shard_sum(x)) end

-- The mean of x over all shards.
function shard.mean(x) return (f.shard_mean(x)) end

-- This shard's number, from 0, as a tensor: one script may stand for all shards.
function shard.index()
  return (tensor.vary(tensor.make({ 0 }, 'i32'), 1):squeeze(1))
end

-- Where my rows stand in the gathered batch: i32[my rows].
function shard.rows(x)
  local rows = {}
  for i = 1, x:size(1) do rows[i] = i - 1 end
  local t = tensor.make(rows, 'i32')
  if x:is_varying() then tensor.vary(t, x:global_rows()) end
  return t
end

return shard
