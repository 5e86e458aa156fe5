-- One side of bench/encode_peers.py, which asks for a pass over the texts, again and again, and
-- takes turns with other libraries:
--
--   sembed bench/encode.lua model=DIR texts=FILE.jsonl singles=FILE.jsonl [batch=32]
--
-- Reads commands from stdin, a line each, and answers with a line: "batch" encodes all texts and
-- answers seconds; "single" encodes the singles one by one and answers the median in milliseconds;
-- "sgemm" answers GFLOP/s of a product of 2048 x 3072 x 768 in the same precision=.
local se = require 'sembed'

local cfg = se.config { model = '', texts = '', singles = '', batch = 32 }
local model = se.model.open(cfg.model)

local function read(path)
  local list = {}
  for line in se.data.lines(path) do list[#list + 1] = se.json.parse(line) end
  return list
end
local texts, singles = read(cfg.texts), read(cfg.singles)

local function timed(f)
  local start = se.seconds()
  f()
  return se.seconds() - start
end

local answers = {
  batch = function()
    return timed(function() model:encode(texts, { batch = cfg.batch }) end)
  end,
  single = function()
    local times = {}
    for i, text in ipairs(singles) do
      times[i] = 1e3 * timed(function() model:encode { text } end)
    end
    table.sort(times)
    return times[math.floor((#times + 1) / 2)]
  end,
  sgemm = function() return se.gemm_rate(2048, 3072, 768, 0.5, cfg.precision) end,
}

io.stdout:setvbuf 'no'
print(('ready %s %d threads'):format(se.isa(), se.threads()))
for command in io.lines() do
  print(('%.9g'):format(answers[command]()))
end
