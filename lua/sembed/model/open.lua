-- se.model.open 'FOLDER': the model of a folder, by the model_type in its config.json.

local fail = require 'sembed.fail'
local folder_io = require 'sembed.model.folder'
local run = require 'sembed.run'

local known = {
  bert = function() return require 'sembed.model.bert' end,
  mpnet = function() return require 'sembed.model.mpnet' end,
}

return function(asked)
  local path = run.path(asked)
  local name, where = folder_io.model_type(path)
  if not known[name] then
    fail.raise('%s: model_type is %s; bert and mpnet are known', where,
      type(name) == 'string' and '"' .. name .. '"' or 'not there')
  end
  local model = known[name]()(path)
  model.name = asked:match '^hf:[^/]+/([^@]+)' or model.name
  return model
end
