-- The page's own look; pictures bring theirs (plot/svg/frame.lua), in the same colours.
return [[

:root{color-scheme:light dark;--back:#f4f6f8;--card:#fff;--ink:#1f2933;--soft:#5b6875;
--line:#e3e7eb;--mark:#1668b8;--good:#1f7a55;--bad:#b3261e;--open:#8a5a00}
@media (prefers-color-scheme:dark){:root{--back:#0e1115;--card:#15191e;--ink:#e4e9ee;--soft:#9aa7b4;
--line:#2a323b;--mark:#5aa9f0;--good:#5cc9a0;--bad:#ff8a80;--open:#e6c34a}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);line-height:1.5;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1320px;margin:0 auto;padding:36px 24px 24px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;margin-bottom:20px}
h1{font-size:27px;line-height:1.2;margin:0;font-weight:650;letter-spacing:-.01em;
overflow-wrap:anywhere}
h2{font-size:15px;font-weight:600;margin:0 0 10px}
h3{font-size:15px;margin:18px 0 6px}
.path{flex-basis:100%;margin:0;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.state{font-size:13px;font-weight:600;padding:2px 11px;border-radius:99px;border:1px solid}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.note{margin:0 0 12px;padding:10px 14px;border-left:3px solid var(--open);background:var(--card);
border-radius:0 6px 6px 0;color:var(--ink);overflow-wrap:anywhere;white-space:pre-line}
.note.bad{border-color:var(--bad)}.note b{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin-bottom:16px}
.tile,figure,section.facts,section.numbers,section.command,details{background:var(--card);
border:1px solid var(--line);border-radius:10px}
.tile{padding:12px 16px}
.tile h2{color:var(--soft);font-size:13px;font-weight:500;margin:0}
.tile p{font-size:25px;font-weight:600;line-height:1.3;margin:0;font-variant-numeric:tabular-nums}
.tile small{color:var(--soft);font-size:12px;display:block;line-height:1.35}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:16px;
margin-bottom:16px}
figure{margin:0;padding:6px;overflow:hidden}
figure svg{display:block;width:100%;height:auto}
.soft .se-s1{stroke:#b9d3ee;stroke-width:1}
.soft .se-s2{stroke:#1668b8;stroke-width:2.4}
@media (prefers-color-scheme:dark){.soft .se-s1{stroke:#28496b}.soft .se-s2{stroke:#5aa9f0}}
section.facts,section.numbers,section.command,details{padding:16px 18px;margin-bottom:16px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:16px;
align-items:start}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border-top:1px solid var(--line);
overflow-wrap:anywhere}
tr:first-child>*{border-top:0}
th{font-weight:500;color:var(--soft)}
.facts th{width:34%}
.numbers th,.numbers td{overflow-wrap:normal}
.numbers:not(.keys) td,.numbers:not(.keys) tr:first-child th:not(:first-child){text-align:right}
pre{margin:0;padding:11px 14px;background:var(--back);border-radius:6px;overflow-x:auto;
font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace;white-space:pre-wrap;
overflow-wrap:anywhere}
summary{cursor:pointer;font-weight:600}
details[open] summary{margin-bottom:12px}
details section.command,details section.facts{border:0;padding:0}
footer{color:var(--soft);font-size:12px;padding-top:6px}
@media print{body{background:#fff}.tile,figure,section{break-inside:avoid}}
]]
