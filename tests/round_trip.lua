-- For check_sentence_transformers.py: opens each model folder that DIR/cases.json lists, writes the
-- vectors of its texts to DIR/NAME.json and saves the model in DIR/NAME.saved.
--
--   sembed tests/round_trip.lua DIR
local se = require 'sembed'

local dir = ...
local job = se.json.load(dir .. '/cases.json')
for _, name in ipairs(job.names) do
  local model = se.model.open(('%s/%s'):format(dir, name))
  local vectors = {
    plain = model:encode(job.texts):totable(),
    short = model:encode(job.texts, { dims = 4, normalize = true }):totable(),
    prompt = model:encode(job.texts, { prompt = 'passage: ' }):totable(),
  }
  se.files.write(('%s/%s.json'):format(dir, name), se.json.encode(vectors))
  model:save(('%s/%s.saved'):format(dir, name))
end
