-- sembed encode: every format in and out, forms of numbers, truncation, going on, clear refusals.
local check = require 'check'
local se = require 'sembed'

local tiny, folder = check.data 'tiny-mpnet', check.folder()

-- Runs the recipe; gives what it said.
local function encode(keys, status)
  local said, got = check.run(('encode model=%s %s'):format(tiny, keys))
  check.equal(got, status or 0, keys .. ': status (' .. said .. ')')
  return said
end
local function at(name) return folder .. '/' .. name end
local function refused(keys, ...)
  local said = encode(keys, 1)
  for _, text in ipairs { ... } do
    check.ok(said:find(text, 1, true), '%s: the message lacks "%s": %s', keys, text, said)
  end
end

-- --- forms of numbers: as quantize_embeddings ---

local reference = se.json.load(check.data 'quantize/reference.json')
local vectors = se.tensor(reference.vectors)
local ranges = se.quantize.ranges(19)
ranges:add(se.tensor(reference.calibration))
for _, kind in ipairs { 'int8', 'uint8', 'binary', 'ubinary' } do
  local form = se.quantize.form(kind, 19, ranges)
  local bytes, at_byte = form.bytes(vectors), 0
  for i, row in ipairs(reference[kind]) do
    check.equal(#row, form.columns, kind .. ': columns')
    for k, wanted in ipairs(row) do
      at_byte = at_byte + 1
      local got = bytes:byte(at_byte)
      if wanted < 0 then got = got - 256 end
      check.equal(got, wanted, ('%s: row %d, column %d'):format(kind, i, k))
    end
  end
  check.equal(#bytes, at_byte, kind .. ': bytes')
end

-- --- formats in ---

local model = se.model.open(tiny)
local list = { 'one', 'two words', '', 'a "quoted", text', 'long ' .. ('word '):rep(200) }
local wanted = model:encode(list):bytes()
local lines, objects, tsv, csv = {}, {}, { 'id\ttext' }, { 'id,text' }
for i, text in ipairs(list) do
  lines[i] = text .. '\n'
  objects[i] = se.json.encode { a = { b = { text } } } .. '\n'
  tsv[i + 1] = i .. '\t' .. text
  csv[i + 1] = ('%d,"%s"'):format(i, (text:gsub('"', '""')))
end
check.write(at 'a.txt', table.concat(lines))
check.write(at 'a.jsonl', table.concat(objects))
check.write(at 'a.tsv', table.concat(tsv, '\n'))
check.write(at 'a.csv', table.concat(csv, '\r\n') .. '\r\n')
os.execute(('gzip -k %s && cat %s %s > %s'):format(at 'a.jsonl', at 'a.jsonl.gz', at 'a.jsonl.gz',
  at 'twice'))
for _, keys in ipairs { 'in=DIR/a.txt', 'DIR/a.txt', 'in=DIR/a.jsonl field=a.b.0', 'in=DIR/a.tsv',
  'in=DIR/a.jsonl.gz field=a.b.0', 'in=DIR/a.tsv column=2 header=true', 'in=DIR/a.csv column=text',
  'in_format=lines < DIR/a.txt', 'field=a.b.0 < DIR/a.jsonl.gz', 'batch=1 < DIR/a.txt' } do
  encode(('out=%s force=true %s'):format(at 'a.f32', keys:gsub('DIR', folder)))
  check.ok(check.read(at 'a.f32') == wanted, '%s: other vectors', keys)
end
encode(('out=%s force=true in=%s,%s %s field=a.b.0'):format(at 'a.f32', at 'a.txt', at 'a.csv',
  at 'twice'), 1) -- the csv has no column a.b.0
encode(('out=%s force=true %s %s field=a.b.0'):format(at 'a.f32', at 'twice', at 'a.txt'))
check.ok(check.read(at 'a.f32') == wanted:rep(3), 'several files')

-- --- formats out ---

local keys = ('in=%s '):format(at 'a.txt')
local said = encode(keys .. 'out=' .. at 'a.npy')
check.ok(said:find('5 texts -> ', 1, true) and said:find('float32 [5, 64]', 1, true), said)
check.ok(said:find('1 of them were cut to 128 tokens: 75 tokens in all, at most 75', 1, true),
  said)
check.equal(select(2, said:gsub('\n', '')), 2, 'two lines: ' .. said)
local npy = check.read(at 'a.npy')
check.ok(npy:sub(129) == wanted and npy:sub(1, 8) == '\147NUMPY\1\0' and npy:byte(9) == 118, 'npy')
check.ok(npy:sub(11, 128):match(
  "^{'descr': '<f4', 'fortran_order': False, 'shape': %(5, 64%), } *\n$"), 'npy: head')
encode(keys .. 'out=' .. at 'a.safetensors')
check.ok(se.safetensors.load(at 'a.safetensors').embeddings:bytes() == wanted, 'safetensors')
encode(keys .. 'out=' .. at 'a.out.jsonl')
local read = {}
for line in se.data.lines(at 'a.out.jsonl') do read[#read + 1] = se.json.parse(line).embedding end
check.ok(se.tensor(read):bytes() == wanted, 'jsonl')
local to_stdout = 'encode model=%s %s out=- out_format=raw 2>/dev/null | cmp -n %d - %s'
check.equal(check.run(to_stdout:format(tiny, keys, #wanted, at 'a.f32')), '', 'standard output')
encode('out=' .. at 'empty.npy' .. ' in=/dev/null')
check.ok(check.read(at 'empty.npy'):find("'shape': (0, 64)", 1, true), 'no texts')

-- --- forms, dims, normalize, prompt ---

encode(keys .. 'output=ubinary out=' .. at 'b.npy')
check.ok(check.read(at 'b.npy'):sub(129) ==
  se.quantize.form('ubinary', 64).bytes(model:encode(list)), 'ubinary')
check.ok(check.read(at 'b.npy'):find("'|u1'", 1, true), 'ubinary: dtype')
encode(keys .. 'output=int8 calibrate=' .. at 'a.txt' .. ' out=' .. at 'i.npy')
encode(keys .. 'output=int8 ranges=' .. at 'i.npy.ranges.npy' .. ' out=' .. at 'j.npy')
check.ok(check.read(at 'i.npy') == check.read(at 'j.npy'), 'kept ranges')
ranges = se.quantize.ranges(64)
ranges:add((model:encode(list)))
check.ok(check.read(at 'i.npy'):sub(129) ==
  se.quantize.form('int8', 64, ranges).bytes(model:encode(list)), 'int8')
encode(keys .. 'normalize=false out=' .. at 'n.f32')
check.ok(check.read(at 'n.f32') == model:encode(list, { normalize = false }):bytes(), 'normalize')
encode(keys .. 'dims=24 out=' .. at 'd.f32')
check.ok(check.read(at 'd.f32') == model:encode(list, { dims = 24 }):bytes(), 'dims')
check.equal(#check.read(at 'd.f32'), 4 * 24 * #list, 'dims: bytes')

-- A folder with prompts: what stands before a text counts among its tokens.
os.execute(('cp -r %s %s && rm %s/t*.safetensors'):format(tiny, at 'prompts', at 'prompts'))
check.write(at 'prompts/config_sentence_transformers.json',
  '{"prompts": {"query": "two words "}, "default_prompt_name": null}')
local with = {}
for i, text in ipairs(list) do with[i] = 'two words ' .. text end
wanted = model:encode(with):bytes()
for _, key in ipairs { "prompt='two words '", 'prompt_name=query' } do
  said = encode(keys .. ('model=%s %s force=true out=%s'):format(at 'prompts', key, at 'p.f32'))
  check.ok(check.read(at 'p.f32') == wanted, '%s: other vectors', key)
  check.ok(said:find('77 tokens in all', 1, true), '%s: cut: %s', key, said)
end
check.write(at 'prompts/config_sentence_transformers.json',
  '{"prompts": {"query": "two words "}, "default_prompt_name": "query"}')
said = encode(keys .. ('model=%s force=true out=%s'):format(at 'prompts', at 'p.f32'))
check.ok(check.read(at 'p.f32') == wanted, 'the default prompt')
check.ok(said:find('77 tokens in all', 1, true), 'the default prompt: cut: %s', said)
encode(keys .. ('model=%s prompt= force=true out=%s'):format(at 'prompts', at 'p.f32'))
encode(keys .. ('model=%s force=true out=%s'):format(tiny, at 'plain.f32'))
check.ok(check.read(at 'p.f32') == check.read(at 'plain.f32'), 'prompt= alone: no prompt')
refused(keys .. ('model=%s prompt_name=querry out=%s'):format(at 'prompts', at 'x.npy'),
  'unknown prompt "querry"; did you mean "query"')

-- --- vectors of tokens ---

encode(keys .. 'tokens=true out=' .. at 't.safetensors')
encode(keys .. 'tokens=true out=' .. at 't.jsonl')
local held, row, n = se.safetensors.load(at 't.safetensors'), 0, 0
local means = {}
for line in se.data.lines(at 't.jsonl') do
  local object = se.json.parse(line)
  n = n + 1
  check.equal(held.starts:totable()[n], row, 'starts')
  check.equal(object.tokens[1] .. object.tokens[#object.tokens], '<s></s>', 'special tokens')
  check.equal(#object.embeddings, #object.tokens, 'rows')
  local x = se.tensor(object.embeddings)
  check.ok(x:bytes() == held.embeddings:slice(1, row, row + #object.tokens):bytes(),
    'rows of %d', n)
  means[n] = x:mean(1):totable()
  row = row + #object.tokens
end
check.equal(held.starts:totable()[n + 1], row, 'the end')
check.near(se.normalize(se.tensor(means)), model:encode(list), 1e-6, 'means of token vectors')

-- --- what is refused ---

refused(keys .. 'out=' .. at 'a.npy', 'a.npy is there already: force=true')
check.ok(encode(keys .. 'resume=auto out=' .. at 'a.npy'):find 'nothing to do', 'finished')
check.ok(check.read(at 'a.npy') == npy, 'untouched')
refused(keys .. 'strict=true out=' .. at 's.npy', 'a.txt:5: the text has 203 tokens, 128 are taken')
refused('in=' .. folder .. ' out=' .. at 'x.npy', 'cannot read: Is a directory')
refused('in=' .. at 'none' .. ' out=' .. at 'x.npy', 'none: cannot read: No such file')
refused('in=' .. at 'a.jsonl' .. ' out=' .. at 'x.npy', 'a.jsonl:1: no "text": the keys are "a"')
refused(keys .. 'out=' .. at 'x', 'the name says no format')
refused(keys .. 'out=' .. at 'no/folder/x.npy', 'No such file or directory')
refused(keys .. 'out=' .. folder .. ' out_format=npy', 'is a folder')
refused(keys .. 'out=- out_format=npy', 'this format needs a file')
refused(keys .. 'out=- out_format=raw resume=auto', 'only a file can be gone on with')
refused(keys .. 'out=/dev/full out_format=raw', '/dev/full: cannot write: No space left')
refused(keys .. 'output=int8 out=' .. at 'x.npy', 'needs calibrate=FILE or ranges=')
refused(keys .. 'output=int4 out=' .. at 'x.npy', 'unknown form "int4"; did you mean "int8"')
refused(keys .. 'dims=65 out=' .. at 'x.npy', 'dims=65: the vectors have 64 numbers')
refused(keys .. 'tokens=true out=' .. at 'x.npy', 'jsonl or safetensors')
refused(keys .. 'output=int8 out=' .. at 'x.npy ranges=' .. at 'a.npy', 'shape (2, 64)')
refused(keys .. 'out=' .. at 'x.npy prompt_name=query', 'unknown prompt "query"')
check.write(at 'cut.txt.gz', check.read(at 'a.jsonl.gz'):sub(1, -9))
refused('in=' .. at 'cut.txt.gz out=' .. at 'x.npy', 'cut.txt.gz: offset', 'gzip data ends early')
check.ok(not se.files.exists(at 'x.npy') and not se.files.exists(at 's.npy'), 'no half file')
check.ok(check.run('encode'):find('model=DIR', 1, true), 'usage')

-- --- going on (tests/kill_encode.sh stops it more rudely) ---

local many = {}
for i = 1, 3000 do many[i] = ('text number %d of many'):format(i) end
check.write(at 'many.txt', table.concat(many, '\n') .. '\n')
local whole, half = at 'whole.npy', at 'half.npy'
encode(('in=%s out=%s'):format(at 'many.txt', whole))
-- Ctrl-C after the first 1000 lines of a pipe that stays open for a while.
local stop = ('(head -n 1000 %s; sleep 4) | { %s encode model=%s in=- in_format=lines out=%s & '
  .. 'pid=$!; sleep 2; kill -INT $pid; wait $pid; echo "status $?"; } 2>&1'):format(at 'many.txt',
  se.run.program, tiny, half)
local pipe = io.popen("bash -c '" .. stop .. "'")
said = pipe:read '*a'
pipe:close()
check.ok(said:find('status 130', 1, true), 'stopped: %s', said)
check.ok(said:find('to go on:\n', 1, true) and said:find('resume=auto', 1, true), said)
check.ok(not se.files.exists(half), 'no half file')
local state = se.json.load(half .. '.part.json')
check.ok(state.texts > 0 and state.texts <= 1000, 'texts: %d', state.texts)
local function again(more, status)
  return (encode(('in=- in_format=lines out=%s %s < %s'):format(half, more, at 'many.txt'), status))
end
check.ok(again('', 1):find('holds an unfinished job', 1, true), 'unfinished')
check.ok(again('resume=auto length=64', 1):find('length=0, now it is 64', 1, true), 'other job')
check.ok(again('resume=auto'):find('3,000 texts (', 1, true), 'gone on with')
check.ok(check.read(half) == check.read(whole), 'other bytes')
check.ok(not se.files.exists(half .. '.part.json'), 'nothing is left')
check.done()
