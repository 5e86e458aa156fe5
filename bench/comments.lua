-- Writes a made-up dump of N comments for `sembed pairs` (see bench/README.md):
--   build/sembed bench/comments.lua n=20000000 out=DUMP.jsonl
-- Threads of 1 to 200 comments that lie among one another, as in a dump by time.
local se = require 'sembed'

local cfg = se.config { n = 20000000, out = '' }
if cfg.out == '' then error('out=FILE is missing') end

local WORDS = {}
for word in ([[the a of to and in is it you that he was for on are with as I his they be at one have
  this from or had by hot but some what there we can out other were all your when up use word how
  said an each she which do their time if will way about many then them would write like so these
  her long make thing see him two has look more day could go come did my sound no most number who
  over know water than call first people may down side been now find]]):gmatch '%S+' do
  WORDS[#WORDS + 1] = word
end

local OPEN = 5000 -- threads that get comments at one time
local file = assert(io.open(cfg.out, 'wb'))
local threads, parts, made = {}, {}, 0

local function body()
  for i = 1, math.random(2, 30) do parts[i] = WORDS[math.random(#WORDS)] end
  return table.concat(parts, ' ', 1, math.random(2, 12))
end

for i = 1, 30 do parts[i] = 'word' end
math.randomseed(1)
for i = 1, cfg.n do
  local k = math.random(OPEN)
  local thread = threads[k]
  if not thread or thread.n >= thread.most then
    made = made + 1
    thread = { id = ('t3_%x'):format(made), n = 0, most = math.random(200), ids = {} }
    threads[k] = thread
  end
  local parent = thread.n > 0 and math.random() < 0.8 and thread.ids[math.random(thread.n)]
  thread.n = thread.n + 1
  thread.ids[thread.n] = i
  file:write(('{"author":"u%d","body":"%s","id":"%x","link_id":"%s","parent_id":"%s","score":%d,'
    .. '"subreddit":"s%d"}\n'):format(i % 99991, body(), i, thread.id,
    parent and ('t1_%x'):format(parent) or thread.id, i % 17, k % 100))
end
assert(file:close())
