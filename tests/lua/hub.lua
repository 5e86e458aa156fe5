-- hf:ORG/NAME against the hub of tests/hub_server.c, which starts this and sets HF_ENDPOINT.
local se = require 'sembed'
local check = require 'check'
local http = require 'sembed.http'

local COMMIT = '0123456789abcdef0123456789abcdef01234567'
local hub = os.getenv 'HF_ENDPOINT'
if not hub then error 'run by hub_server' end

local work = check.folder()
local script = check.write(work .. '/get.lua', [[
local se, name = require 'sembed', ...
require('sembed.http').backoff = 0.01
print(se.run.path(name))
]])

-- Fetches in a process of its own, as the variables are read once: its output and status.
local home
local function get(model, variables)
  local pipe = io.popen(('env HF_HOME=%s HF_HUB_CACHE= HF_TOKEN= HF_HUB_OFFLINE= %s "%s" %s '
    .. '"hf:%s" 2>&1; echo "status $?"'):format(home, variables or '', se.run.program, script,
    model))
  local text = pipe:read '*a'
  pipe:close()
  local output, status = text:match '^(.*)status (%d+)\n$'
  return output, tonumber(status)
end

local function fresh()
  home = check.folder()
  return home
end

local function folder_of(model)
  local name = model:match '^[^@]*':gsub('/', '--')
  return ('%s/hub/models--%s/snapshots/%s'):format(home, name, COMMIT)
end

local function gets(model, variables)
  local output, status = get(model, variables)
  check.equal(output, folder_of(model) .. '\n', model)
  check.equal(status, 0, model .. ': status')
  return folder_of(model)
end

local function refuses(model, message, variables)
  local output, status = get(model, variables)
  check.equal(status, 1, model .. ': status, with ' .. output)
  check.ok(output:find(message, 1, true), '%s: "%s" is not in: %s', model, message, output)
  return output
end

local function lines(command)
  local pipe, list = io.popen(command), {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- What is in the cache, with what links say; the requests since the last time.
local function tree() return table.concat(lines(('cd %s && find . | sort'):format(home)), ' ') end
local function parts() return lines(('find %s -name "*.part"'):format(home)) end
local seen = 0
local function log()
  local all = http.get(hub .. '/log', {}).body
  local new = all:sub(seen + 1)
  seen = #all
  return new
end
local function requests(text, pattern)
  local n = 0
  for _ in text:gmatch(pattern) do n = n + 1 end
  return n
end

-- --- a model, and the same again ---

fresh()
local folder = gets 'test/tiny'
for _, name in ipairs { 'config.json', 'model.safetensors', '1_Pooling/config.json' } do
  local wanted = check.read(check.data 'tiny-mpnet/' .. name)
  check.ok(check.read(folder .. '/' .. name) == wanted, '%s', name)
end
check.ok(not se.files.exists(folder .. '/README.md'), 'no more than a model needs')
check.equal(check.read(home .. '/hub/models--test--tiny/refs/main'), COMMIT, 'refs/main')
local text = log()
check.equal(requests(text, 'far [^\n]* token= '), 1, 'one file from the other port')
check.equal(#lines(('find %s -type l'):format(folder)), 9, 'files are links to blobs')
gets 'test/tiny'
check.equal(requests(log(), 'resolve'), 0, 'nothing is fetched twice')

local output = lines(('env HF_HOME=%s "%s" -e "%s" model=hf:test/tiny 2>&1'):format(home,
  se.run.program, "local se = require 'sembed'; local cfg = se.config { model = '' } "
    .. "print(se.model.open(cfg.model):encode({ 'a' }):shape()[2])"))
check.equal(table.concat(output, '\n'), '64', 'se.model.open takes hf:')

-- --- which files ---

fresh()
folder = gets 'test/plain'
check.equal(table.concat(lines(('cd %s && find . -type l | sort'):format(folder)), ' '),
  './1_Pooling/config.json ./config.json ./model.safetensors ./modules.json ./tokenizer.json',
  'no code, no onnx, no second form of the weights')
folder = gets 'test/bin'
check.ok(se.files.exists(folder .. '/pytorch_model.bin'), 'pytorch_model.bin where it is all')
refuses('test/none', 'none of its 9 files is model.safetensors or pytorch_model.bin')
gets 'test/noblobs'
refuses('test/nohash', 'hf:test/nohash: config.json: the server gives no checksum')

-- --- names ---

refuses('test/evil', 'the hub names a file "1_Pooling/../../../../config.json": a path')
for _, name in ipairs { 'a/b/c', '../x', 'a/..', 'a/b@', 'a/b@../c', 'a/b@c//d', '/a', 'a/',
  'a b/c', '@x', 'a/b?x' } do
  refuses(name, 'hf:' .. name .. ': ')
end
check.equal(requests(log(), 'api/models/[^t]'), 0, 'such names are not asked for')

-- --- tokens ---

refuses('test/private', 'hf:test/private: the hub refuses such model or revision (status 401) '
  .. '(Repository not found): is the name right? HF_TOKEN is not set')
refuses('test/private', 'HF_TOKEN is set, but may not read it', 'HF_TOKEN=hf_wrong')
log()
gets('test/private', 'HF_TOKEN=" hf_right"')
text = log()
check.equal(requests(text, 'far [^\n]* token= '), 1, 'the other host')
check.equal(requests(text, 'far [^\n]* token=Bearer'), 0, 'the other host does not see the token')
check.equal(requests(text, 'near [^\n]* token=Bearer hf_right '), 6, 'the hub sees it each time')
refuses('test/private', 'Authorization has a byte 0x0a', "HF_TOKEN='hf_right\nX-Evil: 1'")

-- --- what is not there ---

refuses('test/missing', 'hf:test/missing: the hub has no such model or revision (status 404)')
refuses('test/gone', 'the hub has no config.json (status 404) (Entry not found)')
check.equal(#parts(), 0, 'an answer that is an error leaves no part')
refuses('test/circle', 'more than 10 times')
refuses('test/down', 'the server answers 500')
refuses('test/tiny', 'HF_ENDPOINT=ftp://x: an address with http://', 'HF_ENDPOINT=ftp://x')

-- --- without a network ---

fresh()
refuses('test/tiny', 'HF_HUB_OFFLINE is set, and ' .. home .. '/hub has no copy of it',
  'HF_HUB_OFFLINE=1')
check.equal(tree(), '.', 'looking leaves nothing behind')
gets 'test/tiny'
log()
gets('test/tiny', 'HF_HUB_OFFLINE=1')
gets('test/tiny@' .. COMMIT, 'HF_HUB_OFFLINE=yes')
check.equal(log(), '', 'no request when offline')
output = get('test/tiny', 'HF_ENDPOINT=http://127.0.0.1:1')
check.ok(output:find('the hub cannot be reached', 1, true) and output:find(folder_of 'test/tiny', 1,
  true), 'an unreachable hub: %s', output)
fresh()
refuses('test/tiny', 'hf:test/tiny: http://127.0.0.1:1/api', 'HF_ENDPOINT=http://127.0.0.1:1')

-- --- without libcurl ---

for _, name in ipairs { 'libcurl.so.4', 'libcurl-gnutls.so.4' } do
  check.write(work .. '/' .. name, 'not a library, so that none is found')
end
refuses('test/tiny', 'downloads need libcurl, which is not there: install it (Debian: apt install '
  .. 'libcurl4). ', 'LD_LIBRARY_PATH=' .. work)

-- --- faults on the way ---

local function right(model, variables)
  gets(model, variables)
  local blob = lines(('sha256sum %s/model.safetensors'):format(folder_of(model)))[1]:sub(1, 64)
  local link = lines(('readlink %s/model.safetensors'):format(folder_of(model)))[1]
  check.equal(link, '../../blobs/' .. blob, model .. ': the content has its checksum')
  check.equal(#parts(), 0, model .. ': no part is left')
end

fresh()
log()
right 'test/flaky'
check.equal(requests(log(), 'api/models/test/flaky'), 3, '500, 503, right')
right 'test/cut'
text = log()
check.equal(requests(text, 'far [^\n]*model.safetensors from=%-1 '), 1, 'from the start once')
check.equal(requests(text, 'far [^\n]*model.safetensors from=%d+ '), 3, 'then from where it was')
check.ok(text:find('from=150000 ', 1, true) and text:find('from=225000 ', 1, true)
  and text:find('from=262500 ', 1, true), 'the ranges')
right 'test/norange'
right 'test/wrongonce'
right('test/slow', 'HF_HUB_DOWNLOAD_TIMEOUT=1')
refuses('test/wrong', 'model.safetensors: not the file that is announced: checksum ')
refuses('test/longer', 'more than 300000 bytes came')
refuses('test/badrange', "content-range 'bytes 150001-299999/300000', expected it from byte 150000")
check.ok(not se.files.exists(folder_of 'test/wrong' .. '/model.safetensors'), 'no wrong content')

for path, name in pairs { ['hf:a/b'] = 'a/b', ['hf:a/b@v1'] = 'a/b', ['hf:b'] = 'b',
  [folder_of 'test/cut'] = 'test/cut', ['x/y'] = 'y', ['x/y/'] = 'y', y = 'y', ['/'] = '/' } do
  check.equal(se.hub.name(path), name, path)
end

-- --- stopped, resumed; two at once ---

fresh()
-- The signal comes once something of the weights is there: their part is named by a SHA-256, those
-- of the small files by git's SHA-1.
output = lines(([[HF_HOME=%s "%s" %s hf:test/drip 2>&1 & pid=$!
  for i in $(seq 200); do
    ! find %s -name '*.part' -size +0 | grep -q '/[0-9a-f]\{64\}.part$' || break
    sleep 0.05
  done
  kill -INT $pid; wait $pid; echo "status $?"]]):format(home, se.run.program, script, home))
output = table.concat(output, '\n')
check.ok(output:match 'interrupted\nstatus 130$', 'Ctrl-C: %s', output)
local part = parts()[1]
local size = part and se.files.size(part) or 0
check.ok(size > 0 and size < 300000, 'a part of %d bytes', size)
log()
right 'test/drip'
check.equal(requests(log(), 'far [^\n]* from=' .. size .. ' '), 1, 'goes on from there')

fresh()
local both = {}
for i = 1, 2 do
  both[i] = io.popen(('env HF_HOME=%s "%s" %s hf:test/drip 2>&1'):format(home, se.run.program,
    script))
end
for i = 1, 2 do
  check.equal(both[i]:read '*a', folder_of 'test/drip' .. '\n', 'two processes at once')
  both[i]:close()
end
check.equal(requests(log(), 'far [^\n]*model.safetensors'), 1, 'fetched by one of them')

check.done()
