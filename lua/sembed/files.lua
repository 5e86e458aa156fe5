-- Files and folders, over core/io/files.h. Of several processes that run one recipe the first alone
-- changes them: what writes does nothing elsewhere.

local core = require 'sembed.ffi'

local C = core.C
local files = {}

local info, text_box = core.new 'se_file_info', core.new 'char *[1]'
local size_box, count_box = core.new 'size_t[1]', core.new 'int64_t[1]'

local function first() return C.se_shard_index() == 0 end

local function look(path)
  C.se_file_look(path, info)
  return info
end

-- true where something lies at a path, whatever it is.
function files.exists(path) return look(path).exists end

-- true where a folder lies at a path.
function files.is_folder(path) return look(path).is_dir end

-- true where a plain file lies at a path.
function files.is_file(path) return look(path).is_file end

-- The bytes of a file; 0 where there is none.
function files.size(path) return tonumber(look(path).size) end

-- When a file was last changed, in seconds since 1970; 0 where there is none.
function files.time(path) return tonumber(look(path).mtime) end

local function take(pointer, bytes)
  local text = bytes and core.text(pointer, bytes) or core.text(pointer)
  C.se_io_free(pointer)
  return text
end

-- A file's bytes as a string; an error with the path where it cannot be read.
function files.read(path)
  core.check(C.se_file_read(path, text_box, size_box))
  return take(text_box[0], size_box[0])
end

-- Writes a string as a file: all of it or nothing, whenever the machine stops.
function files.write(path, text)
  if first() then core.check(C.se_file_write(path, text, #text)) end
end

-- Writes `line` at a file's end; with `sync` it waits until that is on the disk.
function files.append(path, line, sync)
  if first() then core.check(C.se_file_append(path, line, #line, sync or false)) end
end

-- Waits until the file, or the names in a folder, are on the disk.
function files.sync(path)
  if first() then core.check(C.se_file_sync(path)) end
end

-- Gives a file another name within one file system; a file that has it already goes.
function files.rename(from, to)
  if first() then core.check(C.se_file_rename(from, to)) end
end

-- Removes a file; none there is fine.
function files.remove(path)
  if first() then core.check(C.se_file_remove(path)) end
end

-- Cuts a file to its first `bytes` bytes.
function files.cut(path, bytes)
  if first() then core.check(C.se_file_truncate(path, bytes)) end
end

-- Makes a folder and those above it that are missing; one that is there already is fine.
function files.make_folder(path)
  if first() then core.check(C.se_folder_make(path)) end
end

-- Renames to the first free one of path.1, path.2, ...; gives the new name.
function files.aside(path)
  if not first() then return path end
  core.check(C.se_file_aside(path, text_box))
  return take(text_box[0])
end

-- The path from the root, without links and ".."; of what is not there yet, the folder's.
function files.absolute(path)
  core.check(C.se_file_absolute(path, text_box))
  return take(text_box[0])
end

-- The names in a folder but "." and "..", in byte order.
function files.list(path)
  core.check(C.se_folder_list(path, text_box, count_box))
  local names, at = {}, text_box[0]
  for i = 1, tonumber(count_box[0]) do
    names[i] = core.text(at)
    at = at + #names[i] + 1
  end
  C.se_io_free(text_box[0])
  return names
end

-- "a/b/c.lua" -> "a/b"; "." where there is no folder in it.
function files.folder_of(path)
  return path:match '^(.*)/[^/]*$' or '.'
end

return files
