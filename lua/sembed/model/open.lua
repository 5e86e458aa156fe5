-- se.model.open 'FOLDER': the model of a folder, whatever its architecture.

local mpnet = require 'sembed.model.mpnet'

return function(path) return (mpnet(path)) end
