-- Writes unicode_tables.h from what the `tokenizers` library does with every code point.
--
--   luajit tokenizer/make_tables.lua tests/data/tokenizer > tokenizer/unicode_tables.h
--
-- Reads codepoints_normalizer.tsv.gz and combining.tsv there (the README beside them says what the
-- columns are). The meaning of the numbers written is in normalize.c.

local BLOCK = 128
local KEEP, PUNCTUATION, DROP, DROP_STARTER, SPACE, IDEOGRAPH, HANGUL, MAP = 0, 1, 2, 3, 4, 5, 6, 8
local COMBINING = 0x8000

local function utf8_bytes(c)
  return c < 0x80 and 1 or c < 0x800 and 2 or c < 0x10000 and 3 or 4
end

local function each_run(lines, visit)
  for line in lines do
    local first, last, rest = line:match '^(%x+)\t(%x+)\t(.*)$'
    visit(tonumber(first, 16), tonumber(last, 16), rest)
  end
end

-- Combining class by code point; 0 is a removed mark that ends a run of marks.
local function read_classes(path)
  local class, runs = {}, {}
  each_run(io.lines(path), function(first, last, value)
    for c = first, last do class[c] = tonumber(value) end
    if tonumber(value) > 0 then runs[#runs + 1] = { first, last, tonumber(value) } end
  end)
  return class, runs
end

-- A Hangul syllable's jamo follow from its number (Unicode, section 3.12).
local function jamo(c)
  local s = c - 0xAC00
  local l, v, t = 0x1100 + math.floor(s / 588), 0x1161 + math.floor(s % 588 / 28), s % 28
  return t == 0 and ('%X %X'):format(l, v) or ('%X %X %X'):format(l, v, 0x11A7 + t)
end

local function number_of(shown, split, c, class, maps)
  if shown == '-' then return class[c] == 0 and DROP_STARTER or DROP end
  if split == 's' then return SPACE end
  if shown == 'c' then return IDEOGRAPH end
  if shown == '=' then
    local kind = split == 'p' and PUNCTUATION or KEEP
    return class[c] and class[c] > 0 and COMBINING + kind or kind
  end
  if c >= 0xAC00 and c <= 0xD7A3 and shown == jamo(c) then return HANGUL end
  local flag, count = 0, 0
  for hex in shown:gmatch '%x+' do
    count = count + 1
    if (class[tonumber(hex, 16)] or 0) > 0 then flag = COMBINING end
  end
  -- normalize.c sizes its buffers by the bytes of the text
  assert(count <= 3 and count <= utf8_bytes(c), shown)
  if not maps[shown] then
    maps[#maps + 1] = shown
    maps[shown] = #maps - 1
  end
  return flag + MAP + maps[shown]
end

local function read_numbers(path, class)
  local numbers, maps = {}, {}
  for c = 0, 0x10FFFF do numbers[c] = DROP end -- U+0000 and the surrogates, which no text holds
  local pipe = assert(io.popen('gzip -dc ' .. path))
  each_run(pipe:lines(), function(first, last, rest)
    local shown, split = rest:match '^(.*)\t(.*)$'
    for c = first, last do
      if c < 0xD800 or c > 0xDFFF then numbers[c] = number_of(shown, split, c, class, maps) end
    end
  end)
  pipe:close()
  return numbers, maps
end

local function blocks_of(numbers)
  local stage1, blocks, known = {}, {}, {}
  for first = 0, 0x10FFFF, BLOCK do
    local key = table.concat(numbers, ',', first, first + BLOCK - 1)
    if not known[key] then
      blocks[#blocks + 1] = key
      known[key] = #blocks - 1
    end
    stage1[#stage1 + 1] = known[key]
  end
  assert(#blocks <= 256)
  return stage1, blocks
end

local function write_array(head, values)
  io.write('static const ', head, ' = {')
  local column = 100
  for _, value in ipairs(values) do
    if column + #value > 96 then
      io.write '\n   '
      column = 3
    end
    io.write(' ', value, ',')
    column = column + #value + 2
  end
  io.write '\n};\n'
end

local function strings(list, each)
  local out = {}
  for i, value in ipairs(list) do out[i] = each(value) end
  return out
end

local folder = assert(arg[1], 'usage: make_tables.lua FOLDER > unicode_tables.h')
local class, class_runs = read_classes(folder .. '/combining.tsv')
local numbers, maps = read_numbers(folder .. '/codepoints_normalizer.tsv.gz', class)
local stage1, blocks = blocks_of(numbers)
local stage2 = {}
for _, block in ipairs(blocks) do
  for number in block:gmatch '%d+' do stage2[#stage2 + 1] = number end
end

io.write [[
/* What the normaliser does with each code point; normalize.c says how to read it.
 * Generated: luajit tokenizer/make_tables.lua tests/data/tokenizer > tokenizer/unicode_tables.h */
/* clang-format off */
#ifndef SE_UNICODE_TABLES_H
#define SE_UNICODE_TABLES_H

#include <stdint.h>

]]
write_array('uint8_t unicode_stage1[]', strings(stage1, tostring))
write_array('uint16_t unicode_stage2[]', stage2)
write_array('uint32_t unicode_map[][3]', strings(maps, function(shown)
  return '{' .. shown:gsub('(%x+) ?', '0x%1,'):sub(1, -2) .. '}'
end))
write_array('uint32_t unicode_class[][3]', strings(class_runs, function(run)
  return ('{0x%X,0x%X,%d}'):format(run[1], run[2], run[3])
end))
io.write '\n#endif\n'
