-- How good a model is: correlation with people's scores, pairs, triplets, retrieval.
--
--   sembed eval model=DIR sts=FILE.tsv           text1 text2 score: Pearson, Spearman
--   sembed eval model=DIR pairs=FILE.jsonl       1-of-100 accuracy, MRR, recall
--   sembed eval model=DIR triplets=FILE.jsonl    (anchor, positive, negative): accuracy
--   sembed eval model=DIR beir=FOLDER [split=test] retrieval: nDCG, MAP, recall, precision, MRR
--
-- Several at once, and several files each with a comma between; they may be .gz or .zst. Results
-- are printed; out=FILE.json writes them as JSON, too, json=true prints JSON instead.
-- The definitions stand in lua/sembed/evaluate/.
local se = require 'sembed'

local cfg, given = se.config {
  model = '',
  sts = {}, pairs = {}, triplets = {}, beir = {}, -- files; folders
  split = 'test',     -- beir: of the judgements
  columns = {},       -- which fields: columns=sentence1,sentence2,label or columns=6,7,5
  limit = 0,          -- only the first N lines of each file
  block = 100,        -- pairs: how many each is ranked among
  whole = false,      -- pairs: rank among all pairs, too
  similarity = 'cosine',                             -- for ranking: cosine or dot
  prompt = '', prompt_name = '',                     -- sts: put before each text, or its name
  query_prompt = '', query_prompt_name = '',         -- the same for first texts and queries,
  document_prompt = '', document_prompt_name = '',   -- for their partners and documents
  batch = 64, length = 0, dims = 0,                  -- 0: as the model says
  out = '', json = false,
}
local tasks = { 'sts', 'pairs', 'triplets', 'beir' }

if cfg.model == '' then error('model=DIR is missing') end
local wanted = 0
for _, task in ipairs(tasks) do wanted = wanted + #cfg[task] end
if wanted == 0 then error('nothing to do: sts=, pairs=, triplets= or beir= says on what') end
if cfg.out ~= '' and not se.files.is_folder(se.files.folder_of(cfg.out)) then
  error(('out=%s: there is no such folder'):format(cfg.out))
end

local options = {}
for key, value in pairs(cfg) do options[key] = value end
for _, key in ipairs { 'length', 'dims' } do
  if cfg[key] == 0 then options[key] = nil end
end

local model = se.model.open(cfg.model)
local results = {}
for _, task in ipairs(tasks) do
  for _, source in ipairs(cfg[task]) do
    local result = se.evaluate[task == 'beir' and 'retrieval' or task](model, source, options)
    results[#results + 1] = result
    if not cfg.json then print(se.evaluate.report.text(result)) end
  end
end

local about = { sembed = se.version, model = cfg.model, options = {},
  length = options.length or model.length,
  dims = options.dims or model.dims or model.config.hidden_size }
for key in pairs(given) do about.options[key] = cfg[key] end
if cfg.json then io.write(se.evaluate.report.json(about, results)) end
if cfg.out ~= '' then se.evaluate.report.save(cfg.out, about, results) end
