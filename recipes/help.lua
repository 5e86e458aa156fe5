-- What there is and how it is called: in the shell what `? NAME` is at the prompt.
--
--   sembed help                          what can be asked for
--   sembed help NAME...                  an op, function, method, module, recipe or page; a word
--                                        that is no name lists what mentions it
--   sembed help markdown=true out=DIR    the whole manual as Markdown files in DIR, which is made;
--                                        without out=, as one text on standard output
local se = require 'sembed'

local names = { ... }
local cfg = se.config { markdown = false, out = '' }

if cfg.markdown then
  print(se.help.manual(cfg.out ~= '' and se.run.path(cfg.out) or nil))
elseif #names == 0 then
  print(se.help.topics())
end
for _, name in ipairs(names) do
  local text, message = se.help.find(name)
  if not text then error(message, 0) end
  print(text)
end
