-- se.model.open 'FOLDER': the model of a folder, by the model_type in its config.json.
-- se.model.open(FOLDER, { layers = 4 }): with so many of its layers, spread evenly, or with those
-- of a list of numbers from 1: a smaller model to train.

local fail = require 'sembed.fail'
local folder_io = require 'sembed.model.folder'
local run = require 'sembed.run'

local known = {
  bert = function() return require 'sembed.model.bert' end,
  mpnet = function() return require 'sembed.model.mpnet' end,
}

return function(asked, options)
  local path = run.path(asked)
  local name, where = folder_io.model_type(path)
  if not known[name] then
    fail.raise('%s: model_type is %s; bert and mpnet are known', where,
      type(name) == 'string' and '"' .. name .. '"' or 'not there')
  end
  local model = known[name]()(path, options)
  model.name = asked:match '^hf:[^/]+/([^@]+)' or model.name
  return model
end
