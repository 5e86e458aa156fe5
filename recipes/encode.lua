-- Texts -> vectors.
--
--   sembed encode model=DIR in=FILE out=FILE [key=value]...
--
--   model=DIR          a sentence-transformers folder
--   in=FILE,FILE,...   texts: plain, gzip or zstd; "-", the default, is standard input. Words are
--                      files, too: sembed encode model=DIR out=FILE *.jsonl.zst
--   in_format=lines|jsonl|tsv|csv   where the name (.txt .jsonl .tsv .csv, before .gz or .zst)
--                      does not tell: else jsonl if the file begins with "{", or lines
--   field=text         of JSON lines: the key; "a.b.0" goes into objects and arrays; "" for lines
--                      that are strings
--   column=NAME|N      of tsv and csv: by the header line, or by number from 1; else field=
--   header=true        with column=N: the first line is a header
--   out=FILE           one row a text, in the order of the input; "-" for standard output
--   out_format=npy|safetensors|jsonl|raw   where the name (.npy .safetensors .jsonl .f32) does
--                      not tell
--   output=float32|int8|uint8|binary|ubinary   how a number is stored: sentence-transformers'
--                      quantize_embeddings (precision= is what the engine computes in)
--   calibrate=FILE     int8, uint8: texts whose vectors give the ranges; kept in OUT.ranges.npy
--   ranges=FILE.npy    int8, uint8: float32 (2, dims): least and largest value of each column
--   dims=N             only the first N numbers of each vector
--   normalize=true|false   unit length or not; else as the folder says
--   prompt=TEXT, prompt_name=NAME   what stands before each text; a prompt of the folder by name;
--                      else the folder's default, where it has one (prompt= alone: nothing)
--   length=N           tokens of a text at most; else as the folder says
--   strict=true        a longer text is an error, with its place; else it is cut and counted
--   tokens=true        vectors of all tokens before pooling: jsonl, or safetensors with "starts"
--   precision=bf16|int8   of the linear layers: faster, with vectors a little off (sembed help
--                      devices)
--   batch=64           texts computed at once: changes the time, never a bit of the result
--   save=5             seconds of work that a sudden end may cost
--   resume=auto        go on with OUT.part after a stop of any kind; a finished OUT stays as it is
--   force=true         write over OUT, begin anew
--
-- While it runs, OUT.part grows, and OUT.part.json says how far it is; OUT is there when it is
-- whole. OUT.lock says which process is at it: a second one is refused. Ctrl-C stops and prints the
-- line that goes on. The same job, stopped or not, gives the same bytes; another model, key or
-- input is refused. Going on with standard input or packed files reads over what is done. Memory
-- does not grow with the number of texts.
local se = require 'sembed'

local words = { ... }
if #se.run.order + #words == 0 then return se.run.print_manual() end
local cfg, given = se.config {
  model = '', ['in'] = { '-' }, in_format = '', field = 'text', column = '', header = false,
  out = '', out_format = '', output = 'float32', calibrate = {}, ranges = '', dims = 0,
  normalize = '', prompt = '', prompt_name = '', length = 0, strict = false, tokens = false,
  batch = 64, save = 5, resume = '', force = false,
}
for _, key in ipairs { 'model', 'out' } do
  if cfg[key] == '' then error(key .. '= is missing; sembed encode --help tells more', 0) end
end

local function texts_of(files)
  files.field, files.column, files.header = cfg.field, cfg.column, cfg.header
  files.format = cfg.in_format
  return (se.data.texts(files))
end

local inputs = (given['in'] or #words == 0) and cfg['in'] or {}
for _, word in ipairs(words) do inputs[#inputs + 1] = word end
local texts = texts_of(inputs)

local model = se.model.open(cfg.model)
local options = se.vectors.options(model, cfg, given)

-- How numbers are stored; int8 and uint8 need to know the range of each column.
local function ranges()
  if not se.quantize.needs_ranges(cfg.output) then return nil end
  if cfg.ranges ~= '' then return (se.quantize.load_ranges(cfg.ranges, options.width)) end
  if #cfg.calibrate == 0 then
    error(('output=%s needs calibrate=FILE or ranges=FILE.npy'):format(cfg.output), 0)
  end
  return (se.vectors.calibrate(model, texts_of(cfg.calibrate), options, cfg))
end

local out = se.vectors.create {
  path = cfg.out, format = cfg.out_format, ragged = cfg.tokens, resume = cfg.resume,
  force = cfg.force, save = cfg.save, form = se.quantize.form(cfg.output, options.width, ranges()),
  job = se.vectors.facts(cfg, inputs),
}
if not out then
  io.stderr:write(cfg.out, ' is there already: nothing to do\n')
  return
end

for chunk in se.vectors.chunks(texts, out, options) do
  chunk:count(model)
  if cfg.tokens then
    out:add_tokens(se.vectors.tokens(model, chunk.texts, options))
  else
    out:add((model:encode(chunk.texts, options)))
  end
end
