-- Lines of a text file, plain, gzip or zstd; "-" is standard input:
-- for line, number in se.data.lines 'texts.jsonl' do ... end
-- local next_line, read = se.data.lines 'texts.jsonl' gives read(), too: the bytes read of the file
-- as it lies on disk, and its size, 0 where that is not known.

local core = require 'sembed.ffi'
local run = require 'sembed.run'

local C = core.C
local box = core.new 'se_lines *[1]'
local text_box, size_box = core.new 'const char *[1]', core.new 'size_t[1]'

-- path: relative to the recipe. A line is a string without its end, number counts from 1. A file
-- that cannot be read is an error with its path.
return function(path)
  core.check(C.se_lines_open(path == '-' and path or run.path(path), box))
  local handle, number = core.gc(box[0], C.se_lines_close), 0
  local size = tonumber(C.se_lines_size(handle))
  local function read()
    return handle and tonumber(C.se_lines_read(handle)) or size, size
  end
  local function next_line()
    if not handle then return nil end
    core.check(C.se_lines_next(handle, text_box, size_box))
    if text_box[0] == nil then
      C.se_lines_close(core.gc(handle, nil))
      handle = nil
      return nil
    end
    number = number + 1
    return core.text(text_box[0], size_box[0]), number
  end
  return next_line, read
end
