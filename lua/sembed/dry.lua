-- se.train.dry: looks at a run before it costs anything. Shows the first batch as the model will
-- see it, shares of truncation and padding, and, from one small step, memory and time to expect.

local core = require 'sembed.ffi'
local progress = require 'sembed.progress'
local tensor = require 'sembed.tensor'

local C = core.C
local SHOWN, TRIED = 3, 128 -- pairs shown; pairs of the step that is tried

local function print_pairs(data, tokenizer, columns)
  for i = 1, SHOWN do
    print(('pair %d of the first batch'):format(i))
    for _, name in ipairs(data.columns) do
      local text = columns[name]
      local starts, ids = text.starts:totable(), tensor.read(text.ids)
      if i <= text.count then
        local n = starts[i + 1] - starts[i]
        print(('  %-9s %s  [%d tokens]'):format(name,
          tokenizer:decode(ids + starts[i], false, n), n))
      end
    end
  end
end

local function print_shares(data, columns)
  for _, name in ipairs(data.columns) do
    local s, text = data:stats(name), columns[name]
    print(('%s: %.1f tokens a text, longest %d, %.2f %% of the texts cut; padding to the batch\'s '
      .. 'longest would be %.0f %% of its tokens'):format(name, s.tokens / s.texts, s.longest,
      100 * s.truncated / s.texts, 100 * (1 - text.tokens / (text.count * text.longest))))
  end
end

-- step(batch) -> list of tensors that a training step computes.
local function try(data, cfg, n, step)
  local function once()
    return tensor.scope('dry', function()
      local columns, batch = data:draw(n), {}
      for i, name in ipairs(data.columns) do
        batch[name] = columns[name]:with_key(cfg.seed, 1, i - 1, 0)
      end
      local began = C.se_seconds()
      tensor.eval(step(batch))
      return tonumber(C.se_seconds() - began)
    end)
  end
  C.se_memory_peak_reset()
  local before = tonumber(C.se_memory_live())
  once() -- the first one also grows the arena
  local seconds = once()
  return seconds, tonumber(C.se_memory_peak()) - before, before
end

return function(data, cfg, tokenizer, step)
  local columns = data:draw(math.min(cfg.batch, data:count()))
  print_pairs(data, tokenizer, columns)
  print(('%d pairs, %.1f epochs'):format(data:count(), cfg.steps * cfg.batch / data:count()))
  print_shares(data, columns)
  -- Memory grows with what is encoded at once; in chunks, everything is encoded a second time.
  local chunk = rawget(cfg, 'chunk') or 0
  local chunked = chunk > 0 and chunk < cfg.batch
  local at_once = chunked and chunk or cfg.batch
  local n = math.min(at_once, TRIED)
  local seconds, extra, fixed = try(data, cfg, n, step)
  -- Time has a part that does not grow with the batch, the optimizer's: two sizes tell it apart.
  local half = math.max(1, math.floor(n / 2))
  local pair = n > half and math.max(0, seconds - try(data, cfg, half, step)) / (n - half)
    or seconds / n
  local each = math.max(0, seconds - n * pair) + cfg.batch * pair * (chunked and 4 / 3 or 1)
  print(('about %.1f GB of memory and %s for %d steps (from a step of %d pairs)'):format(
    (fixed + extra * math.max(1, at_once / n)) / 1e9, progress.clock(each * cfg.steps), cfg.steps,
    n))
end
