-- Comments -> pairs (core/data/comments.h).
--
--   local job = se.data.comments.open(OUT, { 'comments.jsonl.zst' }, { contexts = 2 })
--   local made = job:run()

local config = require 'sembed.config'
local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local lock = require 'sembed.lock'
local progress = require 'sembed.progress'
local run = require 'sembed.run'

local C = core.C
local comments = {}
local Job = {}
Job.__index = Job

local strings, box = core.typeof 'const char *[?]', core.new 'se_comments *[1]'
local done_box, size_box = core.new 'bool[1]', core.new 'size_t[1]'
local state = core.new 'se_comments_state'

local jobs = setmetatable({}, { __mode = 'v' }) -- this process's, by the absolute path of OUT

-- Opens a job that writes OUT/train.jsonl.gz and OUT/test.jsonl.gz, or goes on with it. options:
-- shortest, longest (code points), contexts, all, skip_bad, memory (bytes, or '512M'), and edit: a
-- function from a comment's text to the text in its place. It closes a job of this process there.
function comments.open(out, sources, options)
  local how, list = core.new 'se_comments_options', strings(math.max(#sources, 1))
  local paths = {}
  for i, path in ipairs(sources) do
    paths[i] = path == '-' and path or run.path(path)
    list[i - 1] = paths[i]
  end
  how.shortest, how.longest = options.shortest or 9, options.longest or 127
  how.contexts, how.all = options.contexts or 0, options.all or false
  how.skip_bad, how.edited = options.skip_bad or false, options.edit ~= nil
  how.memory = options.memory and options.memory ~= '' and config.bytes(options.memory) or 0
  local path = files.absolute(out)
  if jobs[path] then jobs[path]:close() end
  core.check(C.se_comments_open(out, #sources, list, how, box))
  local job = setmetatable({ handle = core.gc(box[0], C.se_comments_free), edit = options.edit },
    Job)
  jobs[path] = job
  if job:look().unlocked then lock.warn(out) end
  return job
end

-- se_comments_state, until the next call.
function Job:look()
  C.se_comments_look(self.handle, state)
  return state
end

-- Lets go of the folder; what was done stays. The end of the job's life does so, too.
function Job:close()
  if self.handle then C.se_comments_free(core.gc(self.handle, nil)) end
  self.handle = nil
end

-- Puts what `edit` makes of them in the place of the comments that were just read.
local function edit_texts(self)
  for i = 0, tonumber(C.se_comments_texts(self.handle)) - 1 do
    local text = core.text(C.se_comments_text(self.handle, i, size_box), size_box[0])
    local other = self.edit(text)
    fail.unless(type(other) == 'string', 'data.comments: edit must give a string: %s came',
      type(other))
    if other ~= text then core.check(C.se_comments_replace(self.handle, i, other, #other)) end
  end
end

-- Does the work, or `steps` pieces of it (some thousand comments, or a part of the threads); what
-- was done stays when it is stopped. Gives { done, comments, bad, train, test, rate }, rate in
-- comments a second.
function Job:run(steps)
  local began, done = tonumber(C.se_seconds()), false
  fail.unless(self.handle, 'data.comments: this job is closed')
  steps = steps or math.huge
  while not done and steps > 0 do
    steps = steps - 1
    core.check(C.se_comments_step(self.handle, done_box))
    done = done_box[0]
    if self.edit and not done then edit_texts(self) end
    local now = self:look()
    progress.show(now.joining and 'joining threads: %d %%, %d pairs'
      or 'reading comments: %d %%, %d of them', 100 * now.progress,
      now.joining and now.train + now.test or now.comments)
  end
  if not done then core.check(C.se_comments_save(self.handle)) end
  progress.clear()
  local now = self:look()
  local made = { done = done }
  for _, key in ipairs { 'comments', 'bad', 'train', 'test' } do made[key] = tonumber(now[key]) end
  made.rate = (made.comments - tonumber(now.resumed))
    / math.max(1e-3, tonumber(C.se_seconds()) - began)
  return made
end

return comments
