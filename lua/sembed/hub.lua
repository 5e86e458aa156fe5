-- Model folders from a hub in the manner of Hugging Face's:
--
--   se.hub.folder 'hf:ORG/NAME'  or  'hf:ORG/NAME@REVISION'  -> the path of a folder
--
-- Only what a model needs is fetched: configuration, tokenizer, weights (safetensors; PyTorch's
-- format where there is none). Each file is checked against the hub's checksum before it gets its
-- name; a download that was stopped goes on where it was. The cache is laid out as Hugging Face's
-- own libraries do it, so that what one has fetched is there for the other:
--
--   HF_HUB_CACHE, or HF_HOME/hub   (HF_HOME: $XDG_CACHE_HOME/huggingface, ~/.cache/huggingface)
--     models--ORG--NAME/blobs/CHECKSUM, snapshots/COMMIT/FILE (links to blobs), refs/REVISION
--
-- HF_TOKEN is sent to the hub alone, HF_ENDPOINT is another hub's address, HF_HUB_OFFLINE=1 uses
-- the cache only, HF_HUB_DOWNLOAD_TIMEOUT is in seconds. CURL_CA_BUNDLE or SSL_CERT_FILE names
-- certificates to trust; proxies are those of https_proxy and no_proxy.

local fail = require 'sembed.fail'
local fetch = require 'sembed.fetch'
local files = require 'sembed.files'
local http = require 'sembed.http'
local json = require 'sembed.json'

local hub = {}

-- --- what the environment says ---

local function setting(name)
  local value = os.getenv(name)
  return value ~= nil and value:match '%S' and value:match '^%s*(.-)%s*$' or nil
end

local function cache_folder()
  local home = setting 'HF_HOME'
  if not home then
    local base = setting 'XDG_CACHE_HOME' or setting 'HOME' and setting 'HOME' .. '/.cache'
    fail.unless(base, 'hf: no folder to keep downloads in: neither HF_HOME nor HOME is set')
    home = base .. '/huggingface'
  end
  local folder = setting 'HF_HUB_CACHE' or home .. '/hub'
  return folder:sub(1, 1) == '/' and folder or files.absolute '.' .. '/' .. folder
end

local function endpoint()
  local url = (setting 'HF_ENDPOINT' or 'https://huggingface.co'):gsub('/+$', '')
  if not url:match '^https?://[^/]' then
    fail.raise('HF_ENDPOINT=%s: an address with http:// or https:// is wanted', url)
  end
  return url
end

local function is_offline()
  local value = (setting 'HF_HUB_OFFLINE' or '0'):upper()
  return value == '1' or value == 'TRUE' or value == 'YES' or value == 'ON'
end

-- --- names ---

-- What becomes part of a path: letters, digits, and signs that lead nowhere else.
local function is_part(text)
  return text:match '^[%w_][%w._-]*$' and not text:find('..', 1, true)
end

local function parse(name)
  local repo, revision = name:match '^hf:([^@]*)@?(.*)$'
  local organisation, model = repo:match '^([^/]*)/([^/]*)$'
  if not organisation then organisation, model = '_', repo end -- old models have no organisation
  if not is_part(organisation) or not is_part(model) then
    fail.raise('%s: hf:ORGANISATION/NAME is wanted, or hf:ORGANISATION/NAME@REVISION', name)
  end
  if name:find('@', 1, true) == nil then revision = 'main' end
  for part in (revision .. '/'):gmatch '([^/]*)/' do
    if not is_part(part) then fail.raise('%s: "%s" is no name of a revision', name, revision) end
  end
  local root = ('%s/models--%s'):format(cache_folder(), repo:gsub('/', '--'))
  return { name = name, repo = repo, revision = revision, root = root }
end

-- A hub that gives names like these is not to be trusted with anything.
local function check_name(model, file)
  local sound = type(file) == 'string' and not file:find '[%z\1-\31\\]'
  for part in ((sound and file or '/') .. '/'):gmatch '([^/]*)/' do
    if part == '' or part == '.' or part == '..' then
      fail.raise('%s: the hub names a file "%s": a path inside the folder is wanted', model.name,
        tostring(file))
    end
  end
end

-- --- which files ---

local wanted = {
  ['config.json'] = true, ['modules.json'] = true,
  ['config_sentence_transformers.json'] = true, ['tokenizer.json'] = true,
  ['tokenizer_config.json'] = true, ['special_tokens_map.json'] = true,
  ['added_tokens.json'] = true, ['vocab.txt'] = true,
}
local weights = { -- the first that a folder has
  { 'model.safetensors' },
  { 'model.safetensors.index.json', '^model%-%d+%-of%-%d+%.safetensors$' },
  { 'pytorch_model.bin' },
  { 'pytorch_model.bin.index.json', '^pytorch_model%-%d+%-of%-%d+%.bin$' },
}

-- "1_Pooling/config.json" -> "1_Pooling/", "config.json"; nil for what lies in other folders.
local function split(file)
  if not file:find('/', 1, true) then return '', file end
  return file:match '^(%d+_%w+/)([^/]+)$'
end

-- Of a list of files of the hub, `all`, those that a model needs, in the order of `all`.
function hub.needed(all)
  local chosen, list = {}, {}
  for _, file in ipairs(all) do
    local folder, base = split(file.name)
    for rank, form in ipairs(folder and weights or {}) do
      if base == form[1] and rank < (chosen[folder] or 9) then chosen[folder] = rank end
    end
  end
  for _, file in ipairs(all) do
    local folder, base = split(file.name)
    local form = folder and weights[chosen[folder]]
    if folder and (wanted[base] or base:match '^sentence_[%w-]+_config%.json$'
      or (form and (base == form[1] or (form[2] and base:match(form[2]))))) then
      list[#list + 1] = file
    end
  end
  return list, next(chosen) ~= nil
end

-- --- asking the hub ---

local function refused(model, r, what)
  local said = r.headers['x-error-message']
  said = said ~= '' and ' (' .. said .. ')' or ''
  if r.code == 401 or r.code == 403 then
    fail.raise('%s: the hub refuses %s (status %d)%s: is the name right? %s', model.name, what,
      r.code, said, setting 'HF_TOKEN' and 'HF_TOKEN is set, but may not read it'
        or 'HF_TOKEN is not set: private and gated models need one')
  end
  fail.raise('%s: the hub has no %s (status %d)%s', model.name, what, r.code, said)
end

local function read_file(model, entry)
  if type(entry) ~= 'table' then entry = {} end
  check_name(model, entry.rfilename)
  local file = { name = entry.rfilename, size = tonumber(entry.size) }
  local lfs = type(entry.lfs) == 'table' and entry.lfs or nil
  if lfs then
    file.hash, file.size = fetch.hash_of(lfs.sha256), tonumber(lfs.size) or file.size
  else
    file.hash, file.git = fetch.hash_of(entry.blobId, true), true
  end
  return file
end

-- commit, files of the revision; nil and why where the hub cannot be reached in so many tries.
local function ask(model, tries)
  local url = ('%s/api/models/%s/revision/%s?blobs=true'):format(endpoint(), model.repo,
    (model.revision:gsub('/', '%%2F')))
  local r, why = http.get(url, { token = setting 'HF_TOKEN', tries = tries })
  if not r then return nil, why end
  if r.code ~= 200 then refused(model, r, 'such model or revision') end
  local info = json.parse(r.body, url)
  info = type(info) == 'table' and info or {}
  if not fetch.hash_of(info.sha, true) or type(info.siblings) ~= 'table' then
    fail.raise('%s: no "sha" and "siblings" in the answer; those of a model are wanted', url)
  end
  local all = {}
  for i, entry in ipairs(info.siblings) do all[i] = read_file(model, entry) end
  return info.sha:lower(), all
end

-- --- fetching ---

-- The file among the blobs: gives its checksum.
local function fetch_blob(model, file)
  local blobs = model.root .. '/blobs'
  local there = file.hash and blobs .. '/' .. file.hash
  if there and files.exists(there) and files.size(there) == (file.size or files.size(there)) then
    return file.hash
  end
  local name = file.hash or model.commit .. '-' .. file.name:gsub('/', '-')
  return fetch.file({
    url = ('%s/%s/resolve/%s/%s'):format(endpoint(), model.repo, model.commit, file.name),
    token = setting 'HF_TOKEN', part = ('%s/%s.part'):format(blobs, name), size = file.size,
    hash = file.hash, git = file.git, label = model.name .. ': ' .. file.name,
    refused = function(r) refused(model, r, file.name) end,
  }, blobs)
end

local function fetch_all(model, list)
  files.make_folder(model.root .. '/blobs')
  for _, file in ipairs(list) do
    local folder = split(file.name)
    files.make_folder((model.folder .. '/' .. folder):gsub('/$', ''))
    fetch.link(('%s../../blobs/%s'):format(folder == '' and '' or '../', fetch_blob(model, file)),
      model.folder .. '/' .. file.name)
  end
  local ref = model.root .. '/refs/' .. model.revision
  files.make_folder(files.folder_of(ref))
  files.write(ref, model.commit)
end

local function snapshot(model) return model.root .. '/snapshots/' .. model.commit end

-- What the cache has of the revision, or nil.
local function cached(model)
  local ref = model.root .. '/refs/' .. model.revision
  local commit = files.exists(ref) and files.read(ref):match '^%s*(%x+)%s*$' or model.revision
  model.commit = fetch.hash_of(commit, true)
  return model.commit and files.is_folder(snapshot(model)) and snapshot(model) or nil
end

local function find(model)
  if is_offline() then
    return cached(model) or fail.raise('%s: HF_HUB_OFFLINE is set, and %s has no copy of it',
      model.name, cache_folder())
  end
  http.timeout = tonumber(setting 'HF_HUB_DOWNLOAD_TIMEOUT') or http.timeout
  local copy = cached(model)
  local commit, all = ask(model, copy and 2)
  if not commit then
    local folder = copy or fail.raise('%s: %s', model.name, all)
    io.stderr:write(('%s: the hub cannot be reached (%s): the copy in the cache is used\n')
      :format(model.name, all))
    return folder
  end
  model.commit = commit
  model.folder = snapshot(model)
  local list, has_weights = hub.needed(all)
  if not has_weights then
    fail.raise('%s: none of its %d files is model.safetensors or pytorch_model.bin', model.name,
      #all)
  end
  local locks = model.root:gsub('/(models%-%-[^/]*)$', '/.locks/%1')
  files.make_folder(locks)
  fetch.alone(locks .. '/sembed.lock', model.name, function() fetch_all(model, list) end)
  return model.folder
end

-- --- the calls ---

local known = {} -- one question to the hub in a run

-- true for a name that means a download: 'hf:...'.
function hub.is(name) return type(name) == 'string' and name:sub(1, 3) == 'hf:' end

-- The folder of hf:ORG/NAME or hf:ORG/NAME@REVISION: what is not in the cache is fetched.
function hub.folder(name)
  known[name] = known[name] or find(parse(name))
  return known[name]
end

-- What a model is called: ORG/NAME of hf:ORG/NAME@REVISION or of a folder in the cache, else the
-- last part of a path.
function hub.name(path)
  if hub.is(path) then return (path:match '^hf:([^@]*)') end
  local repo = path:match '/models%-%-([^/]+)/snapshots/%x+/*$'
  return repo and repo:gsub('%-%-', '/', 1) or path:match '([^/]+)/*$' or path
end

return hub
