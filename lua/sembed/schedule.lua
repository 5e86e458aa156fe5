-- Learning rates as functions of the step, counted from 1. Step t uses the rate at s = t - 1, as
-- the training that sembed reproduces did: with a warm-up, step 1 has rate 0.
--
-- cfg: lr (the highest rate), steps, warmup (steps from 0 to lr; 0 for none), least (the rate at
-- the end; 0 if there is none).

local fail = require 'sembed.fail'

local schedule = {}

local function number(name, cfg, key, default)
  local value = rawget(cfg, key)
  if value == nil then value = default end
  fail.unless(type(value) == 'number', 'schedule.%s: %s', name,
    value == nil and key .. ' is missing' or ('%s is no number but a %s'):format(key, type(value)))
  return value
end

-- after: the rate at s >= warmup, as a function of s.
local function with_warmup(name, cfg, after)
  local lr, warmup = number(name, cfg, 'lr'), number(name, cfg, 'warmup', 0)
  fail.unless(warmup >= 0, 'schedule.%s: warmup is %s', name, warmup)
  return function(step)
    local s = step - 1
    if s < warmup then return lr * s / warmup end
    return after(s, warmup, lr)
  end
end

-- 0 -> lr over the warm-up, then in a straight line to least at the last step.
function schedule.linear(cfg)
  local steps, least = number('linear', cfg, 'steps'), number('linear', cfg, 'least', 0)
  return with_warmup('linear', cfg, function(s, warmup, lr)
    return least + (lr - least) * math.max(0, steps - s) / math.max(1, steps - warmup)
  end)
end

-- The same as linear, by the name that it has elsewhere.
function schedule.warmup_linear(cfg) return (schedule.linear(cfg)) end

-- 0 -> lr over the warm-up, then lr.
function schedule.constant(cfg)
  return with_warmup('constant', cfg, function(_, _, lr) return lr end)
end

-- Where a part of all cycles, from 0 to 1, is in its own cycle; each is `growth` times as long as
-- the one before.
local function within_cycle(part, cycles, growth)
  if part >= 1 then return 1 end
  if growth == 1 then return (part * cycles) % 1 end
  local length = (1 - growth) / (1 - growth ^ cycles)
  for _ = 2, cycles do
    if part < length then break end
    part, length = part - length, length * growth
  end
  return math.min(1, part / length)
end

-- 0 -> lr over the warm-up, then half a cosine from lr to least at the last step. cfg.cycles: as
-- many such halves, each of which begins at lr again (1); cfg.growth: each lasts so many times as
-- long as the one before (1). Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with
-- Warm Restarts".
function schedule.cosine(cfg)
  local steps, least = number('cosine', cfg, 'steps'), number('cosine', cfg, 'least', 0)
  local cycles, growth = number('cosine', cfg, 'cycles', 1), number('cosine', cfg, 'growth', 1)
  fail.unless(cycles >= 1 and cycles % 1 == 0, 'schedule.cosine: cycles is %s: a count is wanted',
    cycles)
  fail.unless(growth > 0, 'schedule.cosine: growth is %s: a number above 0 is wanted', growth)
  return with_warmup('cosine', cfg, function(s, warmup, lr)
    local part = math.min(1, (s - warmup) / math.max(1, steps - warmup))
    local at = within_cycle(part, cycles, growth)
    return least + (lr - least) * 0.5 * (1 + math.cos(math.pi * at))
  end)
end

return schedule
