-- The keys of `sembed encode` -> what model:encode and the other parts of the job take:
-- batch, length, prompt, normalize, dims as model:encode has them; strict; width: numbers of a row.

local fail = require 'sembed.fail'

local switches = { ['true'] = true, ['1'] = true, ['false'] = false, ['0'] = false }

-- What stands before each text: prompt=, also an empty one; prompt_name=; else the folder's own.
local function prompt_of(model, cfg, given)
  if cfg.prompt_name == '' then
    return given.prompt and cfg.prompt or model.prompts[model.default_prompt or '']
  end
  if given.prompt then fail.raise 'prompt= and prompt_name= are both given: one is enough' end
  return (model:prompt(cfg.prompt_name))
end

local function count(key, value)
  fail.unless(value >= 0 and value % 1 == 0, '%s=%s: a count is wanted', key, tostring(value))
  return value
end

return function(model, cfg, given)
  local width = model.dims
  local dims = count('dims', cfg.dims)
  if dims > width then fail.raise('dims=%d: the vectors have %d numbers', dims, width) end
  if cfg.tokens and (dims > 0 or cfg.normalize ~= '') then
    fail.raise('tokens=true: dims= and normalize= are for vectors of whole texts')
  end
  local normalize = switches[cfg.normalize]
  if normalize == nil and cfg.normalize ~= '' then
    fail.raise('normalize=%s: true or false is wanted', cfg.normalize)
  end
  local length = count('length', cfg.length)
  fail.unless(count('batch', cfg.batch) > 0, 'batch=0: at least 1 is wanted')
  return {
    batch = cfg.batch, length = length > 0 and length or model.length, normalize = normalize,
    prompt = prompt_of(model, cfg, given), dims = dims > 0 and dims or nil, strict = cfg.strict,
    width = cfg.tokens and model.config.hidden_size or dims > 0 and dims or width,
  }
end
