-- A file by its address and checksum, for hub.lua: a download that was stopped goes on where it
-- was, what does not have its checksum never gets its name, two processes do not fetch one thing.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local http = require 'sembed.http'
local progress = require 'sembed.progress'

local C = core.C
local fetch = {}

-- SHA-256, or, where `git` is set, git's SHA-1: in lower case, nil where the text is neither.
function fetch.hash_of(text, git)
  return type(text) == 'string' and text:match '^%x+$' and #text == (git and 40 or 64)
    and text:lower() or nil
end

-- A checksum that goes with an answer; nil where there is none.
local function hash_of_answer(r)
  local text = (r.linked or r.headers.etag):gsub('^W/', ''):gsub('"', '')
  local hash = fetch.hash_of(text)
  if hash then return hash, false end
  return fetch.hash_of(text, true), true
end

local function shower(file)
  local start, from
  return function(bytes)
    local now = tonumber(C.se_seconds())
    start, from = start or now, from or bytes
    local rate = (bytes - from) / math.max(now - start, 1e-3)
    local left = file.size and rate > 0 and now - start > 1
      and ', ' .. progress.clock((file.size - bytes) / rate) .. ' left' or ''
    progress.on_terminal('%s: %.1f%s MB, %.1f MB/s%s', file.label, bytes / 1e6,
      file.size and (' of %.1f'):format(file.size / 1e6) or '', rate / 1e6, left)
  end
end

local function size_of(path) return files.exists(path) and files.size(path) or nil end

-- Brings file.part to its full size. Gives the checksum to expect and its kind.
local function load(file)
  local have = size_of(file.part)
  if have and file.size and have > file.size then
    core.check(C.se_file_remove(file.part))
  elseif have and have == file.size and file.hash then
    return file.hash, file.git -- a run was stopped just before it was checked
  end
  local r, why = http.get(file.url, { token = file.token, path = file.part,
    etag = file.git and file.hash and '"' .. file.hash .. '"' or nil, most = file.size or 2 ^ 40,
    progress = shower(file) })
  if not r then fail.raise('%s: %s', file.label, why) end
  if r.code == 416 then return file.hash, file.git end -- there is more than the server has
  if r.code ~= 200 and r.code ~= 206 then file.refused(r) end
  if file.hash then return file.hash, file.git end
  return hash_of_answer(r)
end

local hash_box = core.new 'char[65]'

-- Gives the checksum of what came, or nil and what is wrong with it.
local function attempt(file)
  local hash, git = load(file)
  if not hash then
    core.check(C.se_file_remove(file.part))
    fail.raise('%s: the server gives no checksum', file.label)
  end
  local size = size_of(file.part) or 0
  if file.size and size ~= file.size then
    return nil, ('%d bytes, expected %d'):format(size, file.size)
  end
  core.check(C.se_file_hash(file.part, git or false, hash_box))
  local found = core.text(hash_box)
  if found ~= hash then return nil, ('checksum %s, expected %s'):format(found, hash) end
  return hash
end

-- file: url, token (for the url's host alone), part (the path that it grows at), size and hash
-- (where they are known), git (the kind of hash), label (for messages), refused(answer) (raises).
-- Moves it to folder/CHECKSUM and gives the checksum. What turns out wrong is fetched once more.
function fetch.file(file, folder)
  local hash, wrong = attempt(file)
  if not hash then
    core.check(C.se_file_remove(file.part))
    hash, wrong = attempt(file)
  end
  if not hash then
    core.check(C.se_file_remove(file.part))
    fail.raise('%s: not the file that is announced: %s', file.label, wrong)
  end
  core.check(C.se_file_sync(file.part))
  core.check(C.se_file_rename(file.part, folder .. '/' .. hash))
  return hash
end

local lock_box = core.new 'int32_t[1]'

-- Calls f() while no other process holds the lock file `path`.
function fetch.alone(path, label, f)
  while true do
    core.check(C.se_lock_try(path, lock_box))
    if lock_box[0] >= 0 then break end
    progress.on_terminal('%s: waiting for another process that fetches it', label)
    core.check(C.se_wait(0.2))
  end
  local fd = lock_box[0]
  local ok, problem = pcall(f)
  C.se_lock_give(fd)
  progress.clear()
  if not ok then error(problem, 0) end
end

-- `path` becomes a link that says `target`.
function fetch.link(target, path) core.check(C.se_file_link(target, path)) end

return fetch
