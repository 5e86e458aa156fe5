-- Text -> token ids and back, over tokenizer/tokenizer.h.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local text = require 'sembed.text'

local C = core.C
local tokenizer = {}
local Tokenizer = {}
Tokenizer.__index = Tokenizer
function Tokenizer:__tostring() return ('tokenizer of %d tokens'):format(self.size) end

local box = core.new 'se_tokenizer *[1]'
local size_box = core.new 'size_t[1]'
local strings, sizes = core.typeof 'const char *[?]', core.typeof 'size_t[?]'
local int32s, chars = core.typeof 'int32_t[?]', core.typeof 'char[?]'

local function new(pointer)
  local handle = core.gc(pointer, C.se_tokenizer_free)
  local batch = core.gc(core.new 'se_token_batch', C.se_token_batch_free)
  local pad = C.se_tokenizer_pad(handle)
  return setmetatable({
    handle = handle, scratch = batch, size = C.se_tokenizer_vocab_size(handle),
    bos = C.se_tokenizer_bos(handle), eos = C.se_tokenizer_eos(handle), pad = pad,
    unk = C.se_tokenizer_unk(handle), padding = pad, max_length = C.se_tokenizer_max_length(handle),
  }, Tokenizer)
end

-- A model folder, or a vocab.txt.
function tokenizer.open(path)
  path = require('sembed.run').path(path)
  local open = path:match '%.txt$' and C.se_tokenizer_from_vocab or C.se_tokenizer_open
  core.check(open(path, box))
  return new(box[0])
end

-- A list of texts -> C's se_token_batch (tokenizer.h), with offsets where they are asked for; it is
-- valid until the next call.
function Tokenizer:batch(texts, length, with_offsets)
  local n = #texts
  local list, bytes = strings(math.max(n, 1)), sizes(math.max(n, 1))
  for i = 1, n do
    if type(texts[i]) ~= 'string' then
      fail.raise('tokenizer: text %d is no string but a %s', i, type(texts[i]))
    end
    list[i - 1], bytes[i - 1] = texts[i], #texts[i]
  end
  core.check(C.se_tokenizer_encode_batch(self.handle, list, bytes, n, length or 0,
    with_offsets or false, self.scratch))
  return self.scratch
end
jit.off(Tokenizer.batch) -- see ffi.lua

-- A list of texts -> packed text (text.lua); .texts_cut says how many were cut to `length`.
function Tokenizer:pack(texts, length)
  return (text.pack(self:batch(texts, length), self.padding))
end

-- One text -> list of ids, list of {start, end} in characters, how many tokens were cut.
function Tokenizer:encode(one, length)
  local b = self:batch({ one }, length, true)
  local ids, offsets = {}, {}
  for i = 0, tonumber(b.total) - 1 do
    ids[i + 1] = b.ids[i]
    offsets[i + 1] = { b.offsets[2 * i], b.offsets[2 * i + 1] }
  end
  return ids, offsets, tonumber(b.cut)
end

-- Token ids -> text, without special tokens unless skip_special is false. ids: a list, or a C array
-- with its length n.
function Tokenizer:decode(ids, skip_special, n)
  if type(ids) == 'table' then
    n = #ids
    local array = int32s(math.max(n, 1))
    for i = 1, n do array[i - 1] = ids[i] end
    ids = array
  end
  local skip = skip_special ~= false
  core.check(C.se_tokenizer_decode(self.handle, ids, n, skip, nil, 0, size_box))
  local room = tonumber(size_box[0]) + 1
  local out = chars(room)
  core.check(C.se_tokenizer_decode(self.handle, ids, n, skip, out, room, size_box))
  return core.text(out, size_box[0])
end

-- The token of an id, nil where there is none.
function Tokenizer:token(id)
  local word = C.se_tokenizer_token(self.handle, id)
  return word ~= nil and core.text(word) or nil
end

-- The id of a token, nil where the vocabulary lacks it.
function Tokenizer:id(token)
  local id = C.se_tokenizer_id(self.handle, token)
  return id >= 0 and id or nil
end

-- Writes vocab.txt and the tokenizer's other files into a folder; length: tokens of a text at most.
function Tokenizer:save(folder, length)
  if C.se_shard_index() > 0 then return end -- the first process writes
  core.check(C.se_tokenizer_save(self.handle, folder, length or 0))
end

return tokenizer
