-- Numbers and facts of runs in words, for the page as for the terminal.

local clean = require 'sembed.plot.clean'
local json = require 'sembed.json'
local progress = require 'sembed.progress'

local words = {}

-- 1234567 -> "1,234,567"
function words.thousands(n)
  local text = ('%.0f'):format(n)
  repeat
    local changed
    text, changed = text:gsub('^(%-?%d+)(%d%d%d)', '%1,%2')
  until changed == 0
  return text
end

-- Four digits that count; whole numbers as they are.
function words.number(v)
  if v == nil then return '–' end
  if v ~= v then return 'nan' end
  if v % 1 == 0 and math.abs(v) < 1e15 then return words.thousands(v) end
  return ('%.4g'):format(v)
end

-- A value of a config, whatever it is.
function words.value(v)
  if v == nil then return '–' end
  if type(v) == 'string' then return v == '' and '(empty)' or clean(v) end
  if type(v) == 'number' and (v % 1 ~= 0 or math.abs(v) >= 1e15) then return ('%.10g'):format(v) end
  if type(v) == 'number' then return ('%.0f'):format(v) end
  return type(v) == 'table' and v ~= json.null and clean(json.encode(v)) or tostring(v)
end

function words.seconds(s) return s and s > 0 and progress.clock(s) or '–' end

-- The last finite number of a list.
local function last(list)
  for i = #(list or {}), 1, -1 do
    if list[i] == list[i] then return list[i] end
  end
end

-- The middle of the finite numbers of a list: a step that was disturbed changes nothing.
local function middle(list)
  local all = {}
  for _, v in ipairs(list or {}) do
    if v == v and math.abs(v) ~= math.huge then all[#all + 1] = v end
  end
  table.sort(all)
  return all[math.ceil(#all / 2)]
end

-- "finished", "stopped by an error", "unfinished", and what a page calls them.
function words.state(run)
  if run.failure then return ('went wrong in step %d'):format(run.failure.step), 'bad' end
  if run.finished then return 'finished', 'good' end
  if not run.of then return ('step %s'):format(words.thousands(run.last)), 'open' end
  return ('unfinished, %.0f %% done'):format(100 * run.last / run.of), 'open'
end

-- What to know first about a run: { { name, value, remark } }.
function words.facts(run)
  local curves = require 'sembed.report.curves'
  local list, width = {}, curves.width(run)
  local function add(name, value, remark)
    list[#list + 1] = { name = name, value = value, remark = remark or '' }
  end
  add('steps', words.thousands(run.last), run.of and 'of ' .. words.thousands(run.of))
  local loss = run.values.loss
  if loss then
    add('loss', words.number(last(width > 1 and curves.smooth(loss, width) or loss)),
      width > 1 and ('mean of the last %d steps'):format(width) or 'of the last step')
  end
  for _, name in ipairs(curves.evaluated { run }) do
    local first, final
    for _, e in ipairs(run.evaluations) do
      if e.values[name] then
        first, final = first or e, e
      end
    end
    add('evaluation: ' .. name:gsub('_', ' '), words.number(final.values[name]), first ~= final
      and ('%s after step %s'):format(words.number(first.values[name]),
        words.thousands(first.step)) or '')
  end
  local rate = middle(run.values.tokens_per_second)
  if rate then add('tokens a second', words.thousands(rate), 'the middle of all steps') end
  if run.elapsed > 0 then add('time', words.seconds(run.elapsed), '') end
  return list
end

-- The line that started it, or with `on` the one that goes on; nil where it is not known.
function words.command(run, on)
  if type(run.command) ~= 'string' then return end
  return (clean(run.command:gsub(' resume=auto', '') .. (on and ' resume=auto' or '')))
end

return words
