-- How good a model is: correlation with people's scores, pairs, triplets, retrieval.
--
--   sembed eval model=DIR sts=FILE.tsv beir=FOLDER out=FILE.json
--
--   model=DIR          a sentence-transformers folder
--   sts=FILE,...       text1, text2, score: Pearson and Spearman of cosine, dot product, distances
--   pairs=FILE,...     texts that belong together: 1-of-100 accuracy, MRR, recall
--     block=100        how many each is ranked among
--     whole=true       rank among all pairs of the file, too
--   triplets=FILE,...  anchor, positive, negative: how often the anchor is nearer to the positive
--   beir=FOLDER,...    corpus.jsonl, queries.jsonl, qrels/: nDCG, MAP, recall, precision, MRR
--     split=test       which judgements: qrels/test.tsv
--   similarity=cosine|dot   what pairs and beir rank by
--   columns=A,B,...    which fields of sts, pairs, triplets: names, or numbers from 1; else usual
--                      names (sentence1, sentence2, score; context, response; anchor, positive,
--                      negative; query, pos, neg; ...), or the first ones
--   limit=N            only the first N lines of sts, pairs, triplets
--   prompt=TEXT, prompt_name=NAME   sts: what stands before each text; a prompt of the folder
--   query_prompt, query_prompt_name         the same for queries, anchors, first texts of pairs;
--   document_prompt, document_prompt_name   for documents and the other texts; else the folder's
--                      own "query" and "document" prompts, where it has them
--   length=N, dims=N   tokens of a text at most; the first N numbers of each vector
--   batch=64           texts computed at once
--   out=FILE.json      the results as JSON; json=true prints JSON in place of tables
--
-- Any of them at once. Files: TSV (with a header or without), JSON lines; plain, gzip or zstd. How
-- each number is defined stands in lua/sembed/evaluate/. The same in Lua: se.evaluate.sts(model,
-- FILE, options), .pairs, .triplets, .retrieval.
local se = require 'sembed'

if #se.run.order == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', sts = {}, pairs = {}, triplets = {}, beir = {}, block = 100, whole = false,
  split = 'test', similarity = 'cosine', columns = {}, limit = 0, prompt = '', prompt_name = '',
  query_prompt = '', query_prompt_name = '', document_prompt = '', document_prompt_name = '',
  length = 0, dims = 0, batch = 64, out = '', json = false,
}
local tasks = {
  { 'sts', se.evaluate.sts }, { 'pairs', se.evaluate.pairs },
  { 'triplets', se.evaluate.triplets }, { 'beir', se.evaluate.retrieval },
}

if cfg.model == '' then error('model= is missing; sembed eval --help tells more', 0) end
local wanted = 0
for _, task in ipairs(tasks) do wanted = wanted + #cfg[task[1]] end
if wanted == 0 then error('nothing to do: sts=, pairs=, triplets= or beir= says on what', 0) end
if cfg.out ~= '' and not se.files.is_folder(se.files.folder_of(cfg.out)) then
  error(('out=%s: there is no such folder'):format(cfg.out), 0)
end

local model = se.model.open(cfg.model)
local results, options = {}, {}
for key, value in pairs(cfg) do options[key] = value end
for _, task in ipairs(tasks) do
  for _, source in ipairs(cfg[task[1]]) do
    local result = task[2](model, source, options)
    results[#results + 1] = result
    if not cfg.json then print(se.evaluate.report.text(result)) end
  end
end

local about = { sembed = se.version, model = cfg.model, options = {},
  length = cfg.length > 0 and cfg.length or model.length,
  dims = cfg.dims > 0 and cfg.dims or model.dims }
for key in pairs(given) do about.options[key] = cfg[key] end
if cfg.json then io.write(se.evaluate.report.json(about, results)) end
if cfg.out ~= '' then se.evaluate.report.save(cfg.out, about, results) end
