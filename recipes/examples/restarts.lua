-- A schedule: half a cosine from cfg.lr to 0 within cfg.cycle steps, then again from cfg.lr, each
-- time twice as long (warm restarts, Loshchilov and Hutter 2017, arXiv:1608.03983). In
-- recipes/reddit_mpnet.lua, with cycle = 100 among the options:
--
--   local rate = require 'restarts' (cfg)

return function(cfg)
  return function(step) -- steps count from 1
    local at, length = step - 1, cfg.cycle
    while at >= length do at, length = at - length, 2 * length end
    return cfg.lr * (1 + math.cos(math.pi * at / length)) / 2
  end
end
