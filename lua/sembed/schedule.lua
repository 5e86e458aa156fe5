-- Learning rates as functions of the step, counted from 1. Step t uses the rate at s = t - 1, as
-- the training that sembed reproduces did: with a warm-up, step 1 has rate 0.
--
-- cfg: lr (the highest rate), steps, warmup (steps from 0 to lr; 0 for none).

local fail = require 'sembed.fail'

local schedule = {}

local function with_warmup(name, cfg, after)
  local lr, warmup = cfg.lr, rawget(cfg, 'warmup') or 0
  fail.unless(type(lr) == 'number', 'schedule.%s: lr is missing', name)
  fail.unless(warmup >= 0, 'schedule.%s: warmup is %s', name, warmup)
  return function(step)
    local s = step - 1
    if s < warmup then return lr * s / warmup end
    return after(s, warmup, lr)
  end
end

local function steps_of(name, cfg)
  return fail.unless(type(cfg.steps) == 'number' and cfg.steps,
    'schedule.%s: steps is missing', name)
end

-- 0 -> lr over the warm-up, then in a straight line to 0 at the last step.
function schedule.warmup_linear(cfg)
  local steps = steps_of('warmup_linear', cfg)
  return with_warmup('warmup_linear', cfg, function(s, warmup, lr)
    return lr * math.max(0, steps - s) / math.max(1, steps - warmup)
  end)
end

-- 0 -> lr over the warm-up, then lr.
function schedule.constant(cfg)
  return with_warmup('constant', cfg, function(_, _, lr) return lr end)
end

-- Half a cosine from lr to cfg.least (0 if there is none) at the last step.
function schedule.cosine(cfg)
  local steps, least = steps_of('cosine', cfg), rawget(cfg, 'least') or 0
  return with_warmup('cosine', cfg, function(s, warmup, lr)
    local part = math.min(1, (s - warmup) / math.max(1, steps - warmup))
    return least + (lr - least) * 0.5 * (1 + math.cos(math.pi * part))
  end)
end

return schedule
