-- The curves of one run or of several: a list of { name, title, soft (each step stands behind the
-- mean), picture = function(options of plot, without (each step)) }.

local plot = require('sembed.plot').plot

local curves = {}

local NAN = 0 / 0
-- A mean is over a fiftieth of a short run, a two-hundredth of a long one; the shortest have none.
local PARTS, LONG_PARTS, SHORT, FEWEST = 50, 200, 20, 60
local WIDE = 50              -- a spread that wants a logarithmic axis

local TITLES = {
  loss = 'Loss', accuracy = 'Accuracy in the batch', rate = 'Learning rate',
  norm = 'Norm of the gradients', tokens_per_second = 'Tokens a second',
}
local ORDER = { 'loss', 'accuracy', 'rate', 'norm', 'tokens_per_second' }
local HIDDEN = { elapsed = true, tokens = true }

-- "Loss" for what is known, else the name itself.
function curves.title(name) return TITLES[name] or name:gsub('_', ' ') end

local function finite(v) return v == v and math.abs(v) ~= math.huge end

-- The mean of the last `width` finite numbers at each place.
function curves.smooth(list, width)
  local out, sum, count = {}, 0, 0
  for i = 1, #list do
    if finite(list[i]) then sum, count = sum + list[i], count + 1 end
    local gone = list[i - width]
    if gone and finite(gone) then sum, count = sum - gone, count - 1 end
    out[i] = count > 0 and finite(list[i]) and sum / count or NAN
  end
  return out
end

-- Over how many steps a run's curves are averaged; 1: they are not.
function curves.width(run)
  local n = #run.steps
  if n < FEWEST then return 1 end
  return math.min(math.floor(n / PARTS), math.max(SHORT, math.floor(n / LONG_PARTS)))
end

local function spread_of(lists)
  local least, most = math.huge, 0
  for _, list in pairs(lists) do
    for i = 1, #list do
      local v = list[i]
      if finite(v) then
        if v <= 0 then return 1 end
        least, most = math.min(least, v), math.max(most, v)
      end
    end
  end
  return most / least
end

-- soft: the name of the series that stands behind the others; a terminal has no place for it.
local function figure(name, title, series, x, soft, log)
  return { name = name, title = title, soft = soft ~= nil, picture = function(options, without)
    local all, shown = { x = x, title = title, log = log or nil }, {}
    for key, value in pairs(options or {}) do all[key] = value end
    for key, value in pairs(series) do
      if not (without and key == soft) then shown[key] = value end
    end
    return (plot(shown, all))
  end }
end

-- A value of the log: of one run each step and the mean, of several the means.
local function of_steps(runs, name)
  local series, x, soft = {}, {}, nil
  for _, run in ipairs(runs) do
    local list, width = run.values[name], curves.width(run)
    if list and #list > 0 then
      local key, mean = run.label, name ~= 'rate' and width > 1 and curves.smooth(list, width)
      if #runs == 1 then key = mean and 'each step' or curves.title(name):lower() end
      if #runs == 1 or not mean then series[key], x[key] = list, run.steps end
      if mean then
        if #runs == 1 then soft = key end
        key = soft and ('mean of %d steps'):format(width) or key
        series[key], x[key] = mean, run.steps
      end
    end
  end
  if next(series) == nil then return end
  return figure(name, curves.title(name), series, x, soft,
    name == 'norm' and spread_of(series) > WIDE)
end

local function of_evaluations(runs, name)
  local series, x = {}, {}
  for _, run in ipairs(runs) do
    local list, steps = {}, {}
    for _, e in ipairs(run.evaluations) do
      if e.values[name] then
        list[#list + 1], steps[#steps + 1] = e.values[name], e.step
      end
    end
    local key = #runs == 1 and name:gsub('_', ' ') or run.label
    if #list > 0 then series[key], x[key] = list, steps end
  end
  return figure('evaluation-' .. name, 'Evaluation: ' .. name:gsub('_', ' '), series, x)
end

-- The names of what was evaluated in any of the runs, sorted.
function curves.evaluated(runs)
  local seen, names = {}, {}
  for _, run in ipairs(runs) do
    for _, e in ipairs(run.evaluations) do
      for name in pairs(e.values) do
        if not seen[name] then seen[name], names[#names + 1] = true, name end
      end
    end
  end
  table.sort(names)
  return names
end

local function logged(runs)
  local seen, names, others = {}, {}, {}
  for _, name in ipairs(ORDER) do seen[name], names[#names + 1] = true, name end
  for _, run in ipairs(runs) do
    for _, name in ipairs(run.names) do
      if not seen[name] and not HIDDEN[name] then
        seen[name], others[#others + 1] = true, name
      end
    end
  end
  table.sort(others)
  for _, name in ipairs(others) do names[#names + 1] = name end
  return names
end

-- All figures: the loss, what was evaluated, then the rest of the log.
function curves.of(runs)
  local list, names = {}, logged(runs)
  list[1] = of_steps(runs, names[1])
  for _, name in ipairs(curves.evaluated(runs)) do
    list[#list + 1] = of_evaluations(runs, name)
  end
  for i = 2, #names do list[#list + 1] = of_steps(runs, names[i]) end
  return list
end

return curves
