-- What one shard knows of the others. A graph describes one shard; a batch's rows are divided among
-- them. Shards are processes that a launcher started (mpirun -n 8 sembed recipe.lua); one process
-- alone is one shard, for which gather, sum and mean change nothing but the mark "varying".
--
-- What is the same on every shard already (vectors of an evaluation, say) is whole: gather, sum and
-- mean leave it as it is.

local core = require 'sembed.ffi'
local op = require 'sembed.op'

local f, C = op.functions, core.C
local shard = {
  count = tonumber(C.se_shard_count()), -- how many shards there are
}

local sum_box, text_box = core.new 'int64_t[1]', core.new 'char *[1]'
local failed_box, moved_box = core.new 'int32_t[1]', core.new 'se_shard_moved'

-- --- in recipes ---

-- The rows of all shards; the gradient goes back to the shard that each row came from.
function shard.gather(x) return x:is_varying() and f.shard_gather(x) or x end

-- The sum of x over all shards.
function shard.sum(x) return x:is_varying() and f.shard_sum(x) or x end

-- The mean of x over all shards.
function shard.mean(x) return x:is_varying() and f.shard_mean(x) or x end

-- This shard's number, from 0, as a tensor: one script may stand for all shards.
function shard.index() return (f.shard_index()) end

-- Where my rows stand in the gathered batch: i32[my rows].
function shard.rows(x) return (f.shard_rows(x)) end

-- What this shard has sent so far, in bytes, by what for: { gather = , reduce_scatter = , sum = ,
-- broadcast = , meet = }; with all (their sum), calls, and the seconds spent in them.
function shard.moved()
  C.se_shard_moved_read(moved_box)
  local moved, all = {}, 0
  for _, name in ipairs { 'gather', 'reduce_scatter', 'sum', 'broadcast', 'meet' } do
    moved[name] = tonumber(moved_box[name])
    all = all + moved[name]
  end
  moved.all, moved.calls, moved.seconds = all, tonumber(moved_box.calls), moved_box.seconds
  return moved
end

-- --- for the library: processes ---

-- The number of this process among those of the run, from 0.
function shard.process() return tonumber(C.se_shard_index()) end

-- Whether there are several processes, which divide the optimizer's state.
function shard.divides() return C.se_shard_many() end

local range_box = core.new 'int64_t[2]'

-- My rows of a batch: first (from 0) and the one behind the last.
function shard.range(rows)
  C.se_shard_rows(rows, C.se_shard_index(), C.se_shard_count(), range_box, range_box + 1)
  return tonumber(range_box[0]), tonumber(range_box[1])
end

-- All shards meet at one place of the library; `number` has to be the same on all. Gives the sum of
-- their `value`s.
function shard.meet(what, number, value)
  sum_box[0] = value or 0
  core.check(C.se_shard_meet(what, number or 0, sum_box))
  return tonumber(sum_box[0])
end

-- The text that f() gives on the first shard, where alone it is called, on every shard.
function shard.told(what, f_of_first)
  if not C.se_shard_many() then return f_of_first() end
  local mine = shard.process() == 0 and f_of_first() or ''
  core.check(C.se_shard_text(what, mine, text_box))
  local text = core.text(text_box[0])
  C.se_shard_text_free(text_box[0])
  return text
end

-- --- for the program ---

-- Joins the other processes, if a launcher started several. The first alone is heard.
function shard.start(force)
  core.check(C.se_shard_start(force))
  shard.count = tonumber(C.se_shard_count())
  if shard.process() > 0 then rawset(io, 'stderr', io.open('/dev/null', 'w')) end
  local binding = C.se_shard_binding()
  if binding ~= nil then io.stderr:write('sembed: ', core.text(binding), '\n') end
end

local over = false

-- Tells the other processes that this one failed. Gives what is to be told here, or nil: another
-- tells.
function shard.ending(text)
  over = true
  local count, here = shard.divides() and shard.count or 1, shard.process()
  local how = C.se_shard_end(text, failed_box)
  if how ~= C.SE_END_TELL then return nil end
  local alone = count > 1 and failed_box[0] < count and not C.se_shard_lost()
  return alone and text:gsub('^sembed: ', ('sembed: shard %d of %d: '):format(here, count)) or text
end

-- The end of the program: the status, which is that of a failure if another process failed.
function shard.finish(status)
  if not over then
    local how = C.se_shard_end(nil, failed_box)
    if how ~= C.SE_END_FINE then status = 1 end
    if how == C.SE_END_TELL then io.stderr:write('sembed: ', core.text(C.se_message()), '\n') end
  end
  C.se_shard_close()
  return status
end

return shard
