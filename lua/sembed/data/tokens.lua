-- Token files (core/data/tokenfile.h): made on first use, found again after that.
--
-- They lie in options.tokens, else in $XDG_CACHE_HOME/sembed/tokens or ~/.cache/sembed/tokens,
-- named after their source. A source that has changed, another tokenizer or length makes a new one.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local lock = require 'sembed.lock'
local progress = require 'sembed.progress'
local run = require 'sembed.run'

local C = core.C
local tokens = {}

-- The path of a file of pairs, or of two: left.txt+right.txt.
tokens.source_path = require 'sembed.data.source_path'

local strings = core.typeof 'const char *[?]'
local job_box, file_box = core.new 'se_token_job *[1]', core.new 'se_token_file *[1]'
local done_box, waiting_box = core.new 'bool[1]', core.new 'bool[1]'

local function c_strings(list)
  local array = strings(math.max(#list, 1))
  for i, s in ipairs(list) do array[i - 1] = s end
  return array
end

-- The folder of token files: `given`, or the cache's.
function tokens.folder(given)
  if given and given ~= '' then return run.path(given) end
  local base = os.getenv 'XDG_CACHE_HOME'
  if not base or base == '' then
    local home = os.getenv 'HOME'
    fail.unless(home and home ~= '',
      'tokens: HOME is not set: tokens=FOLDER says where token files go')
    base = home .. '/.cache'
  end
  return base .. '/sembed/tokens'
end

local function step(job, name, began)
  core.check(C.se_token_job_step(job, done_box, waiting_box))
  local made = tonumber(C.se_token_job_pairs(job) - C.se_token_job_resumed(job))
  if waiting_box[0] then
    local other = tonumber(C.se_token_job_other(job))
    progress.show('waiting for another run%s, which makes %s',
      other > 0 and (' (process %d)'):format(other) or '', core.text(C.se_token_job_path(job)))
  else
    progress.show('tokenising %s: %d %%, %d pairs/s', name, 100 * C.se_token_job_progress(job),
      made / math.max(1e-3, tonumber(C.se_seconds()) - began))
  end
  return done_box[0]
end

-- What tokens.make does; a third value, the job, has the file locked while it lives.
local function make(names, columns, options)
  local tok = options.tokenizer
  local folder = tokens.folder(options.tokens)
  core.check(C.se_token_job_open(folder, #names, c_strings(names), #columns, c_strings(columns),
    tok.handle, options.length or 0, job_box))
  local job = core.gc(job_box[0], C.se_token_job_free)
  local began, resumed = tonumber(C.se_seconds()), tonumber(C.se_token_job_resumed(job))
  while not step(job, names[1], began) do
    resumed = tonumber(C.se_token_job_resumed(job)) -- known once the file is opened
  end
  progress.clear()
  if C.se_token_job_unlocked(job) then lock.warn(folder) end
  local n = tonumber(C.se_token_job_pairs(job))
  local path = core.text(C.se_token_job_path(job))
  core.hold(tok)
  return path, { pairs = n, made = n - resumed, resumed = resumed,
    seconds = tonumber(C.se_seconds()) - began }, job
end

-- Makes the token file of some sources unless it is there. Gives its path, and what was done:
-- { pairs = in all, made = by this call, resumed = found half made, seconds = }.
function tokens.make(names, columns, options)
  local path, made = make(names, columns, options)
  return path, made
end

-- Opens a token file: a C handle, as token_pairs.lua takes it.
function tokens.open(path)
  core.check(C.se_token_file_open(path, file_box))
  return core.gc(file_box[0], C.se_token_file_free)
end

-- The open token file of some sources. What came from standard input is not kept.
function tokens.file(names, columns, options)
  local path, _, job = make(names, columns, options)
  local file = tokens.open(path)
  for _, name in ipairs(names) do
    if name == '-' then files.remove(path) end
  end
  core.hold(job)
  return file
end

-- Compares every block of a token file with its check sum; an error names the first that differs.
function tokens.verify(path)
  core.check(C.se_token_file_verify(tokens.open(path)))
end

return tokens
