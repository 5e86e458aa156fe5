-- For sembed -i FILE: what the recipe's own locals were when it ended, or when an error or Ctrl-C
-- stopped it; then also those of the frame that was stopped.

local evaluate = require 'sembed.repl.evaluate'
local tokens = require 'sembed.repl.tokens'

local seen = {}
local Seen = {}
Seen.__index = Seen

local REPORT = 'sembed_report_locals' -- a global of the recipe's while it runs
local MOST = 1000                     -- frames looked at

-- { values, names (of the recipe's locals), frame (locals, or nil), chunk (to be set) }
function seen.new()
  local self = setmetatable({}, Seen)
  rawset(_G, REPORT, function() self.values, self.names = evaluate.locals(2) end)
  return self
end

-- The recipe's text with a report wherever it ends: before each `return` outside of functions, and
-- at its end. Lines keep their numbers.
function Seen.source(_, text)
  local parts, at, open, inner, ended = {}, 1, {}, 0, false
  for _, token in ipairs(tokens.list(text)) do
    local step = tokens.depth(token, 0)
    if token.kind == 'word' and token.text == 'return' and inner == 0 then
      parts[#parts + 1] = text:sub(at, token.first - 1) .. REPORT .. '() '
      at, ended = token.first, ended or #open == 0
    elseif step > 0 then
      open[#open + 1] = token.text
      if token.text == 'function' then inner = inner + 1 end
    elseif step < 0 then
      if open[#open] == 'function' then inner = inner - 1 end
      open[#open] = nil
    end
  end
  parts[#parts + 1] = text:sub(at)
  if not ended then parts[#parts + 1] = '\n' .. REPORT .. '()' end
  return table.concat(parts)
end

-- The handler of the recipe's errors.
function Seen:explain(message)
  for level = 2, MOST do
    local info = debug.getinfo(level, 'f')
    if not info then break end
    if info.func == self.chunk then
      self.values, self.names = evaluate.locals(level)
      break
    end
  end
  local text
  text, self.frame = evaluate.explain(message, _G)
  return text
end

function Seen.close()
  rawset(_G, REPORT, nil)
end

return seen
