-- What the losses share: options, arguments, and texts that are equal.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'

local options = {}

-- A loss's options with their defaults. Unknown keys are refused, but for se.config's tables, which
-- hold a whole run's options.
function options.read(name, cfg, defaults)
  cfg = cfg or {}
  fail.unless(type(cfg) == 'table', 'loss.%s: a table of options is wanted: %s came', name,
    fail.kind(cfg))
  local known, read = {}, {}
  for key, value in pairs(defaults) do
    known[#known + 1] = key
    read[key] = rawget(cfg, key)
    if read[key] == nil then read[key] = value end
  end
  for key in pairs(getmetatable(cfg) and {} or cfg) do
    if defaults[key] == nil then
      fail.raise('loss.%s: %s', name, fail.unknown('option', tostring(key), known))
    end
  end
  return read
end

-- What a loss was called with: the list of tensors, and the table behind them (empty if there is
-- none). least: how many tensors there must be.
function options.arguments(name, least, ...)
  local tensors, extra = {}, {}
  local n = select('#', ...)
  for i = 1, n do
    local value = select(i, ...)
    if i == n and type(value) == 'table' then
      extra = value
    else
      fail.unless(core.is_tensor(value), 'loss.%s: argument %d is no tensor but a %s', name, i,
        fail.kind(value))
      tensors[#tensors + 1] = value
    end
  end
  fail.unless(#tensors >= least, 'loss.%s: %d tensors are wanted at least: %d came', name, least,
    #tensors)
  return tensors, extra
end

-- The tensors alone, for losses in which each row stands for itself: equal texts, which the table
-- may tell of, change nothing there.
function options.tensors(name, least, ...)
  local tensors, extra = options.arguments(name, least, ...)
  return tensors, extra.same
end

-- Every vector argument: f32 (my rows, dims), all of one shape.
function options.check_vectors(name, vectors)
  local first = vectors[1]:shape()
  for i, v in ipairs(vectors) do
    local dims = v:shape()
    if #dims ~= 2 or dims[1] ~= first[1] or dims[2] ~= first[2] then
      fail.raise('loss.%s: vectors (rows, dims) of one shape are wanted: argument 1 is {%s}, '
        .. 'argument %d is {%s}', name, table.concat(first, ', '), i, table.concat(dims, ', '))
    end
  end
end

-- Labels: one number for each of `rows` rows, or `columns` of them.
function options.check_labels(name, labels, rows, columns)
  local dims = labels:shape()
  local right = dims[1] == rows and dims[2] == columns and #dims == (columns and 2 or 1)
  if right then return labels end
  return fail.raise('loss.%s: labels of shape {%d%s} are wanted: {%s} came', name, rows,
    columns and ', ' .. columns or '', table.concat(dims, ', '))
end

-- { same = { numbers of the first text's texts, of the second's, ... } } for texts that were drawn
-- with duplicates = 'mask'; nil for others. The in-batch losses take it behind the vectors;
-- se.train.cached puts it there by itself.
function options.same(...)
  local list = {}
  for i = 1, select('#', ...) do list[i] = select(i, ...).same end
  if #list > 0 and #list == select('#', ...) then return { same = list } end
end

return options
