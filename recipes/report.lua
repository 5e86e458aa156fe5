-- What a training did, from its folder: a page to look at, several runs side by side.
--
--   sembed report RUN                   writes RUN/report.html; on a terminal the curves, too
--   sembed report RUN RUN2 ...          compares them; the page is in the first one's folder
--
--   RUN                a folder that a recipe wrote with out=RUN, finished or not, running or not
--   out=FILE.html      where the page goes
--   text=true          the curves as text also where there is no terminal
--
-- The page is one file that needs no other: loss, rate, norm of the gradients, throughput and all
-- else that was logged, evaluations, config, environment, the line that goes on.
local se = require 'sembed'

local folders = { ... }
if #folders == 0 and #se.run.order == 0 then return se.run.print_manual() end
local cfg = se.config { out = '', text = false }
if #folders == 0 then error('the folder of a run is missing: sembed report RUN', 0) end

local report = se.report(folders)
local path = cfg.out ~= '' and cfg.out or report.runs[1].folder .. '/report.html'
se.files.write(path, report:page())
report:show(cfg.text)
for _, run in ipairs(report.runs) do
  for _, note in ipairs(run.notes) do io.stderr:write(('%s: %s\n'):format(run.folder, note)) end
end
print('written: ' .. path)
