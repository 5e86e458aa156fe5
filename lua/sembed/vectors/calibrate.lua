-- The ranges that int8 and uint8 need, from the vectors of some texts; kept in OUT.ranges.npy, so
-- that queries can be stored in the same steps (ranges=OUT.ranges.npy).

local fail = require 'sembed.fail'
local files = require 'sembed.files'
local npy = require 'sembed.npy'
local progress = require 'sembed.progress'
local quantize = require 'sembed.quantize'
local tokens = require 'sembed.vectors.tokens'

local AT_ONCE = 1024

local function add(ranges, model, list, options, cfg)
  ranges:add((cfg.tokens and tokens(model, list, options) or model:encode(list, options)))
  progress.on_terminal('calibrating: %d vectors', ranges.rows)
end

local function all(model, texts, options, cfg)
  local ranges, list = quantize.ranges(options.width), {}
  for text in texts do
    list[#list + 1] = text
    if #list == AT_ONCE then
      add(ranges, model, list, options, cfg)
      list = {}
    end
  end
  if #list > 0 then add(ranges, model, list, options, cfg) end
  if ranges.rows < 2 then
    fail.raise('calibrate: %d vectors: at least 2 are wanted', ranges.rows)
  end
  progress.clear()
  return ranges
end

-- cfg: out, resume, tokens.
return function(model, texts, options, cfg)
  local path = cfg.out .. '.ranges.npy'
  if cfg.resume == 'auto' and files.exists(cfg.out .. '.part.json') and files.exists(path) then
    return (quantize.load_ranges(path, options.width))
  end
  local ranges = all(model, texts, options, cfg)
  if cfg.out ~= '-' then
    files.write(path, npy.head('<f4', 2, options.width) .. ranges:bytes())
  end
  return ranges
end
