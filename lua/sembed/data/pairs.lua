-- Pairs of texts from files.
--
--   local talk = se.data.pairs { 'talk.jsonl.gz', tokenizer = model.tokenizer, length = 128 }
--   talk:count(), talk:pack('context', { 1, 2, 3 })          pairs count from 1
--   local train, held = talk:split(0.01)
--
-- With a tokenizer the pairs are token files (token_pairs.lua), which training draws batches from.
-- Without one they are texts in memory: held:text('context', i), held:texts('context', 1, 100).
--
-- A file is JSON lines ({"context", "response"}, [a, b, ...], {"texts": [a, b, ...]},
-- {"set": [a, b, ...]}, {"query", "pos", "neg"}, lists of any length: training draws from them anew
-- each epoch, the others take the first), tsv or csv by its name, .txt: a text on each line, in a
-- column "text", or left.txt+right.txt: two of those, side by side. All plain, gzip or zstd.
--
-- Options beside the paths: columns (names, in order; none: the first line decides; 'a+b' of JSON
-- lines has the texts under a and b with a space between, b where it is there), tokenizer,
-- length (the most tokens of a text), seed (of the order), tokens (the folder of token files),
-- duplicates (a text that comes twice in a batch: 'skip' puts its pair off, 'mask' and 'off' do
-- not; with 'mask' the batch tells which texts are equal).

local fail = require 'sembed.fail'
local run = require 'sembed.run'
local source_path = require 'sembed.data.source_path'

return function(options)
  if type(options) == 'string' then options = { options } end
  local names = {}
  for i, path in ipairs(options) do names[i] = source_path(path, run.path) end
  fail.unless(#names > 0, 'data.pairs: a file is missing')
  local columns = options.columns or {}
  if not options.tokenizer then
    return (require('sembed.data.text_pairs').load(names, columns))
  end
  local file = require('sembed.data.tokens').file(names, columns, options)
  return (require('sembed.data.token_pairs')({ file }, nil, options))
end
