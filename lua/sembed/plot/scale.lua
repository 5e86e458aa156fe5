-- Axes: from numbers to places between 0 and 1, with ticks at round numbers.
--
-- An axis is { lo, hi, ticks = { values }, labels = { texts }, at = function(value) -> 0..1 }.
-- Steps between ticks are 1, 2, 2.5 or 5 times a power of ten.

local scale = {}

local ROUND = { 1, 2, 2.5, 5 }
scale.MOST = 1e300 -- numbers beyond are as good as infinite: differences of two must not overflow

function scale.finite(v) return v >= -scale.MOST and v <= scale.MOST end

-- The k-th multiple of a step. Divided by a whole power of ten, 3 steps of 0.1 are 0.3.
local function multiple(step, k)
  if step.power < 0 and step.power > -300 then return step.factor * k / 10 ^ -step.power end
  return step.factor * k * 10 ^ step.power
end

local function make_step(factor, power)
  local step = { factor = factor, power = power }
  step.size = multiple(step, 1)
  return step
end

-- The least round step that is not below `size`, and the next larger one.
local function step_above(size)
  local power = math.floor(math.log10(size))
  for _, factor in ipairs(ROUND) do
    local step = make_step(factor, power)
    if step.size >= size * (1 - 1e-9) then return step end
  end
  return make_step(1, power + 1)
end

-- For at most so many steps from lo to hi, whole numbers if asked.
local function step_for(lo, hi, most, whole)
  local step = step_above(math.max((hi - lo) / math.max(most, 1), whole and 1 or 0))
  return whole and step.size == 2.5 and make_step(5, 0) or step
end

-- Numbers that are all equal, or too near to each other for steps between them, get room around.
function scale.room(lo, hi)
  local most = math.max(math.abs(lo), math.abs(hi))
  if hi - lo > math.max(most * 1e-12, 1e-290) then return lo, hi end
  if most < 1e-280 then return -1, 1 end
  local middle = lo / 2 + hi / 2
  return middle - math.abs(middle) / 10, middle + math.abs(middle) / 10
end

local function trimmed(text)
  local mantissa, sign, power = text:match '^(.-)e([+-])0*(%d+)$'
  if mantissa:find('.', 1, true) then mantissa = mantissa:gsub('0+$', ''):gsub('%.$', '') end
  return mantissa .. 'e' .. (sign == '-' and '-' or '') .. power
end

-- Multiples of a step as text, all with the same decimals; very large and small ones with exponent.
function scale.labels(values, step)
  local most = 0
  for _, v in ipairs(values) do most = math.max(most, math.abs(v)) end
  local decimals, labels = -step.power + (step.factor == 2.5 and 1 or 0), {}
  local long = most > 0 and (most < 1e-3 or most >= 1e6 and step.size >= most / 1e4)
  if long then decimals = decimals + math.floor(math.log10(most) + 1e-9) end
  decimals = math.min(math.max(decimals, 0), 17)
  for i, v in ipairs(values) do
    if long and v ~= 0 then
      labels[i] = trimmed(('%.' .. decimals .. 'e'):format(v))
    else
      labels[i] = long and '0' or ('%.' .. decimals .. 'f'):format(v)
    end
  end
  return labels
end

local function linear(lo, hi, step, first, last)
  local ticks = {}
  for k = first, last do ticks[#ticks + 1] = k == 0 and 0 or multiple(step, k) end -- no -0
  local span = hi - lo
  return {
    lo = lo, hi = hi, ticks = ticks, labels = scale.labels(ticks, step), step = step,
    at = function(v) return (v - lo) / span end,
  }
end

-- From lo to hi as they are, with at most so many ticks within.
function scale.within(lo, hi, most, whole)
  lo, hi = scale.room(lo, hi)
  local step = step_for(lo, hi, most, whole)
  local first, last = math.ceil(lo / step.size - 1e-9), math.floor(hi / step.size + 1e-9)
  return linear(lo, hi, step, first, last)
end

-- From the round number below lo to the one above hi.
function scale.around(lo, hi, most, whole)
  lo, hi = scale.room(lo, hi)
  local step = step_for(lo, hi, most, whole)
  local first, last = math.floor(lo / step.size + 1e-9), math.ceil(hi / step.size - 1e-9)
  return linear(multiple(step, first), multiple(step, last), step, first, last)
end

-- The same for rows of text, at most so many: each tick is at the middle of a row. Among the round
-- steps the one is taken that fills the most rows with data. The axis has `rows` beside the rest.
function scale.rows(lo, hi, rows)
  lo, hi = scale.room(lo, hi)
  local best, best_score
  local step = step_above((hi - lo) / math.max(rows - 1, 1))
  for _ = 1, 8 do
    local first, last = math.floor(lo / step.size + 1e-9), math.ceil(hi / step.size - 1e-9)
    local steps = last - first
    local each = math.floor((rows - 1) / steps)
    -- Two rows or more from tick to tick are easy to read, one is not.
    local score = (hi - lo) / (steps * step.size) * (each * steps + 1) / rows
    if each == 1 then score = score / 2 end
    if each >= 1 and (not best or score > best_score + 1e-9) then
      best, best_score = { step, first, last, each * steps + 1 }, score
    end
    if steps == 1 then break end
    step = step_above(step.size * 1.01)
  end
  local axis
  if best then
    step = best[1]
    axis = linear(multiple(step, best[2]), multiple(step, best[3]), step, best[2], best[3])
    axis.rows = best[4]
  else
    axis = scale.within(lo, hi, 2)
    axis.rows = rows
  end
  return axis
end

local function decades(low, high, most)
  local each = math.max(1, math.ceil((high - low) / most))
  high = low + math.ceil((high - low) / each) * each
  local ticks, labels = {}, {}
  for power = low, high, each do
    ticks[#ticks + 1] = 10 ^ power
    local plain = power >= -3 and power <= 4
    labels[#labels + 1] = plain and ('%%.%df'):format(math.max(0, -power)):format(10 ^ power)
      or ('1e%d'):format(power)
  end
  return ticks, labels, high
end

-- By the logarithm, for numbers above 0: whole decades, or 1, 2, 5, or what is round within less.
-- For rows of text each decade is at the middle of a row.
function scale.log(lo, hi, most, rows)
  lo, hi = math.max(lo, 1e-290), math.max(hi, 1e-290)
  if lo == hi then lo, hi = lo / 2, hi * 2 end
  local low, high = math.log10(lo), math.log10(hi)
  local axis
  if high - low >= 2 then
    low, high = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    axis = {}
    axis.ticks, axis.labels, high = decades(low, high, most)
    axis.lo, axis.hi = 10 ^ low, 10 ^ high
    local steps = #axis.ticks - 1
    axis.rows = rows and math.floor((rows - 1) / steps) * steps + 1
    if axis.rows == 1 then axis.rows = rows end
  else
    local even = scale.within(lo, hi, most)
    axis = { lo = lo, hi = hi, ticks = even.ticks, labels = even.labels }
    local ticks, labels = {}, {}
    for power = math.floor(low), math.floor(high) do
      for _, factor in ipairs { 1, 2, 5 } do
        local v = factor * 10 ^ power
        if v >= lo * (1 - 1e-9) and v <= hi * (1 + 1e-9) then
          ticks[#ticks + 1], labels[#labels + 1] = v, ('%.4g'):format(v)
        end
      end
    end
    if #ticks >= 3 and #ticks <= most + 1 then axis.ticks, axis.labels = ticks, labels end
  end
  axis.at = function(v) return (math.log10(v) - low) / (high - low) end
  return axis
end

-- Bins for a histogram of n numbers: their width is the round number nearest to what Sturges's rule
-- asks for (H. A. Sturges 1926, "The choice of a class interval": 1 + log2 n classes), and a whole
-- one, 1 or more, for whole numbers. Gives the edges, one more than there are bins.
function scale.bins(lo, hi, n, whole)
  if not whole then lo, hi = scale.room(lo, hi) end
  local size = math.max(hi - lo, whole and 1 or 0) / (1 + math.log(n) / math.log(2))
  local step = step_above(math.max(size / 1.5, whole and 1 or 0))
  if whole and step.size == 2.5 then step = make_step(2, 0) end
  local first, last = math.floor(lo / step.size + 1e-9), math.ceil(hi / step.size - 1e-9)
  if whole then last = math.floor(hi / step.size) + 1 end
  return linear(multiple(step, first), multiple(step, last), step, first, last).ticks, step
end

return scale
