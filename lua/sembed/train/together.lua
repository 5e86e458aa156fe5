-- What the processes of a run do together at a step's edges: they make sure that they drew the same
-- batch, and count what they sent. On one process nothing of it costs anything.

local core = require 'sembed.ffi'
local checkpoint = require 'sembed.checkpoint'
local shard = require 'sembed.shard'

local C = core.C
local together = {}

-- A number for the pairs of a batch.
local function number_of(drawn)
  local number = 0
  for i = 0, drawn and drawn.n - 1 or -1 do
    number = (number * 31 + tonumber(drawn.pair[i]) + 7 * drawn.file[i]) % 2147483647
  end
  return number
end

-- The tokens of all shards' rows; an error where the shards drew different pairs.
function together.tokens(step, drawn, tokens)
  if not shard.divides() then return tokens end
  return shard.meet('the batch of step ' .. step, number_of(drawn), tokens)
end

-- Bytes that this process has sent since the last call; nil where there is one process.
function together.sent(self)
  if not shard.divides() then return nil end
  local before, now = self.sent or 0, shard.moved().all
  self.sent = now
  return now - before
end

-- All start from the same parameters, or the run does not start: each made or read its own.
function together.check(params)
  if not shard.divides() then return end
  for i, p in ipairs(params or {}) do
    local bytes, number = p:bytes(), 0
    for at = 1, #bytes, math.max(4, math.floor(#bytes / 4096) * 4) do
      local a, b, c, d = bytes:byte(at, at + 3)
      number = (number * 31 + a + 256 * b + 65536 * c + 16777216 * d) % 4294967291
    end
    shard.meet(('parameter %s as it is before the training'):format(params.names
      and params.names[i] or i), number)
  end
end

-- The message of an error with what stands of the run, where a process was lost.
function together.what_stands(message, out)
  if not (C.se_shard_lost() and out) then return message end
  return ('%s\n%s; to go on:\n  %s'):format(tostring(message), checkpoint.what_stands(out))
end

return together
