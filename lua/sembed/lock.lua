-- Folders and files that a run writes: this process's until it ends, however it ends
-- (core/io/lock.h).

local core = require 'sembed.ffi'
local files = require 'sembed.files'

local C = core.C
local lock = {}

local held = {} -- locks by the absolute path of what is locked
local box = core.new 'se_lock *[1]'

-- What a file system without locks costs.
function lock.warn(what)
  io.stderr:write(('%s: its file system has no locks: two runs at work there at the same time '
    .. 'spoil each other\n'):format(what))
end

-- Takes a folder or a file's place, or raises an error that names who has it.
function lock.take(what)
  local path = files.absolute(what)
  local old = held[path]
  if old and C.se_lock_stands(old) then return end
  core.check(C.se_lock_take(what, box))
  held[path] = core.gc(box[0], C.se_lock_free)
  if old then C.se_lock_free(core.gc(old, nil)) end -- of a folder that had this name
  if not C.se_lock_works(held[path]) then lock.warn(what) end
end

return lock
