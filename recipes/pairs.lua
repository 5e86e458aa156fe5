-- Comments of a forum -> pairs of a comment and the reply to it, for training and for testing, by
-- the rules of the Reddit data set that the model card names (core/data/comments.h):
--
--   sembed pairs in=RC_2015-01.zst out=DIR              DIR/train.jsonl.gz and DIR/test.jsonl.gz
--
-- in=A,B,...: JSON lines, plain, gzip or zstd, with id, link_id, parent_id and body. They may be
-- far larger than memory (memory=1G). A run that was stopped goes on where it was; a second one
-- into the same DIR is refused while the first is at work.
-- shortest=9 longest=127: characters of a text. contexts=N: older ancestors as context/0, ... (up
-- to 9). all=true: also subreddit, thread and authors. skip_bad=true: passes over lines that are
-- no comments. clean=true: takes the markdown out of the comments first; the card's pairs have it.
local se = require 'sembed'

local cfg, given = se.config {
  ['in'] = {}, out = '', shortest = 9, longest = 127, contexts = 0, all = false, skip_bad = false,
  clean = false,
}
if #cfg['in'] == 0 or cfg.out == '' then return se.run.print_manual() end

local job = se.data.comments.open(cfg.out, cfg['in'], {
  shortest = cfg.shortest, longest = cfg.longest, contexts = cfg.contexts, all = cfg.all,
  skip_bad = cfg.skip_bad, memory = given.memory and cfg.memory or nil,
  edit = cfg.clean and se.data.markdown or nil,
})
local made = job:run()
print(('%d comments -> %d pairs for training, %d for testing, in %s (%d comments/s)'):format(
  made.comments, made.train, made.test, cfg.out, made.rate))
if made.bad > 0 then print(('%d lines were no comments'):format(made.bad)) end
